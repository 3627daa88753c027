//! Each cell of the table of token types that says "not allowed", and each rule that refuses, once.

use super::world::{Ask, Endpoint, GROUND, at, time, url, with};
use crate::subject::{GATEWAY, NOW};
use obo_gateway::{
    policy::PolicyError,
    store::{Revocation, RevocationKey},
    token::{TokenFormat, TokenTypeUri},
    verify::{
        ActorToken, AssertionError, FamilySubject, SubjectKindOfToken, SubjectToken, VerifyError,
    },
};
use serde_json::{Value, json};

const ACCESS: TokenTypeUri = TokenTypeUri::AccessToken;
const ID: TokenTypeUri = TokenTypeUri::IdToken;

fn portal(changes: Value) -> Value {
    let portal = json!({
        "id": "portal",
        "authentication": { "method": "private_key_jwt", "jwks_file": "client.json" },
        "grants": ["token_exchange"],
        "audiences": ["aggregates", "settings"],
        "scope": { "allow": ["openid", "profile", "email", "offline_access", "read"] },
        "token_formats": ["opaque", "jwt"],
        "impersonation": { "may_act_for": "any", "subjects": ["user_id", "jwt", "access_token", "id_token"] },
        "resources": [ { "resource": "https://aggregates.example.com", "audience": "aggregates" } ],
    });
    with(portal, &changes)
}

fn users() -> Value {
    json!([
        { "id": "alice", "claims": { "email": "alice@example.com" }, "organizations": [ { "id": "acme" } ] },
        { "id": "bob", "organizations": [ { "id": "acme" } ],
          "permissions": [ { "name": "impersonate", "within": "own_organizations" } ] },
        { "id": "carol", "organizations": [ { "id": "other" } ] },
        { "id": "root", "administrator": true, "organizations": [ { "id": "acme" } ] },
    ])
}

fn endpoint(changes: Value) -> Endpoint {
    Endpoint::new(1, Some(&users()), vec![portal(changes)])
}

fn access_claims(changes: Value) -> Value {
    let claims = json!({
        "iss": url(0), "sub": "alice", "aud": ["gateway", "aggregates"], "client_id": "portal",
        "iat": at(-10), "exp": at(600), "jti": "j", "scope": "openid profile read",
    });
    with(claims, &changes)
}

fn access(changes: Value) -> String {
    GROUND.sign(Some(0), "at+jwt", &access_claims(changes))
}

fn id_token(changes: Value) -> String {
    let claims = json!({
        "iss": url(0), "sub": "alice", "aud": ["portal", "aggregates"], "azp": "portal",
        "iat": at(-10), "exp": at(600), "nonce": "n", "auth_time": at(-20), "email": "a@example.com",
    });
    GROUND.sign(Some(0), "JWT", &with(claims, &changes))
}

fn own(changes: Value) -> String {
    let claims = json!({
        "iss": GATEWAY, "sub": "alice", "aud": "aggregates", "client_id": "portal", "jti": "s.x",
        "iat": at(-10), "exp": at(600), "scope": "read",
    });
    GROUND.sign(None, "at+jwt", &with(claims, &changes))
}

fn subject(endpoint: &Endpoint, changes: Value) -> SubjectToken {
    endpoint.subject(&access(changes), ACCESS).unwrap()
}

fn actor(endpoint: &Endpoint, changes: Value) -> ActorToken {
    let bob = with(json!({ "sub": "bob", "jti": "b" }), &changes);
    endpoint.actor(&access(bob), ACCESS).unwrap()
}

fn own_jwt(changes: Value) -> String {
    let claims = json!({
        "iss": "portal", "sub": "alice", "aud": GATEWAY, "iat": at(-10), "exp": at(300),
    });
    GROUND.sign_as_client(&with(claims, &changes))
}

