//! The marks by which a token is recognized as an application's own, without a user. Each row is one mark that
//! providers document.
//!
//! The token of a workload (a pod, a pipeline job, a cloud role) counts as an application's own too. For a provider
//! whose tokens have no such mark, set `trusted_issuers[].user_claim` to a claim that only users' tokens have.

use crate::{token::Claims, verify::TrustedIssuer};
use serde_json::Value;

/// The claims in which providers name the application, in the order in which they are tried.
pub(super) const CLIENT_CLAIMS: [&str; 4] = ["client_id", "azp", "cid", "appid"];

/// The mark of a token that the gateway issued or recorded for an application's own subject token.
pub(super) const RECORDED: &str = "it was made from an application's own token";

/// Returns the mark that identifies a token of `issuer` as an application's own, or `None` for a user's token.
pub(super) fn of_issuer(
    issuer: &TrustedIssuer,
    claims: &Claims,
    sub: &str,
    client: Option<&str>,
) -> Option<&'static str> {
    let names_user = |claim: &str| match claims.at_path(claim) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(members)) => !members.is_empty(),
        Some(Value::Bool(_) | Value::Number(_)) => true,
    };
    mark(claims, sub, client).or_else(|| {
        let lacks = issuer.user_claim().is_some_and(|claim| !names_user(claim));
        lacks.then_some("it lacks the issuer's user_claim")
    })
}

/// Returns the first mark in the claims, for any provider. `sub` is the subject, which may come from another claim.
pub(super) fn mark(claims: &Claims, sub: &str, client: Option<&str>) -> Option<&'static str> {
    let token = Token {
        claims,
        sub,
        client,
    };
    MARKS
        .iter()
        .find(|mark| (mark.is_on)(&token))
        .map(|mark| mark.words)
}

/// A token whose signature was verified.
struct Token<'a> {
    claims: &'a Claims,
    sub: &'a str,
    client: Option<&'a str>,
}

struct Mark {
    /// The description for `explain`.
    words: &'static str,
    is_on: fn(&Token<'_>) -> bool,
}

const fn row(words: &'static str, is_on: fn(&Token<'_>) -> bool) -> Mark {
    Mark { words, is_on }
}

