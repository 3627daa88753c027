//! Two issuers, and clients that accept one of them or both.

use super::*;

fn users() -> Value {
    json!([
        { "id": "corp:alice", "organizations": [ { "id": "acme" } ], "claims": { "email": "a@corp.example" } },
        { "id": "corp:bob", "organizations": [ { "id": "acme" } ], "permissions": [ { "name": "impersonate" } ] },
        { "id": "partner:bob", "organizations": [ { "id": "acme" } ], "permissions": [ { "name": "impersonate" } ] },
        { "id": "partner:alice", "organizations": [ { "id": "acme" } ] },
    ])
}

/// A client with these keys, and a second one that accepts both issuers, so that user ids are `<issuer>:<sub>`.
fn beside_another(changes: Value) -> Endpoint {
    let other = with(
        portal(json!({ "impersonation": null })),
        &json!({ "id": "other" }),
    );
    Endpoint::new(2, Some(&users()), vec![portal(changes), other])
}

fn of(provider: usize, sub: &str) -> String {
    let claims = access_claims(json!({ "iss": url(provider), "sub": sub }));
    GROUND.sign(Some(provider), "at+jwt", &claims)
}

#[test]
fn a_client_is_given_subjects_of_the_issuers_that_it_accepts_and_of_no_other() {
    for (accepts, subject, corp, partner) in [
        (
            json!(null),
            json!(null),
            Some("corp:alice"),
            Some("partner:alice"),
        ),
        (json!(["corp"]), json!(null), Some("alice"), None),
        (json!(["partner"]), json!(null), None, Some("alice")),
        (json!(["corp"]), json!("same"), Some("alice"), None),
        (
            json!(["corp"]),
            json!("qualified"),
            Some("corp:alice"),
            None,
        ),
        (
            json!(["corp", "partner"]),
            json!(null),
            Some("corp:alice"),
            Some("partner:alice"),
        ),
    ] {
        let endpoint = beside_another(json!({ "accepts": accepts, "subject": subject }));
        for (provider, expected) in [corp, partner].into_iter().enumerate() {
            let told = match endpoint.subject(&of(provider, "alice"), ACCESS) {
                Ok(subject) => Some(endpoint.permit(Ask::of(subject)).unwrap().sub().to_owned()),
                Err(error) => {
                    assert_eq!(error, VerifyError::UnknownIssuer);
                    None
                }
            };
            assert_eq!(told.as_deref(), expected, "{accepts} {subject} {provider}");
            let id_token = with(
                json!({
                    "iss": url(provider), "sub": "alice", "aud": "portal", "azp": "portal",
                    "iat": at(-10), "exp": at(600), "nonce": "n",
                }),
                &json!({}),
            );
            let id_token = GROUND.sign(Some(provider), "JWT", &id_token);
            let (identity, jwt) = (
                endpoint.subject(&id_token, ID),
                endpoint.subject(&of(provider, "alice"), TokenTypeUri::Jwt),
            );
            assert_eq!(identity.is_ok(), expected.is_some(), "{accepts}");
            assert_eq!(jwt.is_ok(), expected.is_some(), "{accepts}");
            let actor = endpoint.actor(&of(provider, "bob"), ACCESS);
            assert_eq!(actor.is_ok(), expected.is_some(), "{accepts}");
        }
    }
}

#[test]
fn a_token_of_the_gateways_own_opens_no_way_to_an_issuer_that_is_not_accepted() {
    let named = |sub: &str, jti: &str| own(json!({ "sub": sub, "jti": jti }));
    let chained = json!({ "chain": { "accept_own": true }, "accepts": ["corp"] });
    let endpoint = beside_another(chained);
    let verify = |token: String| endpoint.subject(&token, ACCESS).map(|_| ());
    assert_eq!(verify(named("corp:alice", "q.x")), Ok(()));
    let origin = Err(VerifyError::Origin);
    assert_eq!(verify(named("partner:alice", "q.x")), origin);
    assert_eq!(
        verify(named("alice", "s.x")),
        origin,
        "whose it is cannot be said"
    );
    assert_eq!(verify(named("3f5c", "p.x")), origin, "nor of a pseudonym");
}

