//! Introspection (RFC 7662), with plain or signed responses (RFC 9701).
//!
//! The response contains what the token says about itself, or that it is not active. All reasons have the same
//! response: a client that may not introspect a token does not learn if it is one. No database is queried: the token is
//! opened with the gateway's keys, and revocations are in memory.

mod media;

use crate::{
    clock::{SharedClock, UnixTime},
    jose::{JoseError, SigningKeys},
    own_token::{OwnToken, OwnTokenReader},
    policy::ClientPolicy,
    store::Revocations,
    token::{Audience, RawToken, TokenFormat},
};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use media::Form;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// `typ` of a signed response (RFC 9701 §5).
const RESPONSE_TYPE: &str = "token-introspection+jwt";

/// Claims that are copied to the response if the token has them.
const MEMBERS: [&str; 10] = [
    "scope",
    "client_id",
    "exp",
    "iat",
    "sub",
    "iss",
    "jti",
    "act",
    "cnf",
    "authorization_details",
];

/// Handles introspection requests about the gateway's own access tokens.
#[derive(Debug)]
pub struct Introspection {
    reader: Arc<OwnTokenReader>,
    keys: Arc<SigningKeys>,
    revocations: Revocations,
    clock: SharedClock,
}

impl Introspection {
    /// Reads tokens with `reader`, and signs responses with the first of `keys`. Uses the revocations that this process
    /// knows; while their store cannot be reached, these are the last ones that it received.
    pub fn new(
        reader: Arc<OwnTokenReader>,
        keys: Arc<SigningKeys>,
        revocations: Revocations,
        clock: SharedClock,
    ) -> Self {
        Self {
            reader,
            keys,
            revocations,
            clock,
        }
    }

    /// Returns what the authenticated `client` may know about `token`, in the form that the request's `accept` prefers.
    /// The status is 200 for any token text, and 503 if the response could not be signed.
    pub fn introspect(
        &self,
        client: &ClientPolicy,
        token: &str,
        accept: Option<&HeaderValue>,
    ) -> Response<Bytes> {
        let may_ask =
            |audiences: &[Audience]| client.introspects(audiences.iter().map(Audience::as_str));
        self.respond_to(client.id(), may_ask, token, accept)
    }

    fn respond_to(
        &self,
        client: &str,
        may_ask: impl FnOnce(&[Audience]) -> bool,
        token: &str,
        accept: Option<&HeaderValue>,
    ) -> Response<Bytes> {
        let now = self.clock.now();
        let members = self
            .readable(may_ask, token, now)
            .map_or_else(inactive, |token| members(&token));
        match Form::asked_for(accept) {
            Form::Plain => response(
                StatusCode::OK,
                media::JSON,
                Value::Object(members).to_string(),
            ),
            Form::Signed => match self.signed(client, members, now) {
                Ok(jwt) => response(StatusCode::OK, media::SIGNED, jwt),
                Err(error) => {
                    tracing::error!(%error, "an introspection response could not be signed");
                    unavailable()
                }
            },
        }
    }

    /// Returns the access token in `token` if it is valid, not revoked, and for an audience that the client may
    /// introspect.
    fn readable(
        &self,
        may_ask: impl FnOnce(&[Audience]) -> bool,
        token: &str,
        now: UnixTime,
    ) -> Option<OwnToken> {
        let read = self.reader.read(&RawToken::from(token.to_owned()), now);
        let token = read.ok()?;
        let is_access_token = match token.format() {
            TokenFormat::Jwt | TokenFormat::Opaque => true,
            // an ID token grants no access
            TokenFormat::IdToken => false,
        };
        let is_active = is_access_token
            && may_ask(token.audiences())
            && !self.revocations.ends(token.lineage());
        is_active.then_some(token)
    }

    fn signed(
        &self,
        client: &str,
        members: Map<String, Value>,
        now: UnixTime,
    ) -> Result<String, JoseError> {
        let claims = json!({
            "iss": self.reader.issuer(),
            "aud": client,
            "iat": now.as_secs(),
            "token_introspection": members,
        });
        let claims = claims.as_object().cloned().unwrap_or_default();
        self.keys.signing().sign(RESPONSE_TYPE, &claims)
    }
}

/// RFC 7662 §2.2: no other members.
fn inactive() -> Map<String, Value> {
    [("active".to_owned(), Value::from(false))]
        .into_iter()
        .collect()
}

/// Returns only what an API needs for a decision: nothing about the user except the subject of the token.
fn members(token: &OwnToken) -> Map<String, Value> {
    let claims = token.claims();
    let mut members: Map<String, Value> = MEMBERS
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), claims.get(name)?.clone())))
        .collect();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("active", Value::from(true));
    put("token_type", Value::from("Bearer"));
    let audiences = token.audiences().iter().map(Audience::as_str);
    put("aud", audiences.collect());
    // a token is valid from the moment at which it is issued
    if let Some(since) = claims.get("nbf").or(claims.get("iat")) {
        put("nbf", since.clone());
    }
    members
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::PRAGMA, "no-cache"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Seconds after which an API may retry.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

fn unavailable() -> Response<Bytes> {
    let body = json!({
        "error": "temporarily_unavailable",
        "error_description": "the response could not be signed",
    });
    let mut response = response(
        StatusCode::SERVICE_UNAVAILABLE,
        media::JSON,
        body.to_string(),
    );
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, RETRY_AFTER);
    response
}

#[cfg(test)]
mod tests;
