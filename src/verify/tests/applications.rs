//! Tokens of applications and of people, as providers issue them.

use super::{Bench, NOW, bench};
use crate::verify::SubjectToken;
use serde_json::{Value, json};

/// A provider that is trusted with these settings.
fn provider(changes: Value) -> Bench {
    let mut settings = json!({"typ": ["at+jwt", "JWT"]});
    for (name, value) in changes.as_object().unwrap() {
        settings[name] = value.clone();
    }
    bench(settings)
}

/// Verifies a token with these claims and none of the default ones except `iss`, `aud` and the times.
async fn said(bench: &Bench, said: &Value) -> SubjectToken {
    let mut claims = json!({
        "iss": super::ISSUER, "aud": "portal", "exp": NOW.as_secs() + 300, "iat": NOW.as_secs() - 10,
    });
    for (name, value) in said.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let token = super::sign(bench.keys.signing(), &claims);
    let verified = bench.verify(token).await;
    verified.unwrap_or_else(|error| panic!("{error}: {said}"))
}

const ENTRA: &str = "https://login.microsoftonline.com/t/v2.0";
const COGNITO: &str = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_x";

fn of(settings: Value, tokens: &[Value]) -> (Value, Vec<Value>) {
    (settings, tokens.to_vec())
}

#[tokio::test]
async fn an_applications_own_token_is_known_by_the_mark_of_its_provider() {
    let entra = json!({"issuer": ENTRA, "scope_claim": "scp"});
    let cognito = json!({"issuer": COGNITO});
    for (settings, tokens) in [
        of(
            entra,
            &[
                json!({"iss": ENTRA, "azp": "app", "azpacr": "1", "oid": "sp", "sub": "sp", "tid": "t", "ver": "2.0",
                    "roles": ["Orders.Read.All"]}),
                json!({"iss": ENTRA, "appid": "app", "appidacr": "2", "oid": "sp", "sub": "sp", "tid": "t", "ver": "1.0"}),
                json!({"iss": ENTRA, "azp": "app", "oid": "sp", "sub": "sp", "idtyp": "app"}),
                json!({"iss": ENTRA, "azp": "app", "oid": "sp", "sub": "other", "idtyp": "APP"}),
                // an application without a service principal in the tenant
                json!({"iss": ENTRA, "azp": "app", "azpacr": "2", "sub": "sp", "tid": "t", "ver": "2.0"}),
                json!({"iss": ENTRA, "appid": "app", "oid": "mi", "sub": "mi-2", "xms_mirid": "/subscriptions/s/x"}),
            ],
        ),
        of(
            json!({"scope_claim": "scp"}),
            // Okta
            &[json!({"cid": "0oa1", "sub": "0oa1", "scp": ["r"], "ver": 1, "jti": "AT.1"})],
        ),
        of(
            json!({}),
            &[
                // Auth0
                json!({"azp": "c", "sub": "c@clients", "gty": "client-credentials", "scope": "r"}),
                json!({"azp": "c", "sub": "c@clients", "scope": "r"}),
                json!({"azp": "c", "sub": "x", "gty": "client-credentials"}),
                // FusionAuth, Kinde
                json!({"sub": "entity", "gty": ["client_credentials"]}),
                // UAA, XSUAA, PingAM
                json!({"cid": "c", "sub": "other", "grant_type": "client_credentials", "scope": ["r"]}),
                json!({"sub": "(age!batch)", "subname": "batch", "grant_type": "client_credentials"}),
                json!({"sub": "(age!batch)"}),
                // WSO2: `sub` is the application's owner
                json!({"sub": "admin", "aut": "APPLICATION", "client_id": "c"}),
                // Oracle identity domains
                json!({"sub": "display name", "sub_type": "client", "tok_type": "AT", "client_id": "c"}),
            ],
        ),
        of(
            json!({}),
            // Keycloak
            &[
                json!({"azp": "c", "sub": "uuid", "typ": "Bearer", "preferred_username": "service-account-c"}),
                json!({"azp": "c", "sub": "uuid", "typ": "Bearer", "clientHost": "10.0.0.1", "clientAddress": "10.0.0.1",
                    "client_id": "c"}),
                // authentik
                json!({"azp": "c", "sub": "hash", "preferred_username": "ak-orders-client_credentials"}),
            ],
        ),
        of(
            cognito,
            &[
                json!({"iss": COGNITO, "sub": "c1", "client_id": "c1", "token_use": "access", "scope": "api/r"}),
                json!({"iss": COGNITO, "sub": "other", "client_id": "c1", "token_use": "access", "scope": "api/r"}),
            ],
        ),
        of(
            json!({}),
            &[
                // Spring Authorization Server: the client appears only as the audience
                json!({"sub": "portal", "scope": ["r"]}),
                // Google
                json!({"sub": "1080", "azp": "1080", "email": "x@p.iam.gserviceaccount.com"}),
                json!({"sub": "1081", "azp": "c", "email": "x@p.iam.gserviceaccount.com", "email_verified": true}),
                // ZITADEL's API applications, Ory Hydra
                json!({"sub": "c", "client_id": "c", "scope": "r"}),
                json!({"sub": "c", "clientId": "c", "scope": "r"}),
            ],
        ),
    ] {
        let bench = provider(settings);
        for token in tokens {
            assert!(said(&bench, &token).await.is_app_only(), "{token}");
        }
    }
}

