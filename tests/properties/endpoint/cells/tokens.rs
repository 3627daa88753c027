//! Tokens that cannot be a subject token or an actor token.

use super::*;

#[test]
fn tokens_of_types_that_are_not_taken_are_refused_as_subject_and_as_actor() {
    let endpoint = endpoint(json!({}));
    for declared in [
        TokenTypeUri::RefreshToken,
        TokenTypeUri::Saml1,
        TokenTypeUri::Saml2,
        TokenTypeUri::UserId,
    ] {
        let refused = endpoint.subject(&access(json!({})), declared);
        assert_eq!(refused.unwrap_err(), VerifyError::NotTaken, "{declared}");
        let refused = endpoint.actor(&access(json!({})), declared);
        assert_eq!(refused.unwrap_err(), VerifyError::NotTaken, "{declared}");
    }
}

#[test]
fn a_jwt_is_an_access_token_and_nothing_that_is_none() {
    let endpoint = endpoint(json!({ "chain": { "accept_own": true } }));
    let verify = |token: &str| endpoint.subject(token, TokenTypeUri::Jwt);
    let subject = verify(&access(json!({}))).unwrap();
    assert_eq!(subject.kind(), SubjectKindOfToken::AccessToken);
    assert!(verify(&own(json!({}))).is_ok(), "one of the gateway's own");
    let opaque = verify("oboat_AAAA").unwrap_err();
    assert_eq!(opaque, VerifyError::NotTaken);
    let identity = verify(&id_token(json!({ "aud": ["gateway", "portal"] }))).unwrap_err();
    assert_eq!(identity, VerifyError::NotAnAccessToken);
    let own = verify(&own_jwt(json!({}))).unwrap_err();
    assert_eq!(own, VerifyError::UnknownIssuer, "what the client signs");
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
        assert!(permitted.claims().is_empty(), "no user signed in");
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
