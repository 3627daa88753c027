//! Which responses of an identity provider are accepted, and what is then known of the token.

use super::{
    contract::within,
    scripted::{PROVIDER, profile},
    situations::Situation,
};
use crate::properties::{
    cases,
    subject::{GATEWAY, NOW},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use obo_gateway::{
    exchange::{
        AcceptProfile, ActorRule, AttenuationError, IssuedToken, LongerLived, ProviderProfile,
        Readability, TokenResponse, TokenType, WithoutExpiry,
    },
    store::RevocationKey,
    token::{Audience, RawToken, ScopeSet, TokenTypeUri},
};
use proptest::{option, prelude::*, sample};
use serde_json::{Value, json};
use std::time::Duration;

type Accepted = Result<IssuedToken, AttenuationError>;

fn accept(situation: &Situation, response: TokenResponse, profile: &ProviderProfile) -> Accepted {
    let (permitted, presented) = situation.permit();
    let by = AcceptProfile::provider(profile, &presented);
    IssuedToken::accept(permitted, response, by, NOW)
}

fn token(text: &str) -> TokenResponse {
    TokenResponse {
        expires_in: Some(Duration::from_secs(60)),
        ..TokenResponse::bearer(RawToken::from(text.to_owned()))
    }
}

/// A token that the gateway cannot read.
fn opaque() -> TokenResponse {
    token("8xLOxBtZp8")
}

fn encoded(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

/// A token of the provider with some claims replaced; null removes one.
fn jwt(changes: Value) -> TokenResponse {
    let mut claims = json!({
        "iss": PROVIDER, "sub": "alice", "aud": "orders-api", "jti": "7", "exp": NOW.as_secs() + 60,
        "scope": "orders.read",
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
        .as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k" });
    token(&format!("{}.{}.c2ln", encoded(&header), encoded(&claims)))
}

fn scope(text: &str) -> ScopeSet {
    ScopeSet::parse(text).unwrap()
}

#[track_caller]
fn refused(response: TokenResponse, error: AttenuationError) {
    let text = format!("{response:?}");
    let accepted = accept(&Situation::default(), response, &profile());
    assert_eq!(accepted.err(), Some(error), "{text}");
}

#[track_caller]
fn granted(response: TokenResponse) -> IssuedToken {
    accept(&Situation::default(), response, &profile()).unwrap()
}

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
fn a_longer_lifetime_is_cut_or_refused_and_never_used() {
    let longer = || {
        [
            TokenResponse {
                expires_in: Some(Duration::from_secs(3_600)),
                ..opaque()
            },
            TokenResponse {
                expires_in: Some(Duration::MAX),
                ..opaque()
            },
            TokenResponse {
                expires_in: Some(Duration::from_secs(3_600)),
                ..jwt(json!({ "exp": NOW.as_secs() + 3_600 }))
            },
        ]
    };
    let short = Situation::default().claim("exp", json!(NOW.as_secs() + 30));
    for response in longer() {
        let issued = accept(&short, response, &profile()).unwrap();
        assert_eq!(issued.expires_at().as_secs(), NOW.as_secs() + 30);
    }
    let refusing = ProviderProfile {
        longer_lived: LongerLived::Refuse,
        ..profile()
    };
    // the API reads the claim, whatever the member says
    for response in longer()
        .into_iter()
        .chain([jwt(json!({ "exp": NOW.as_secs() + 3_600 }))])
    {
        let accepted = accept(&short, response, &refusing);
        assert_eq!(accepted.err(), Some(AttenuationError::Lifetime));
    }
    assert!(accept(&Situation::default(), jwt(json!({})), &refusing).is_ok());
}

#[test]
fn the_earlier_of_both_expiry_times_counts_and_an_expired_token_is_refused() {
    let issued = granted(jwt(json!({ "exp": NOW.as_secs() + 20 })));
    assert_eq!(issued.expires_at().as_secs(), NOW.as_secs() + 20);
    let now = NOW.as_secs();
    for exp in [json!(now), json!(now - 1), json!("soon"), json!(-1)] {
        refused(jwt(json!({ "exp": exp })), AttenuationError::Lifetime);
    }
    let over = TokenResponse {
        expires_in: Some(Duration::ZERO),
        ..opaque()
    };
    refused(over, AttenuationError::Lifetime);
}

#[test]
fn without_an_expiry_time_a_token_is_refused_or_not_cached() {
    let endless = || {
        [opaque(), jwt(json!({ "exp": null }))].map(|response| TokenResponse {
            expires_in: None,
            ..response
        })
    };
    let once = ProviderProfile {
        without_expiry: WithoutExpiry::DoNotCache,
        ..profile()
    };
    for response in endless() {
        refused(response, AttenuationError::Lifetime);
    }
    for response in endless() {
        let issued = accept(&Situation::default(), response, &once).unwrap();
        assert!(!issued.may_be_cached());
        assert_eq!(issued.expires_at().as_secs(), NOW.as_secs() + 300);
    }
    let stated = accept(&Situation::default(), opaque(), &once).unwrap();
    assert!(stated.may_be_cached());
}

#[test]
fn the_presented_token_and_the_gateways_own_tokens_are_refused() {
    let (permitted, presented) = Situation::default().permit();
    let profile = profile();
    let echo = TokenResponse {
        expires_in: Some(Duration::from_secs(60)),
        ..TokenResponse::bearer(presented.token().clone())
    };
    let by = AcceptProfile::provider(&profile, &presented);
    let accepted = IssuedToken::accept(permitted, echo, by, NOW);
    assert_eq!(accepted.err(), Some(AttenuationError::Echo));
    for own in [
        token("oboat_AAAA"),
        token("oborf_AAAA"),
        jwt(json!({ "iss": GATEWAY })),
    ] {
        refused(own, AttenuationError::OwnToken);
    }
}

#[test]
fn another_type_of_token_is_refused_by_the_members_and_by_the_token() {
    for issued_token_type in [
        TokenTypeUri::IdToken,
        TokenTypeUri::RefreshToken,
        TokenTypeUri::Saml2,
    ] {
        let response = TokenResponse {
            issued_token_type,
            ..opaque()
        };
        refused(response, AttenuationError::TokenType);
    }
    let unusable = TokenResponse {
        token_type: TokenType::NotApplicable,
        ..opaque()
    };
    refused(unusable, AttenuationError::TokenType);
    granted(TokenResponse {
        issued_token_type: TokenTypeUri::Jwt,
        ..jwt(json!({}))
    });
    for claims in [
        json!({ "at_hash": "AAAA" }),
        json!({ "typ": "ID" }),
        json!({ "token_use": "id" }),
        json!({ "typ": "Refresh" }),
        json!({ "events": {} }),
    ] {
        refused(jwt(claims), AttenuationError::TokenType);
    }
}

#[test]
fn a_readable_token_is_the_providers() {
    for iss in [
        json!(null),
        json!("https://sso.example.com/"),
        json!(7),
        json!([PROVIDER]),
    ] {
        refused(jwt(json!({ "iss": iss })), AttenuationError::Issuer);
    }
}

#[test]
fn what_looks_like_a_jwt_is_readable_and_what_is_no_token_is_refused() {
    let header = encoded(&json!({ "alg": "ES256" }));
    let claims = format!(r#"{{"iss":"{PROVIDER}","aud":"orders-api","scope":"orders.read""#);
    let twice = URL_SAFE_NO_PAD.encode(format!(r#"{claims},"scope":"everything"}}"#));
    for text in [
        "a.b.c".to_owned(),
        format!("{header}.{twice}.c2ln"),
        format!("{header}.{}.c2ln", URL_SAFE_NO_PAD.encode("[]")),
        format!("{header}..c2ln"),
        String::new(),
        "a b".to_owned(),
        "a,Bearer b".to_owned(),
        "a\r\nX: b".to_owned(),
        "\u{e4}".to_owned(),
    ] {
        refused(token(&text), AttenuationError::Unreadable);
    }
    let readable = ProviderProfile {
        readability: Readability::Required,
        ..profile()
    };
    let plain = Situation::default();
    assert!(accept(&plain, jwt(json!({})), &readable).is_ok());
    for text in ["8xLOxBtZp8", "a.b", "a.b.c.d.e"] {
        let accepted = accept(&plain, token(text), &readable);
        assert_eq!(accepted.err(), Some(AttenuationError::Unreadable), "{text}");
        granted(token(text));
    }
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

#[test]
fn a_refresh_token_is_noted_and_goes_nowhere() {
    let noted = TokenResponse {
        has_refresh_token: true,
        ..opaque()
    };
    assert!(noted.facts().found.contains("refresh token"));
    assert!(opaque().facts().found.is_empty());
    granted(noted);
}

fn any_scope() -> impl Strategy<Value = Vec<&'static str>> {
    sample::subsequence(
        vec!["orders.read", "orders.write", "profile", "everything"],
        0..=3,
    )
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn whatever_a_provider_responds_what_is_accepted_is_within_what_was_permitted(
        member in option::of(any_scope()),
        claimed in option::of(any_scope()),
        audiences in sample::subsequence(vec!["orders-api", "other-api"], 0..=2),
        exp in option::of(-10..1_000_i64),
        expires_in in option::of(0..1_000_u64),
        readable: bool,
        refuses: bool,
        once: bool,
        life in 1..600_i64,
    ) {
        let profile = ProviderProfile {
            longer_lived: if refuses { LongerLived::Refuse } else { LongerLived::Cap },
            without_expiry: if once { WithoutExpiry::DoNotCache } else { WithoutExpiry::Refuse },
            ..profile()
        };
        let response = match readable {
            true => jwt(json!({
                "aud": audiences,
                "scope": claimed.map(|scope| scope.join(" ")),
                "exp": exp.map(|exp| NOW.as_secs() + exp),
            })),
            false => opaque(),
        };
        let response = TokenResponse {
            scope: member.as_ref().map(|member| scope(&member.join(" "))),
            expires_in: expires_in.map(Duration::from_secs),
            ..response
        };
        let situation = Situation::default().claim("exp", json!(NOW.as_secs() + life));
        let limit = NOW.as_secs() + life.min(300);
        if let Ok(issued) = accept(&situation, response, &profile) {
            let granted = scope("orders.read profile");
            prop_assert!(issued.scope().is_subset(&granted));
            prop_assert!(member.is_none_or(|member| scope(&member.join(" ")).is_subset(&granted)));
            let used = issued.expires_at().as_secs();
            prop_assert!(NOW.as_secs() < used && used <= limit);
            let known = expires_in.is_some() || (readable && exp.is_some());
            prop_assert_eq!(issued.may_be_cached(), known);
            if let Some(claims) = issued.claims() {
                within(claims, &granted, "orders-api");
            }
        }
    }
}