#[tokio::test]
async fn a_workloads_token_is_an_applications_own() {
    let bench = provider(json!({}));
    for token in [
        json!({"sub": "system:serviceaccount:shop:orders"}),
        json!({"sub": "system:serviceaccount:shop:orders", "kubernetes.io": {"namespace": "shop"}}),
        json!({"sub": "renamed", "kubernetes.io": {"namespace": "shop", "pod": {"name": "a"}}}),
        json!({"sub": "renamed", "kubernetes.io/serviceaccount/namespace": "shop"}),
        json!({"sub": "spiffe://example.org/ns/shop/sa/orders"}),
        json!({"sub": "arn:aws:iam::123456789012:role/DataProcessingRole",
            "https://sts.amazonaws.com/": {"aws_account": "123456789012"}}),
        json!({"sub": "arn:aws-cn:iam::123456789012:role/x"}),
        json!({"sub": "repo:acme/shop:ref:refs/heads/main", "repository": "acme/shop", "run_id": "1",
            "job_workflow_ref": "acme/shop/.github/workflows/ci.yml@refs/heads/main", "actor": "octocat"}),
        json!({"sub": "customized", "repository": "acme/shop", "run_id": "1", "actor": "octocat"}),
        json!({"sub": "project_path:acme/shop:ref_type:branch:ref:main", "project_path": "acme/shop", "job_id": "1",
            "user_login": "alice", "user_email": "alice@example.com"}),
        json!({"sub": "customized", "project_path": "acme/shop", "pipeline_id": "1"}),
        json!({"sub": "org/o/project/p/user/u", "oidc.circleci.com/project-id": "p"}),
        json!({"sub": "organization:acme:pipeline:shop:ref:refs/heads/main:commit:1:step:", "pipeline_slug": "shop",
            "build_number": 1}),
        json!({"sub": "{repo}:{step}", "pipelineUuid": "{p}", "stepUuid": "{s}"}),
        json!({"sub": "sc://acme/shop/connection"}),
        json!({"sub": "organization:acme:project:p:workspace:w:run_phase:apply", "terraform_run_id": "run-1"}),
        json!({"sub": "global:default:shop:web:server:id", "nomad_job_id": "shop", "nomad_task": "server"}),
        json!({"sub": "n-1", "nomad_node_id": "n-1", "nomad_node_pool": "default"}),
        json!({"sub": "space:root:stack:shop:run_type:TRACKED:scope:write", "callerType": "stack", "runId": "r"}),
        json!({"sub": "owner:acme:project:shop:environment:production", "owner_id": "team_1"}),
        json!({"sub": "workload_type:aap_controller_automation_job:organization:acme", "aap_controller_job_id": "4"}),
        json!({"sub": "acme:shop:web", "machine_id": "m", "app_name": "shop", "org_name": "acme"}),
    ] {
        assert!(said(&bench, &token).await.is_app_only(), "{token}");
    }
}