#[test]
fn tokens_of_types_that_are_not_taken_are_refused_as_subject_and_as_actor() {
    let endpoint = endpoint(json!({}));
    for declared in [
        TokenTypeUri::RefreshToken,
        TokenTypeUri::Saml1,
        TokenTypeUri::Saml2,
        TokenTypeUri::Jwt,
        TokenTypeUri::UserId,
    ] {
        let refused = endpoint.subject(&access(json!({})), declared);
        assert_eq!(refused.unwrap_err(), VerifyError::NotTaken, "{declared}");
        let refused = endpoint.actor(&access(json!({})), declared);
        assert_eq!(refused.unwrap_err(), VerifyError::NotTaken, "{declared}");
    }
}

#[test]
fn a_users_id_and_a_clients_own_jwt_count_with_an_actor_alone() {
    let endpoint = endpoint(json!({}));
    let bob = actor(&endpoint, json!({}));
    let user = endpoint.user("alice", &bob).unwrap();
    assert_eq!(user.kind(), SubjectKindOfToken::UserId);
    let refused = endpoint.permit(Ask::of(user)).unwrap_err();
    assert_eq!(refused, PolicyError::ActorNeeded);
    let named = endpoint.self_signed(&own_jwt(json!({})), &bob).unwrap();
    let refused = endpoint.permit(Ask::of(named)).unwrap_err();
    assert_eq!(refused, PolicyError::ActorNeeded);
}

#[test]
fn an_impersonation_by_user_id_or_own_jwt_names_the_actor_and_is_marked() {
    let endpoint = endpoint(json!({}));
    for by_jwt in [false, true] {
        let bob = actor(&endpoint, json!({}));
        let subject = if by_jwt {
            endpoint.self_signed(&own_jwt(json!({})), &bob).unwrap()
        } else {
            endpoint.user("alice", &bob).unwrap()
        };
        let permitted = endpoint.permit(Ask {
            actor: Some(bob),
            scope: Some("openid email read".into()),
            ..Ask::of(subject)
        });
        let permitted = permitted.unwrap();
        assert_eq!(permitted.sub(), "alice");
        assert_eq!(permitted.audience().as_str(), "aggregates");
        assert_eq!(permitted.scope().to_string(), "email openid read");
        assert!(permitted.provenance().impersonated);
        let impersonation = permitted.impersonation().unwrap();
        assert_eq!(&*impersonation.user_id, "bob");
        assert_eq!(*impersonation.issuer, *url(0));
        assert_eq!(permitted.actors().depth(), 1);
        assert_eq!(permitted.profile()["email"], "alice@example.com");
        assert!(permitted.claims().is_empty(), "nobody authenticated");
    }
}

#[test]
fn a_token_is_held_against_the_type_that_was_declared_for_it() {
    let endpoint = endpoint(json!({}));
    let at_jwt = access(json!({}));
    let scoped = GROUND.sign(Some(0), "JWT", &access_claims(json!({})));
    let bearer = GROUND.sign(Some(0), "JWT", &access_claims(json!({ "typ": "Bearer" })));
    let cognito = id_token(json!({ "token_use": "access" }));
    for token in [at_jwt, scoped, bearer, cognito] {
        let refused = endpoint.subject(&token, ID).unwrap_err();
        assert_eq!(refused, VerifyError::NotAnIdToken);
    }
    for changes in [
        json!({ "aud": "gateway" }),
        json!({ "aud": "gateway", "typ": "ID" }),
        json!({ "aud": "gateway", "token_use": "id" }),
    ] {
        let refused = endpoint.subject(&id_token(changes.clone()), ACCESS);
        assert_eq!(
            refused.unwrap_err(),
            VerifyError::NotAnAccessToken,
            "{changes}"
        );
    }
    for changes in [
        json!({}),
        json!({ "typ": "ID" }),
        json!({ "token_use": "id" }),
    ] {
        let subject = endpoint.subject(&id_token(changes.clone()), ID).unwrap();
        assert_eq!(subject.kind(), SubjectKindOfToken::IdToken, "{changes}");
        assert!(subject.scopes().is_empty());
    }
}