#[test]
fn a_family_ends_where_its_issuer_is_not_accepted_any_more() {
    let all = beside_another(json!({}));
    let subject = all.subject(&of(1, "alice"), ACCESS).unwrap();
    let family = all.permit(Ask::of(subject)).unwrap().family(time(10_000));
    assert!(all.family(family.clone()).is_ok());
    let partner = beside_another(json!({ "accepts": ["partner"] }));
    assert!(partner.family(family.clone()).is_ok());
    let corp = beside_another(json!({ "accepts": ["corp"] }));
    assert_eq!(corp.family(family).unwrap_err(), VerifyError::UnknownIssuer);
}

#[test]
fn an_impersonator_whose_issuer_is_not_accepted_any_more_is_not_permitted() {
    let all = beside_another(json!({}));
    let bob = all.actor(&of(1, "bob"), ACCESS).unwrap();
    let subject = all.user("corp:alice", &bob).unwrap();
    let asked = Ask {
        actor: Some(bob),
        ..Ask::of(subject)
    };
    let family = all.permit(asked).unwrap().family(time(10_000));
    let again = |endpoint: &Endpoint| {
        let subject = endpoint.family(family.clone()).unwrap();
        endpoint.permit(Ask::of(subject)).map(|_| ())
    };
    assert_eq!(again(&all), Ok(()));
    let corp = beside_another(json!({ "accepts": ["corp"] }));
    assert_eq!(again(&corp), Err(PolicyError::ImpersonationNotAllowed));
}

#[test]
fn a_client_of_one_issuer_may_leave_its_name_out_where_it_names_users() {
    let named = |accepts: Value, may_act_for: Value, id: &str| {
        let impersonation = json!({ "may_act_for": may_act_for, "subjects": ["user_id"] });
        let endpoint =
            beside_another(json!({ "accepts": accepts, "impersonation": impersonation }));
        let bob = endpoint.actor(&of(0, "bob"), ACCESS).unwrap();
        let subject = endpoint.user(id, &bob).ok()?;
        let issuer = subject.issuer_url().to_owned();
        let asked = Ask {
            actor: Some(bob),
            ..Ask::of(subject)
        };
        let permitted = endpoint.permit(asked).ok()?;
        Some((issuer, permitted.sub().to_owned()))
    };
    let (one, both) = (json!(["corp"]), json!(null));
    let alice = |sub: &str| Some((url(0), sub.to_owned()));
    for id in ["alice", "corp:alice"] {
        assert_eq!(named(one.clone(), json!("any"), id), alice("alice"), "{id}");
        for may_act_for in [json!(["alice"]), json!(["corp:alice"])] {
            assert_eq!(named(one.clone(), may_act_for, id), alice("alice"), "{id}");
        }
        assert_eq!(named(one.clone(), json!(["partner:alice"]), id), None);
        assert_eq!(named(one.clone(), json!(["bob"]), id), None);
    }
    assert_eq!(named(one.clone(), json!("any"), "partner:alice"), None);
    assert_eq!(named(one.clone(), json!("any"), "corp:"), None);
    assert_eq!(named(one, json!("any"), "nobody"), None);
    assert_eq!(
        named(both.clone(), json!("any"), "corp:alice"),
        alice("corp:alice")
    );
    assert_eq!(
        named(both.clone(), json!(["corp:alice"]), "corp:alice"),
        alice("corp:alice")
    );
    assert_eq!(named(both.clone(), json!(["alice"]), "corp:alice"), None);
    assert_eq!(named(both, json!("any"), "alice"), None);
}

#[test]
fn where_all_clients_accept_one_issuer_the_directory_needs_no_names_of_issuers() {
    let clients = vec![portal(json!({ "accepts": ["corp"] }))];
    let endpoint = Endpoint::new(2, Some(&super::users()), clients);
    let bob = endpoint.actor(&of(0, "bob"), ACCESS).unwrap();
    let subject = endpoint.user("alice", &bob).unwrap();
    let asked = Ask {
        actor: Some(bob),
        ..Ask::of(subject)
    };
    assert_eq!(endpoint.permit(asked).unwrap().sub(), "alice");
}