#[tokio::test]
async fn a_person_is_taken_for_a_person_whoever_signed_them_in() {
    let entra = json!({"issuer": ENTRA, "scope_claim": "scp"});
    let cognito = json!({"issuer": COGNITO});
    for (settings, tokens) in [
        of(
            entra,
            &[
                json!({"iss": ENTRA, "azp": "app", "azpacr": "1", "oid": "user", "sub": "pairwise", "tid": "t", "ver": "2.0",
                    "scp": "access_as_user", "roles": ["Orders.Read.All"], "name": "A", "preferred_username": "a@x"}),
                json!({"iss": ENTRA, "appid": "app", "appidacr": "0", "oid": "user", "sub": "pairwise", "tid": "t", "ver": "1.0",
                    "scp": "user_impersonation", "upn": "a@x", "unique_name": "a@x"}),
                json!({"iss": ENTRA, "azp": "app", "oid": "user", "sub": "pairwise", "scp": "r", "idtyp": "user"}),
                // a token for itself has no scp
                json!({"iss": ENTRA, "azp": "app", "azpacr": "1", "oid": "user", "sub": "pairwise", "tid": "t"}),
            ],
        ),
        of(
            json!({"scope_claim": "scp"}),
            &[
                json!({"cid": "0oa1", "uid": "00u1", "sub": "alice@example.com", "scp": ["r"], "ver": 1, "auth_time": 1}),
                // `oid` of another provider, as the subject
                json!({"client_id": "web", "oid": "7", "sub": "7", "scp": "r"}),
            ],
        ),
        of(
            json!({}),
            &[
                json!({"azp": "c", "sub": "auth0|5f", "gty": "password", "scope": "r", "permissions": []}),
                json!({"azp": "c", "sub": "google-oauth2|1", "gty": "authorization_code,refresh_token"}),
                json!({"sub": "uuid", "gty": ["authorization_code"], "applicationId": "a"}),
                json!({"sub": "kp_1", "azp": "c", "gty": [], "scp": ["openid"]}),
                json!({"cid": "c", "client_id": "c", "sub": "uuid", "user_id": "uuid", "user_name": "alice",
                    "grant_type": "authorization_code", "scope": ["r"], "origin": "uaa"}),
                json!({"sub": "(usr!bjensen)", "subname": "bjensen", "grant_type": "authorization_code"}),
                json!({"sub": "alice", "aut": "APPLICATION_USER", "client_id": "c"}),
                json!({"sub": "alice", "sub_type": "user", "tok_type": "AT", "client_id": "c", "user_id": "1"}),
                // Keycloak
                json!({"azp": "c", "sub": "uuid", "typ": "Bearer", "preferred_username": "alice", "sid": "s",
                    "realm_access": {"roles": ["r"]}, "scope": "openid profile", "allowed-origins": ["https://x"]}),
                json!({"azp": "c", "sub": "uuid", "typ": "Bearer", "preferred_username": "service"}),
                // Spring Authorization Server
                json!({"sub": "alice", "scope": ["openid", "r"]}),
                // Google, GitLab and GitHub as providers of people
                json!({"sub": "1080", "azp": "c.apps.googleusercontent.com", "email": "alice@example.com", "hd": "example.com"}),
                json!({"sub": "7", "client_id": "c", "nickname": "alice", "groups_direct": ["acme"]}),
                json!({"sub": "octocat", "client_id": "c", "login": "octocat", "repository": "favourite"}),
                // ZITADEL, PingOne, OneLogin, Ory Hydra
                json!({"sub": "2283", "client_id": "22@shop", "urn:zitadel:iam:org:project:roles": {"r": {"1": "x"}}}),
                json!({"sub": "uuid", "client_id": "c", "sid": "s", "acr": "Single_Factor", "env": "e", "org": "o"}),
                json!({"sub": "123", "params": {}, "scope": "openid"}),
                json!({"sub": "uuid", "client_id": "c", "ext": {}, "scp": ["openid"]}),
                // an IAM user is a person
                json!({"sub": "arn:aws:iam::123456789012:user/alice"}),
            ],
        ),
        of(
            cognito,
            &[
                json!({"iss": COGNITO, "sub": "uuid", "client_id": "c1", "token_use": "access", "username": "alice",
                    "cognito:groups": ["r"], "scope": "openid", "event_id": "e"}),
            ],
        ),
    ] {
        let bench = provider(settings);
        for token in tokens {
            assert!(!said(&bench, &token).await.is_app_only(), "{token}");
        }
    }
}