#[test]
fn an_id_token_that_is_old_or_another_partys_is_refused() {
    let endpoint = endpoint(json!({}));
    for (changes, error) in [
        (json!({ "exp": at(0) }), VerifyError::Expired),
        (json!({ "aud": "other" }), VerifyError::Audience),
        (
            json!({ "cnf": { "jkt": "x" } }),
            VerifyError::SenderConstrained,
        ),
    ] {
        let refused = endpoint.subject(&id_token(changes.clone()), ID);
        assert_eq!(refused.unwrap_err(), error, "{changes}");
    }
    assert!(
        endpoint
            .subject(&id_token(json!({ "iat": null })), ID)
            .is_err()
    );
}

#[test]
fn a_token_bound_to_a_key_is_laundered_in_no_role() {
    let endpoint = endpoint(json!({}));
    let bound = access(json!({ "cnf": { "jkt": "x" } }));
    let refused = endpoint.subject(&bound, ACCESS).unwrap_err();
    assert_eq!(refused, VerifyError::SenderConstrained);
    let refused = endpoint.actor(&bound, ACCESS).unwrap_err();
    assert_eq!(refused, VerifyError::SenderConstrained);
}

#[test]
fn the_gateways_own_tokens_are_for_clients_that_may_exchange_them() {
    let refusing = endpoint(json!({}));
    let refused = refusing.subject(&own(json!({})), ACCESS).unwrap_err();
    assert_eq!(refused, VerifyError::SelfIssued);
    let taking = endpoint(json!({ "chain": { "accept_own": true } }));
    let subject = taking.subject(&own(json!({})), ACCESS).unwrap();
    assert_eq!(subject.issuer_url(), url(0));
    assert!(taking.permit(Ask::of(subject)).is_ok());
    let anothers = own(json!({ "client_id": "other" }));
    let subject = taking.subject(&anothers, ACCESS).unwrap();
    let refused = taking.permit(Ask::of(subject)).unwrap_err();
    assert_eq!(refused, PolicyError::NotThisClientsToken);
}

#[test]
fn a_token_got_by_impersonation_is_no_actors_and_what_comes_of_it_stays_marked() {
    let endpoint = endpoint(json!({ "chain": { "accept_own": true } }));
    for jti in ["si.x", "sai.x"] {
        let token = own(json!({ "jti": jti }));
        let refused = endpoint.actor(&token, ACCESS).unwrap_err();
        assert_eq!(refused, VerifyError::Impersonated, "{jti}");
        let subject = endpoint.subject(&token, ACCESS).unwrap();
        let permitted = endpoint.permit(Ask::of(subject)).unwrap();
        assert!(permitted.provenance().impersonated, "{jti}");
    }
}

#[test]
fn a_pseudonym_is_no_actors_name_and_no_subjects() {
    let endpoint = endpoint(json!({ "chain": { "accept_own": true } }));
    let token = own(json!({ "jti": "p.x" }));
    assert_eq!(
        endpoint.actor(&token, ACCESS).unwrap_err(),
        VerifyError::Origin
    );
    let subject = endpoint.subject(&token, ACCESS).unwrap();
    let refused = endpoint.permit(Ask::of(subject)).unwrap_err();
    assert_eq!(refused, PolicyError::SubjectNotExpressible);
}

#[test]
fn a_user_has_to_be_in_the_directory_and_known_to_a_trusted_issuer() {
    let one = endpoint(json!({}));
    let bob = actor(&one, json!({}));
    assert_eq!(
        one.user("mallory", &bob).unwrap_err(),
        VerifyError::UserUnknown
    );
    let none = Endpoint::new(1, None, vec![portal(json!({ "impersonation": null }))]);
    let bob = actor(&none, json!({}));
    assert_eq!(
        none.user("alice", &bob).unwrap_err(),
        VerifyError::UserUnknown
    );
    let users = json!([{ "id": "alice" }, { "id": "corp:alice" }, { "id": "gone:alice" }]);
    let two = Endpoint::new(2, Some(&users), vec![portal(json!({}))]);
    let bob = actor(&two, json!({}));
    for id in ["alice", "gone:alice", "corp:"] {
        assert_eq!(
            two.user(id, &bob).unwrap_err(),
            VerifyError::UserUnknown,
            "{id}"
        );
    }
    let alice = two.user("corp:alice", &bob).unwrap();
    assert_eq!((alice.issuer_name(), alice.sub()), ("corp", "alice"));
}

