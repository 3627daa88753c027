//! Scope, audience, actors and details.

use super::{accept, granted, jwt, opaque, refused, scope};
use crate::{
    exchangers::{
        scripted::{PROVIDER, profile},
        situations::Situation,
    },
    properties::subject::{GATEWAY, NOW},
};
use obo_gateway::{
    exchange::{ActorRule, AttenuationError, ProviderProfile, TokenResponse},
    store::RevocationKey,
    token::{Audience, ScopeSet},
};
use serde_json::{Value, json};

#[test]
fn what_the_response_does_not_say_is_what_the_standards_say_and_nothing_else() {
    let issued = granted(opaque());
    assert_eq!(*issued.scope(), scope("orders.read"));
    assert_eq!(issued.expires_at().as_secs(), NOW.as_secs() + 60);
    assert!(issued.may_be_cached());
    assert_eq!((issued.claims(), issued.id()), (None, None));
    let own = RevocationKey::token_bytes(issued.token());
    assert!(issued.lineage().keys().contains(&own));

    let issued = granted(jwt(json!({})));
    assert_eq!(issued.id(), Some("7"));
    let keys = issued.lineage().keys();
    assert!(keys.contains(&RevocationKey::token(PROVIDER, "7")));
    assert!(keys.contains(&RevocationKey::signing_key(PROVIDER, "k")));
    assert!(keys.contains(&RevocationKey::client("web")));
}

#[test]
fn more_scope_is_refused_in_the_member_in_the_token_and_in_both() {
    let wider = |response| TokenResponse {
        scope: Some(scope("orders.read orders.write")),
        ..response
    };
    refused(wider(opaque()), AttenuationError::Scope);
    refused(wider(jwt(json!({}))), AttenuationError::Scope);
    for claims in [
        json!({ "scope": "orders.read orders.write" }),
        json!({ "scope": ["orders.read", "orders.write"] }),
        json!({ "scope": ["orders.read orders.write"] }),
        json!({ "scp": "orders.write" }),
        json!({ "scp": ["orders.read", "orders.write"] }),
        json!({ "scope": "orders.read  orders.read" }),
        json!({ "scope": "Orders.Read" }),
        json!({ "scope": 7 }),
        json!({ "scope": { "orders.read": true } }),
    ] {
        refused(jwt(claims.clone()), AttenuationError::Scope);
        refused(wider(jwt(claims)), AttenuationError::Scope);
    }
}

#[test]
fn less_scope_and_tolerated_scope_are_accepted_and_recorded() {
    let said = |text| TokenResponse {
        scope: Some(scope(text)),
        ..opaque()
    };
    for text in ["", "orders.read", "profile", "orders.read profile"] {
        assert_eq!(*granted(said(text)).scope(), scope(text));
        assert_eq!(*granted(jwt(json!({ "scope": text }))).scope(), scope(text));
    }
    // what the API reads is what counts
    let both = TokenResponse {
        scope: Some(scope("orders.read")),
        ..jwt(json!({ "scope": "profile" }))
    };
    assert_eq!(*granted(both).scope(), scope("profile"));
    let strict = ProviderProfile {
        tolerates: ScopeSet::empty(),
        ..profile()
    };
    let accepted = accept(&Situation::default(), said("profile"), &strict);
    assert_eq!(accepted.err(), Some(AttenuationError::Scope));
}

#[test]
fn a_readable_token_names_the_permitted_audience_alone() {
    for aud in [
        json!("other-api"),
        json!(["orders-api", "other-api"]),
        json!([]),
        json!(null),
        json!("orders-api/"),
        json!(["orders-api", 7]),
    ] {
        refused(jwt(json!({ "aud": aud })), AttenuationError::Audience);
    }
    granted(jwt(json!({ "aud": ["orders-api"] })));
    let renamed = ProviderProfile {
        audience: Some(Audience::parse("5f0e").unwrap()),
        ..profile()
    };
    let plain = Situation::default();
    assert!(accept(&plain, jwt(json!({ "aud": "5f0e" })), &renamed).is_ok());
    let accepted = accept(&plain, jwt(json!({})), &renamed);
    assert_eq!(accepted.err(), Some(AttenuationError::Audience));
}

#[test]
fn actors_are_kept_as_the_profile_says() {
    let by = |actor| ProviderProfile { actor, ..profile() };
    let named = Situation::default().route("actor", json!({ "type": "gateway" }));
    let gateway = json!({ "iss": GATEWAY, "sub": "obo-gateway" });
    let (plain, delegated) = (Situation::default(), Situation::delegated());
    let whole = || jwt(json!({ "act": gateway }));
    let earlier = || jwt(json!({ "act": { "iss": "https://idp.example.com", "sub": "agent" } }));
    let lost = Some(AttenuationError::Actors);
    for (situation, response, rule, expected) in [
        (&named, whole(), ActorRule::Permitted, None),
        (&delegated, earlier(), ActorRule::Permitted, None),
        (&plain, opaque(), ActorRule::Permitted, None),
        (&named, jwt(json!({})), ActorRule::Permitted, lost),
        (&named, earlier(), ActorRule::Permitted, lost),
        (&named, opaque(), ActorRule::Permitted, lost),
        (&delegated, opaque(), ActorRule::Permitted, lost),
        (&plain, whole(), ActorRule::Permitted, lost),
        (&plain, opaque(), ActorRule::Provider, None),
        (&named, opaque(), ActorRule::Provider, None),
        (&delegated, opaque(), ActorRule::Provider, lost),
        (&delegated, earlier(), ActorRule::Provider, lost),
        (&delegated, opaque(), ActorRule::MayBeLost, None),
    ] {
        let text = format!("{situation:?} {rule:?}");
        let accepted = accept(situation, response, &by(rule));
        assert_eq!(accepted.err(), expected, "{text}");
    }
}

#[test]
fn authorization_details_are_never_lost_or_added() {
    let details = json!([{ "type": "order", "id": "7" }]);
    let restricted = Situation::restricted();
    let of = |details: &Value| jwt(json!({ "authorization_details": details }));
    assert!(accept(&restricted, of(&details), &profile()).is_ok());
    let error = Some(AttenuationError::AuthorizationDetails);
    for response in [
        opaque(),
        jwt(json!({})),
        of(&json!([])),
        of(&json!([{ "type": "order" }])),
    ] {
        assert_eq!(accept(&restricted, response, &profile()).err(), error);
    }
    assert_eq!(
        accept(&Situation::default(), of(&details), &profile()).err(),
        error
    );
}
