//! Verification of the issued token as an upstream does it: with an independent library and the published keys.

use super::{Ask, Client};
use jsonwebtoken::{DecodingKey, Validation, jwk::JwkSet};
use serde_json::Value;
use std::net::SocketAddr;

/// A verified on-behalf-of token.
pub struct Obo {
    pub header: Value,
    pub claims: Value,
}

/// Verifies `token` at `now` (seconds since 1970).
pub async fn verify(gateway: SocketAddr, token: &str, now: i64) -> Obo {
    let mut client = Client::connect(gateway).await;
    let keys = client.ask(&Ask::get("/oauth/v2/keys")).await.unwrap();
    verify_with(&keys.body, token, now)
}

/// Verifies `token` with a key set that was fetched earlier.
pub fn verify_with(jwks: &[u8], token: &str, now: i64) -> Obo {
    let header = jsonwebtoken::decode_header(token).expect("no JWS");
    assert_eq!(header.typ.as_deref(), Some("at+jwt"));
    let keys: JwkSet = serde_json::from_slice(jwks).unwrap();
    let kid = header.kid.clone().expect("no kid");
    let key = keys
        .find(&kid)
        .expect("signed with a key that is not published");
    let mut rules = Validation::new(header.alg);
    rules.set_issuer(&[super::lab::GATEWAY_ISSUER]);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    rules.validate_aud = false;
    // the time is that of the gateway's clock, which a test may have moved
    rules.validate_exp = false;
    let key = DecodingKey::from_jwk(key).unwrap();
    let token =
        jsonwebtoken::decode::<Value>(token, &key, &rules).expect("not the gateway's token");
    let expires_at = token.claims["exp"].as_i64().unwrap();
    assert!(expires_at > now, "expired {} s ago", now - expires_at);
    Obo {
        header: serde_json::to_value(&token.header).unwrap(),
        claims: token.claims,
    }
}