#[test]
fn a_clients_own_jwt_is_its_own_current_and_for_the_gateway_alone() {
    let endpoint = endpoint(json!({}));
    let bob = actor(&endpoint, json!({}));
    let refused = |changes: Value| endpoint.self_signed(&own_jwt(changes), &bob).unwrap_err();
    for (changes, error) in [
        (json!({ "iss": "other" }), AssertionError::Issuer),
        (json!({ "aud": "other" }), AssertionError::Audience),
        (
            json!({ "aud": [GATEWAY, "other"] }),
            AssertionError::Audience,
        ),
        (json!({ "exp": at(0) }), AssertionError::Expired),
        (
            json!({ "iat": at(0), "exp": at(3_700) }),
            AssertionError::LivesTooLong,
        ),
    ] {
        assert_eq!(
            refused(changes.clone()),
            VerifyError::Assertion(error),
            "{changes}"
        );
    }
    let foreign = GROUND.sign(
        Some(0),
        "JWT",
        &json!({
            "iss": "portal", "sub": "alice", "aud": GATEWAY, "iat": at(-10), "exp": at(300),
        }),
    );
    let error = endpoint.self_signed(&foreign, &bob).unwrap_err();
    assert_eq!(error, VerifyError::Assertion(AssertionError::Key));
    let once = own_jwt(json!({ "jti": "once" }));
    assert!(endpoint.self_signed(&once, &bob).is_ok());
    let error = endpoint.self_signed(&once, &bob).unwrap_err();
    assert_eq!(error, VerifyError::Assertion(AssertionError::Replayed));
    let without = own_jwt(json!({}));
    assert!(endpoint.self_signed(&without, &bob).is_ok());
    assert!(
        endpoint.self_signed(&without, &bob).is_ok(),
        "jti is optional"
    );
}

#[test]
fn what_a_client_says_of_a_user_in_its_own_jwt_is_not_believed() {
    let endpoint = endpoint(json!({ "impersonation": null }));
    let bob = actor(&endpoint, json!({}));
    let claims = json!({ "may_act": { "sub": "bob" }, "scope": "read", "auth_time": at(-5), "act": { "sub": "x" } });
    let named = endpoint.self_signed(&own_jwt(claims), &bob).unwrap();
    assert!(named.scopes().is_empty() && named.may_act().is_none());
    assert_eq!(named.actor_chain().depth(), 0);
    let refused = endpoint.permit(Ask {
        actor: Some(bob),
        ..Ask::of(named)
    });
    assert_eq!(refused.unwrap_err(), PolicyError::ImpersonationNotAllowed);
}

#[test]
fn a_client_exchanges_its_own_tokens_and_those_of_clients_it_may_take() {
    let other = json!({ "client_id": "other" });
    let refused = |changes: Value| {
        let endpoint = endpoint(changes);
        let subject = subject(&endpoint, other.clone());
        endpoint.permit(Ask::of(subject)).err()
    };
    let not_own = Some(PolicyError::NotThisClientsToken);
    assert_eq!(refused(json!({})), not_own);
    assert_eq!(refused(json!({ "subjects_of": ["web"] })), not_own);
    assert_eq!(refused(json!({ "subjects_of": ["other"] })), None);
    assert_eq!(refused(json!({ "subjects_of": "any" })), None);
    let endpoint = endpoint(json!({}));
    let addressed = json!({ "client_id": "other", "aud": ["gateway", "portal", "settings"] });
    assert!(
        endpoint
            .permit(Ask::of(subject(&endpoint, addressed)))
            .is_ok()
    );
    let nobodys = subject(&endpoint, json!({ "client_id": null }));
    assert_eq!(endpoint.permit(Ask::of(nobodys)).err(), not_own);
    let alice = subject(&endpoint, json!({}));
    let actor = Some(actor(&endpoint, json!({ "client_id": "other" })));
    assert_eq!(
        endpoint
            .permit(Ask {
                actor,
                ..Ask::of(alice)
            })
            .err(),
        not_own
    );
}

