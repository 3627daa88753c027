//! A small OpenID Provider: publishes its key, and signs the tokens of the demo.

use super::site::{json_response, not_found};
use crate::{
    clock::SharedClock,
    jose::{Algorithm, JoseError, KeyError, SigningKey, encoding::base64url},
    proxy::Site,
    token::RawToken,
};
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Map, Value, json};

/// The lifetime of the tokens, in seconds.
const LIFETIME: i64 = 3600;

/// The scopes that Alice was granted.
pub(super) const ALICE_SCOPE: &str =
    "openid profile orders.read orders.write reports.read payments.admin";

pub(super) struct Provider {
    issuer: String,
    key: SigningKey,
    clock: SharedClock,
}

/// The tokens that the demo presents.
pub(super) struct Presented {
    /// A user of the portal.
    pub(super) alice: RawToken,
    /// The claims of `alice`.
    pub(super) alice_claims: Map<String, Value>,
    /// Further tokens of Alice that the gateway has not seen.
    pub(super) repeated: Vec<RawToken>,
    /// A user with fewer scopes.
    pub(super) bob: RawToken,
    /// A token of Alice for another application.
    pub(super) elsewhere: RawToken,
    /// Alice's token with an additional scope and the original signature.
    pub(super) edited: RawToken,
}

/// Number of tokens that are sent twice. The median of their times reduces the influence of the machine's load.
const REPEATED: usize = 9;

impl Provider {
    pub(super) fn new(issuer: String, clock: SharedClock) -> Result<Self, KeyError> {
        let key = SigningKey::generate(Algorithm::ES256)?.key;
        Ok(Self { issuer, key, clock })
    }

    /// Signs the tokens of the demo.
    pub(super) fn tokens(&self) -> Result<Presented, JoseError> {
        let alice_claims = self.claims("alice", "Alice Example", "portal", ALICE_SCOPE);
        let alice = self.key.sign("at+jwt", &alice_claims)?;
        let bob = self.claims("bob", "Bob Example", "portal", "openid profile");
        let elsewhere = self.claims("alice", "Alice Example", "calendar", ALICE_SCOPE);
        let more = format!("{ALICE_SCOPE} orders.delete");
        let repeated = (2..2 + REPEATED).map(|number| {
            let mut claims = alice_claims.clone();
            claims.insert("jti".to_owned(), json!(format!("alice-portal-{number}")));
            Ok(self.key.sign("at+jwt", &claims)?.into())
        });
        let edited = self.claims("alice", "Alice Example", "portal", &more);
        Ok(Presented {
            repeated: repeated.collect::<Result<_, JoseError>>()?,
            bob: self.key.sign("at+jwt", &bob)?.into(),
            elsewhere: self.key.sign("at+jwt", &elsewhere)?.into(),
            edited: with_payload(&alice, edited).into(),
            alice: alice.into(),
            alice_claims,
        })
    }

    fn claims(&self, sub: &str, name: &str, audience: &str, scope: &str) -> Map<String, Value> {
        let now = self.clock.now().as_secs();
        let claims = json!({
            "iss": self.issuer,
            "sub": sub,
            "aud": audience,
            "client_id": audience,
            "scope": scope,
            "iat": now,
            "exp": now.saturating_add(LIFETIME),
            "jti": format!("{sub}-{audience}"),
            "name": name,
            "email": format!("{sub}@example.com"),
        });
        claims.as_object().cloned().unwrap_or_default()
    }
}

/// Imitates an attacker without a key: keeps header and signature, and replaces the payload.
fn with_payload(token: &str, claims: Map<String, Value>) -> String {
    let payload = base64url(Value::from(claims).to_string());
    let parts: Vec<&str> = token.split('.').collect();
    match parts.as_slice() {
        [header, _, signature] => format!("{header}.{payload}.{signature}"),
        _ => token.to_owned(),
    }
}

#[async_trait]
impl Site for Provider {
    async fn respond(&self, request: &Request<Bytes>) -> Response<Bytes> {
        match request.uri().path() {
            "/.well-known/openid-configuration" => json_response(
                200,
                &json!({"issuer": self.issuer, "jwks_uri": format!("{}/keys", self.issuer)}),
            ),
            "/keys" => json_response(200, &json!({"keys": [self.key.public_jwk()]})),
            _ => not_found(),
        }
    }
}