#[tokio::test]
async fn a_token_without_the_claim_that_only_users_have_is_an_applications_own() {
    let bench = provider(json!({"user_claim": "profile.name"}));
    for token in [
        json!({"sub": "machine", "client_id": "c"}),
        json!({"sub": "machine", "profile": "name"}),
        json!({"sub": "machine", "profile": {"name": null}}),
        json!({"sub": "machine", "profile": {"name": ""}}),
        json!({"sub": "machine", "profile": {"name": []}}),
        json!({"sub": "machine", "profile": {"name": {}}}),
        // the mark is used anyway
        json!({"sub": "c", "client_id": "c", "profile": {"name": "c"}}),
    ] {
        assert!(said(&bench, &token).await.is_app_only(), "{token}");
    }
    for token in [
        json!({"sub": "alice", "profile": {"name": "Alice"}}),
        json!({"sub": "alice", "profile.name": "Alice"}),
        json!({"sub": "alice", "profile": {"name": ["Alice"]}}),
        json!({"sub": "alice", "profile": {"name": 7}}),
    ] {
        assert!(!said(&bench, &token).await.is_app_only(), "{token}");
    }
}

#[tokio::test]
async fn an_issuer_is_known_to_tell_applications_apart_by_claim_standard_or_name() {
    let tells = |changes: Value| {
        let (_, jwks) = super::published(super::Algorithm::ES256);
        let (issuer, findings) = super::build(super::settings(changes), &jwks, &super::clock());
        issuer
            .unwrap_or_else(|| panic!("{findings:?}"))
            .tells_applications_apart()
    };
    let jwt = json!(["at+jwt", "JWT"]);
    for (changes, expected) in [
        // in RFC 9068, `sub` names the client
        (json!({}), true),
        (json!({"typ": jwt}), false),
        (json!({"typ": jwt, "user_claim": "email"}), true),
        (
            json!({"typ": jwt, "required_claims": {"token_use": "access"}}),
            true,
        ),
        (json!({"typ": jwt, "issuer": ENTRA}), true),
        (
            json!({"typ": jwt, "issuer": "https://acme.eu.auth0.com/"}),
            true,
        ),
        (json!({"typ": jwt, "issuer": COGNITO}), true),
        (
            json!({"typ": jwt, "issuer": "http://localhost:8080/realms/shop"}),
            true,
        ),
        (
            json!({"typ": jwt, "issuer": "https://sso.example.com/auth/realms/shop"}),
            true,
        ),
        (json!({"typ": jwt, "issuer": "https://notauth0.com"}), false),
        (
            json!({"typ": jwt, "issuer": "https://auth0.com.example.com"}),
            false,
        ),
        (json!({"issuer": "https://acme.zitadel.cloud"}), false),
        (
            json!({"issuer": "https://acme.zitadel.cloud", "user_claim": "email"}),
            true,
        ),
    ] {
        assert_eq!(tells(changes.clone()), expected, "{changes}");
    }
}
