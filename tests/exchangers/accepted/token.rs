//! Which tokens a provider may return at all.

use super::{accept, encoded, granted, jwt, opaque, refused, token};
use crate::{
    exchangers::{
        scripted::{PROVIDER, profile},
        situations::Situation,
    },
    properties::subject::{GATEWAY, NOW},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use obo_gateway::{
    exchange::{
        AcceptProfile, AttenuationError, IssuedToken, ProviderProfile, Readability, TokenResponse,
        TokenType,
    },
    token::TokenTypeUri,
};
use serde_json::json;
use std::time::Duration;

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
fn a_refresh_token_is_noted_and_goes_nowhere() {
    let noted = TokenResponse {
        has_refresh_token: true,
        ..opaque()
    };
    assert!(noted.facts().found.contains("refresh token"));
    assert!(opaque().facts().found.is_empty());
    granted(noted);
}