/// All marks, with their sources. No mark may match a user's token of any provider, because a user who is refused is an
/// error too.
const MARKS: &[Mark] = &[
    // RFC 9068 §2.2 and §5: without a resource owner `sub` names the client. Okta (`cid`), Cognito (`client_id`), Ory
    // Hydra, Curity, Logto and ZITADEL's API applications do this.
    // https://developer.okta.com/docs/api/openapi/okta-oauth/guides/overview/
    row("sub is the application", |token| token.subject_is_client()),
    // Spring Authorization Server writes the client in `aud` and has no `client_id`.
    // https://docs.spring.io/spring-authorization-server/reference/core-model-components.html (OAuth2TokenGenerator)
    row("sub is the audience", |token| {
        let audiences = token.claims.one_or_many("aud").unwrap_or_default();
        audiences.iter().any(|audience| token.has_subject(audience))
    }),
    // Entra, optional claim: https://learn.microsoft.com/entra/identity-platform/optional-claims-reference
    row("idtyp is app or device (Entra)", |token| {
        token.is_one_of("idtyp", &["app", "device"])
    }),
    // Entra without that claim: `oid` equals `sub`, and only users' tokens have `scp`.
    // https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
    row("oid equals sub, and there is no scp (Entra)", |token| {
        let oid = token.text("oid");
        oid.is_some() && oid == token.text("sub") && token.text("scp").is_none()
    }),
    // Entra, an application without a service principal: it has no `oid`. Only access tokens have `azpacr` and
    // `appidacr`.
    // https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
    row("neither oid nor scp in an Entra token", |token| {
        (token.has("azpacr") || token.has("appidacr"))
            && token.has("tid")
            && !token.has("oid")
            && !token.has("scp")
    }),
    // Azure managed identities: https://github.com/hashicorp/vault-plugin-auth-azure (path_login.go)
    row("a managed identity (Azure)", |token| {
        token.has("xms_mirid") && !token.has("scp")
    }),
    // Auth0, FusionAuth and Kinde: a string or a list.
    // https://auth0.com/docs/get-started/authentication-and-authorization-flow/client-credentials-flow
    // https://docs.kinde.com/machine-to-machine-applications/about-m2m/token-structure-and-claims-for-m2m-applications
    row("gty is client_credentials", |token| {
        token.is_grant("gty", "client_credentials")
    }),
    // Auth0: https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles
    row("sub ends with @clients (Auth0)", |token| {
        token.subjects().any(|sub| sub.ends_with("@clients"))
    }),
    // Cloud Foundry UAA, SAP XSUAA, ForgeRock and Ping AM, IBM Security Verify.
    // https://docs.cloudfoundry.org/api/uaa/version/77.0.0/index.html (check token)
    row("grant_type is client_credentials", |token| {
        token.is_grant("grant_type", "client_credentials")
    }),
    // ForgeRock and Ping AM: `(usr!…)` is a user, `(age!…)` an application.
    // https://docs.pingidentity.com/pingam/8/oauth2-guide/oauth2-implementing-flows.html
    row("sub is an agent (PingAM)", |token| {
        token.subjects().any(|sub| sub.starts_with("(age!"))
    }),
    // WSO2 Identity Server and Asgardeo: a user's token has APPLICATION_USER.
    // https://is.docs.wso2.com/en/latest/references/token-binding/ (aut)
    row("aut is APPLICATION (WSO2)", |token| {
        token.is_one_of("aut", &["application"])
    }),
    // Oracle identity domains: https://docs.oracle.com/en/cloud/paas/identity-cloud/rest-api/AccessToken.html
    row("sub_type is client (Oracle)", |token| {
        token.is_one_of("sub_type", &["client"])
    }),
    // Keycloak names the user of a service account like this and allows no other user with such a name.
    // https://www.keycloak.org/docs/latest/server_admin/#_service_accounts
    row("a service account (Keycloak)", |token| {
        let name = token.text("preferred_username");
        name.is_some_and(|name| name.starts_with("service-account-"))
    }),
    // Keycloak's mappers of service accounts read session notes that users' sessions do not have.
    // https://www.keycloak.org/docs/latest/server_admin/#_service_accounts (client scope service_account)
    row("clientHost of a service account (Keycloak)", |token| {
        token.has("clientHost")
    }),
    // authentik: https://docs.goauthentik.io/add-secure-apps/providers/oauth2/client_credentials/
    row("a service account (authentik)", |token| {
        let name = token.text("preferred_username");
        name.is_some_and(|name| name.starts_with("ak-") && name.ends_with("-client_credentials"))
    }),
    // Cognito: a user's access token has `username`.
    // https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
    row("no username in a Cognito token", |token| {
        let cognito = token
            .text("iss")
            .is_some_and(|iss| iss.starts_with("https://cognito-idp."));
        cognito && token.is_one_of("token_use", &["access"]) && token.text("username").is_none()
    }),
    // Google: https://cloud.google.com/iam/docs/service-account-types
    row("a Google service account", |token| {
        let email = token.text("email");
        let names = token.subjects().chain(email);
        names
            .into_iter()
            .any(|name| name.ends_with(".gserviceaccount.com"))
    }),
    // Kubernetes: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
    row("a Kubernetes workload", |token| {
        token.subject_starts(&["system:serviceaccount:", "system:node:"])
            || token.has("kubernetes.io")
            || token.has_member_of("kubernetes.io/")
    }),
    // SPIFFE JWT-SVID §3.1: https://github.com/spiffe/spiffe/blob/main/standards/JWT-SVID.md
    row("a SPIFFE id", |token| token.subject_starts(&["spiffe://"])),
    // AWS roles: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound_token_claims.html
    row("an AWS role", |token| {
        let is_role = |sub: &str| sub.starts_with("arn:aws") && sub.contains(":role/");
        token.subjects().any(is_role) || token.has("https://sts.amazonaws.com/")
    }),
    // GitHub Actions: https://docs.github.com/actions/reference/security/oidc
    row("a GitHub Actions job", |token| {
        token.has("job_workflow_ref")
            || (token.has("repository") && token.has("run_id"))
            || token.subject_starts(&["repo:"])
    }),
    // GitLab CI/CD: https://docs.gitlab.com/ci/secrets/id_token_authentication/
    row("a GitLab CI job", |token| {
        token.subject_starts(&["project_path:"])
            || (token.has("project_path") && (token.has("job_id") || token.has("pipeline_id")))
    }),
    // CircleCI: https://circleci.com/docs/openid-connect-tokens/
    row("a CircleCI job", |token| {
        token.has_member_of("oidc.circleci.com/")
    }),
    // Buildkite: https://buildkite.com/docs/pipelines/security/oidc
    row("a Buildkite job", |token| {
        token.has("pipeline_slug") && (token.has("build_number") || token.has("job_id"))
    }),
    // Bitbucket Pipelines: https://support.atlassian.com/bitbucket-cloud/docs/integrate-pipelines-with-resource-servers-using-oidc/
    row("a Bitbucket Pipelines step", |token| {
        token.has("pipelineUuid") || token.has("stepUuid")
    }),
    // Azure DevOps: https://learn.microsoft.com/azure/devops/pipelines/release/configure-workload-identity
    row("an Azure DevOps service connection", |token| {
        token.subject_starts(&["sc://"])
    }),
    // HCP Terraform: https://developer.hashicorp.com/terraform/cloud-docs/workspaces/dynamic-provider-credentials/workload-identity-tokens
    row("a Terraform run", |token| {
        token.has("terraform_run_id") || token.has("terraform_workspace_id")
    }),
    // Nomad, tasks, services and nodes: https://developer.hashicorp.com/nomad/docs/concepts/workload-identity
    row("a Nomad workload", |token| {
        token.has("nomad_job_id") || token.has("nomad_allocation_id") || token.has("nomad_node_id")
    }),
    // Spacelift: https://docs.spacelift.io/integrations/cloud-providers/oidc
    row("a Spacelift run", |token| {
        token.has("callerType") && (token.has("runId") || token.has("spaceId"))
    }),
    // Vercel: https://vercel.com/docs/oidc/reference
    row("a Vercel deployment", |token| {
        token.subjects().any(|sub| {
            sub.starts_with("owner:") && sub.contains(":project:") && sub.contains(":environment:")
        })
    }),
    // Ansible Automation Platform: https://docs.redhat.com/en/documentation/red_hat_ansible_automation_platform
    row("an Ansible job", |token| {
        token.has("aap_controller_job_id") || token.subject_starts(&["workload_type:"])
    }),
    // Fly.io: https://fly.io/docs/security/openid-connect/
    row("a Fly.io machine", |token| {
        token.has("machine_id") && token.has("app_name") && token.has("org_name")
    }),
];