#[test]
fn a_target_that_the_client_may_not_have_is_refused_whole() {
    let endpoint = endpoint(json!({}));
    let ask = |audience: &[&'static str], resource: &[&'static str]| {
        let (audience, resource) = (audience.to_vec(), resource.to_vec());
        let permitted = endpoint.permit(Ask {
            audience,
            resource,
            ..Ask::of(subject(&endpoint, json!({})))
        });
        permitted.map(|permitted| {
            let names = permitted.audiences().iter().map(ToString::to_string);
            names.collect::<Vec<_>>().join(" ")
        })
    };
    let refused = Err(PolicyError::TargetNotAllowed);
    assert_eq!(ask(&[], &[]), Ok("aggregates".into()));
    assert_eq!(
        ask(&["settings", "aggregates"], &[]),
        Ok("settings aggregates".into())
    );
    assert_eq!(ask(&["settings", "settings"], &[]), Ok("settings".into()));
    assert_eq!(
        ask(&[], &["https://aggregates.example.com"]),
        Ok("aggregates".into())
    );
    assert_eq!(ask(&["aggregates", "gateway"], &[]), refused);
    assert_eq!(
        ask(&["aggregates"], &["https://aggregates.example.com/"]),
        refused
    );
    let nowhere = subject(&endpoint, json!({ "aud": "gateway" }));
    assert_eq!(
        endpoint.permit(Ask::of(nowhere)).map(|_| ()),
        refused.clone().map(|_: String| ())
    );
}

#[test]
fn with_from_tokens_an_audience_has_to_be_in_a_token_already() {
    let endpoint = endpoint(json!({ "audience_rule": "from_tokens" }));
    let ask = |actor: Option<ActorToken>| {
        let alice = subject(&endpoint, json!({ "aud": ["gateway", "aggregates"] }));
        let audience = vec!["settings"];
        endpoint
            .permit(Ask {
                actor,
                audience,
                ..Ask::of(alice)
            })
            .err()
    };
    assert_eq!(ask(None), Some(PolicyError::TargetNotAllowed));
    let itself = |aud: &[&str]| Some(actor(&endpoint, json!({ "sub": "alice", "aud": aud })));
    assert_eq!(
        ask(itself(&["gateway"])),
        Some(PolicyError::TargetNotAllowed)
    );
    assert_eq!(ask(itself(&["gateway", "settings"])), None);
}

#[test]
fn scope_is_never_more_than_held_and_allowed() {
    let ask = |excess: &str, held: &str, scope: Option<&str>| {
        let scopes =
            json!({ "allow": ["openid", "profile", "email", "read", "write"], "excess": excess });
        let endpoint = endpoint(json!({ "scope": scopes }));
        let permitted = endpoint.permit(Ask {
            scope: scope.map(str::to_owned),
            ..Ask::of(subject(&endpoint, json!({ "scope": held })))
        });
        permitted
            .map(|permitted| permitted.scope().to_string())
            .map_err(|error| {
                matches!(
                    error,
                    PolicyError::ScopeExceeds { .. } | PolicyError::NoScopeLeft { .. }
                )
            })
    };
    assert_eq!(ask("refuse", "read admin", None), Ok("read".into()));
    assert_eq!(ask("refuse", "admin", None), Err(true));
    assert_eq!(ask("refuse", "", None), Ok(String::new()));
    assert_eq!(ask("refuse", "read admin", Some("read")), Ok("read".into()));
    assert_eq!(ask("refuse", "read admin", Some("read write")), Err(true));
    assert_eq!(ask("refuse", "read admin", Some("read admin")), Err(true));
    assert_eq!(
        ask("drop", "read admin", Some("read write admin")),
        Ok("read".into())
    );
    assert_eq!(ask("drop", "read admin", Some("write")), Err(true));
    assert_eq!(
        ask("refuse", "read admin", Some("__myscopes__")),
        Ok("read".into())
    );
    assert_eq!(ask("refuse", "admin", Some("__myscopes__")), Err(true));
    assert_eq!(
        ask("refuse", "read", Some("email")),
        Err(true),
        "an access token says what it holds"
    );
}

