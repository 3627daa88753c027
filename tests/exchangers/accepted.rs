//! Which responses of an identity provider are accepted, and what is then known of the token.

mod any;
mod grants;
mod lifetime;
mod token;

use super::{
    scripted::{PROVIDER, profile},
    situations::Situation,
};
use crate::{e2e::support::with_changes, properties::subject::NOW};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use obo_gateway::{
    exchange::{AcceptProfile, AttenuationError, IssuedToken, ProviderProfile, TokenResponse},
    token::{RawToken, ScopeSet},
};
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
    let claims = json!({
        "iss": PROVIDER, "sub": "alice", "aud": "orders-api", "jti": "7", "exp": NOW.as_secs() + 60,
        "scope": "orders.read",
    });
    let claims = with_changes(claims, &changes);
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