impl<'a> Token<'a> {
    fn text(&self, name: &str) -> Option<&'a str> {
        self.claims.get(name).and_then(Value::as_str)
    }

    fn has(&self, name: &str) -> bool {
        self.claims.get(name).is_some_and(|value| !value.is_null())
    }

    /// Returns `true` if the name of a claim starts with `namespace`.
    fn has_member_of(&self, namespace: &str) -> bool {
        let mut names = self.claims.as_object().keys();
        names.any(|name| name.starts_with(namespace))
    }

    fn is_one_of(&self, name: &str, values: &[&str]) -> bool {
        let found = self.text(name);
        found.is_some_and(|text| values.iter().any(|value| text.eq_ignore_ascii_case(value)))
    }

    /// Returns `true` if all grants in a claim, a string or a list, are this one. `-` equals `_`. A string may list
    /// several grants with commas. A token with several grants may be a user's.
    fn is_grant(&self, name: &str, grant: &str) -> bool {
        let is = |text: &str| text.trim().replace('-', "_").eq_ignore_ascii_case(grant);
        match self.claims.get(name) {
            Some(Value::String(text)) => text.split(',').all(is),
            Some(Value::Array(items)) => {
                !items.is_empty() && items.iter().all(|item| item.as_str().is_some_and(is))
            }
            _ => false,
        }
    }

    /// The subject as named by the issuer's `subject_claim`, and by `sub`.
    fn subjects(&self) -> impl Iterator<Item = &'a str> {
        [Some(self.sub), self.text("sub")].into_iter().flatten()
    }

    fn has_subject(&self, name: &str) -> bool {
        self.subjects().any(|sub| sub == name)
    }

    fn subject_starts(&self, prefixes: &[&str]) -> bool {
        self.subjects()
            .any(|sub| prefixes.iter().any(|prefix| sub.starts_with(prefix)))
    }

    fn subject_is_client(&self) -> bool {
        let named = CLIENT_CLAIMS.into_iter().chain(["clientId"]);
        let named = named.filter_map(|name| self.text(name));
        self.client
            .into_iter()
            .chain(named)
            .any(|client| self.has_subject(client))
    }
}

/// Hosts of providers, or their parent domains, whose application tokens always have a mark.
const MARKING: &[&str] = &[
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "sts.windows.net",
    "ciamlogin.com",
    "b2clogin.com",
    "okta.com",
    "oktapreview.com",
    "okta-emea.com",
    "auth0.com",
    "amazonaws.com",
    "accounts.google.com",
    "kinde.com",
    "asgardeo.io",
    "oraclecloud.com",
    "token.actions.githubusercontent.com",
    "gitlab.com",
    "oidc.circleci.com",
    "agent.buildkite.com",
];
/// Hosts of providers with service accounts whose tokens look like users' tokens.
const UNMARKED: &[&str] = &["zitadel.cloud"];

impl TrustedIssuer {
    /// Returns `true` if this issuer's tokens distinguish applications from users: by a configured claim, by the marks
    /// of a provider that is known by its URL, or because all its access tokens follow RFC 9068.
    pub fn tells_applications_apart(&self) -> bool {
        if self.user_claim().is_some() || !self.required_claims().is_empty() {
            return true;
        }
        let rest = self.url().split_once("://").map_or("", |(_, rest)| rest);
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = authority.split(':').next().unwrap_or_default();
        let is_of = |name: &&str| {
            let tenant = host.strip_suffix(*name);
            tenant.is_some_and(|tenant| tenant.is_empty() || tenant.ends_with('.'))
        };
        // Keycloak's issuers end with their realm
        let keycloak = path.starts_with("realms/") || path.contains("/realms/");
        keycloak
            || MARKING.iter().any(is_of)
            || (!UNMARKED.iter().any(is_of) && !self.accepts_typ(None))
    }
}