#[test]
fn a_form_that_the_client_may_not_have_is_refused() {
    let endpoint = endpoint(json!({}));
    let format = TokenFormat::IdToken;
    let refused = endpoint.permit(Ask {
        format,
        ..Ask::of(subject(&endpoint, json!({})))
    });
    assert_eq!(refused.unwrap_err(), PolicyError::FormatNotAllowed);
    assert_eq!(endpoint.client().access_format(), Some(TokenFormat::Opaque));
}

#[test]
fn may_act_has_to_name_whoever_acts() {
    let endpoint = endpoint(json!({ "impersonation": null }));
    let without = |may_act: Value| {
        let subject = subject(&endpoint, json!({ "may_act": may_act }));
        endpoint.permit(Ask::of(subject)).is_ok()
    };
    assert!(without(json!({ "sub": "portal" })));
    assert!(without(json!({ "sub": "portal", "iss": url(0) })));
    assert!(without(json!({ "sub": "portal", "iss": GATEWAY })));
    for other in [
        json!({ "sub": "other" }),
        json!({ "sub": "portal", "iss": url(1) }),
        json!({}),
        json!("portal"),
    ] {
        assert!(!without(other.clone()), "{other}");
    }
    let together = |may_act: Value, sub: &str| {
        let subject = subject(&endpoint, json!({ "may_act": may_act }));
        let actor = Some(actor(&endpoint, json!({ "sub": sub })));
        endpoint.permit(Ask {
            actor,
            ..Ask::of(subject)
        })
    };
    let permitted = together(json!({ "sub": "bob" }), "bob").unwrap();
    assert!(permitted.impersonation().is_none() && !permitted.provenance().impersonated);
    assert_eq!(&*permitted.actors().current().unwrap().sub, "bob");
    for (may_act, sub) in [
        (json!({ "sub": "bob", "iss": url(1) }), "bob"),
        (json!({ "sub": "portal" }), "bob"),
        (json!({ "sub": "bob" }), "carol"),
        (json!({ "sub": "bob" }), "alice"),
    ] {
        let refused = together(may_act.clone(), sub).unwrap_err();
        assert_eq!(refused, PolicyError::NotAuthorizedActor, "{may_act} {sub}");
    }
}

#[test]
fn an_impersonation_needs_the_client_and_the_directory() {
    let refused = |changes: Value, subject_changes: Value, by: &str| {
        let endpoint = endpoint(changes);
        let subject = subject(&endpoint, subject_changes);
        let actor = Some(actor(&endpoint, json!({ "sub": by })));
        endpoint
            .permit(Ask {
                actor,
                ..Ask::of(subject)
            })
            .err()
    };
    let not_allowed = Some(PolicyError::ImpersonationNotAllowed);
    assert_eq!(refused(json!({}), json!({}), "bob"), None);
    assert_eq!(refused(json!({}), json!({}), "alice"), None, "oneself");
    assert_eq!(
        refused(json!({}), json!({}), "carol"),
        not_allowed,
        "no permission"
    );
    assert_eq!(
        refused(json!({}), json!({ "sub": "carol" }), "bob"),
        not_allowed,
        "another organization"
    );
    assert_eq!(
        refused(json!({}), json!({ "sub": "root" }), "bob"),
        not_allowed,
        "an administrator"
    );
    let unknown = Some(PolicyError::UserUnknown);
    assert_eq!(refused(json!({}), json!({}), "mallory"), unknown);
    assert_eq!(
        refused(json!({}), json!({ "sub": "mallory" }), "bob"),
        unknown
    );
    assert_eq!(
        refused(json!({ "impersonation": null }), json!({}), "bob"),
        not_allowed
    );
    let only = |what: Value| json!({ "impersonation": what });
    let by_id = only(json!({ "may_act_for": "any", "subjects": ["user_id"] }));
    assert_eq!(
        refused(by_id, json!({}), "bob"),
        not_allowed,
        "another kind of subject"
    );
    let for_carol = only(json!({ "may_act_for": ["carol"], "subjects": ["access_token"] }));
    assert_eq!(
        refused(for_carol, json!({}), "bob"),
        not_allowed,
        "another subject"
    );
}

#[test]
fn a_chain_holds_everybody_and_eight_at_most() {
    let endpoint = endpoint(json!({}));
    let nested = |names: &[&str]| {
        let chain = names.iter().rev().fold(Value::Null, |inner, name| {
            with(json!({ "sub": name }), &json!({ "act": inner }))
        });
        json!({ "act": chain })
    };
    let ask = |subject_chain: &[&str], actor_chain: &[&str]| {
        let subject = subject(&endpoint, nested(subject_chain));
        let actor = Some(actor(&endpoint, nested(actor_chain)));
        endpoint.permit(Ask {
            actor,
            ..Ask::of(subject)
        })
    };
    let permitted = ask(&["s1", "s2"], &["a1"]).unwrap();
    let named: Vec<&str> = permitted.actors().iter().map(|actor| &*actor.sub).collect();
    assert_eq!(named, ["bob", "a1", "s1", "s2"]);
    assert!(ask(&["1", "2", "3", "4"], &["5", "6", "7"]).is_ok());
    let too_deep = PolicyError::ActorChainTooDeep {
        depth: 9,
        allowed: 8,
    };
    assert_eq!(
        ask(&["1", "2", "3", "4"], &["5", "6", "7", "8"]).unwrap_err(),
        too_deep
    );
}

#[test]
fn a_token_ends_with_the_first_of_its_bounds() {
    let ends = |lifetime: &str, subject_exp: i64, actor_exp: i64| {
        let endpoint = endpoint(json!({ "lifetime": lifetime }));
        let subject = subject(&endpoint, json!({ "exp": at(subject_exp) }));
        let actor = Some(actor(&endpoint, json!({ "exp": at(actor_exp) })));
        endpoint
            .permit(Ask {
                actor,
                ..Ask::of(subject)
            })
            .unwrap()
            .expires_at()
    };
    assert_eq!(ends("60s", 100, 200), time(60));
    assert_eq!(ends("300s", 100, 200), time(100));
    assert_eq!(ends("300s", 200, 100), time(100));
}

#[test]
fn what_is_revoked_ends_what_comes_of_it() {
    let sid = json!({ "sid": "s1" });
    for key in [
        RevocationKey::token(&url(0), "j"),
        RevocationKey::subject(&url(0), "alice"),
        RevocationKey::session(&url(0), "s1"),
        RevocationKey::client("portal"),
    ] {
        let endpoint = endpoint(json!({}));
        let permitted = endpoint
            .permit(Ask::of(subject(&endpoint, sid.clone())))
            .unwrap();
        assert!(!endpoint.revocations.ends(permitted.lineage()));
        endpoint
            .revocations
            .insert([Revocation::of_all(key, NOW, time(1_000))]);
        assert!(endpoint.revocations.ends(permitted.lineage()), "{key:?}");
        let refused = endpoint.subject(&access(sid.clone()), ACCESS).unwrap_err();
        assert_eq!(refused, VerifyError::Revoked, "{key:?}");
    }
}

#[test]
fn an_actor_that_is_revoked_acts_no_more_and_what_it_did_ends() {
    let endpoint = endpoint(json!({}));
    let bob = actor(&endpoint, json!({}));
    let subject = endpoint.user("alice", &bob).unwrap();
    let permitted = endpoint
        .permit(Ask {
            actor: Some(bob),
            ..Ask::of(subject)
        })
        .unwrap();
    let key = RevocationKey::actor(&url(0), "bob");
    endpoint
        .revocations
        .insert([Revocation::of_earlier(key, NOW, time(1_000))]);
    assert!(endpoint.revocations.ends(permitted.lineage()));
    let token = access(json!({ "sub": "bob" }));
    assert_eq!(
        endpoint.actor(&token, ACCESS).unwrap_err(),
        VerifyError::Revoked
    );
    assert!(
        endpoint.subject(&token, ACCESS).is_ok(),
        "bob himself is not revoked"
    );
    let acted = json!({ "act": { "iss": url(0), "sub": "bob" } });
    assert_eq!(
        endpoint.subject(&access(acted), ACCESS).unwrap_err(),
        VerifyError::Revoked
    );
}

fn family(endpoint: &Endpoint) -> FamilySubject {
    let bob = actor(endpoint, json!({}));
    let subject = endpoint.user("alice", &bob).unwrap();
    let permitted = endpoint.permit(Ask {
        actor: Some(bob),
        ..Ask::of(subject)
    });
    permitted.unwrap().family(time(10_000))
}

#[test]
fn a_family_goes_on_with_what_was_granted_and_asks_again() {
    let granting = endpoint(json!({}));
    let family = family(&granting);
    let stored = serde_json::to_string(&family).unwrap();
    let family: FamilySubject = serde_json::from_str(&stored).unwrap();
    let subject = granting.verifier.family(family.clone()).unwrap();
    assert_eq!(subject.kind(), SubjectKindOfToken::Refresh);
    let permitted = granting.permit(Ask::of(subject)).unwrap();
    assert_eq!(permitted.sub(), "alice");
    assert_eq!(permitted.audience().as_str(), "aggregates");
    assert_eq!(&*permitted.actors().current().unwrap().sub, "bob");
    assert!(permitted.provenance().impersonated);
    assert_eq!(
        permitted.family(time(10_000)),
        family,
        "a second refresh token keeps all"
    );
    let wider = granting.verifier.family(family.clone()).unwrap();
    let wider = granting.permit(Ask {
        scope: Some("email".into()),
        ..Ask::of(wider)
    });
    assert!(matches!(wider, Err(PolicyError::ScopeExceeds { .. })));

    let mut bob_lost_it = users();
    bob_lost_it[1]["permissions"] = json!([]);
    let later = Endpoint::new(1, Some(&bob_lost_it), vec![portal(json!({}))]);
    let subject = later.verifier.family(family.clone()).unwrap();
    let refused = later.permit(Ask::of(subject)).unwrap_err();
    assert_eq!(refused, PolicyError::ImpersonationNotAllowed);
}

#[test]
fn a_family_ends_with_its_time_its_issuer_its_client_and_its_revocation() {
    let endpoint = endpoint(json!({}));
    let family = family(&endpoint);
    let ended = FamilySubject {
        expires_at: at(0),
        ..family.clone()
    };
    assert_eq!(
        endpoint.verifier.family(ended).unwrap_err(),
        VerifyError::Expired
    );
    let gone = FamilySubject {
        issuer: url(1),
        ..family.clone()
    };
    assert_eq!(
        endpoint.verifier.family(gone).unwrap_err(),
        VerifyError::UnknownIssuer
    );
    let anothers = FamilySubject {
        client_id: "other".into(),
        ..family.clone()
    };
    let subject = endpoint.verifier.family(anothers).unwrap();
    let refused = endpoint.permit(Ask::of(subject)).unwrap_err();
    assert_eq!(refused, PolicyError::NotThisClientsToken);
    let key = RevocationKey::actor(&url(0), "bob");
    endpoint
        .revocations
        .insert([Revocation::of_earlier(key, NOW, time(1_000))]);
    assert_eq!(
        endpoint.verifier.family(family).unwrap_err(),
        VerifyError::Revoked
    );
}

#[test]
fn how_an_actor_authenticated_is_never_told() {
    let endpoint = endpoint(json!({}));
    let subject = subject(&endpoint, json!({ "auth_time": at(-99) }));
    let actor = Some(actor(
        &endpoint,
        json!({ "auth_time": at(-1), "amr": ["pwd"] }),
    ));
    let permitted = endpoint
        .permit(Ask {
            actor,
            ..Ask::of(subject)
        })
        .unwrap();
    assert_eq!(permitted.claims()["auth_time"], at(-99));
    assert!(!permitted.claims().contains_key("amr"));
}
