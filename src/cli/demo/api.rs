//! An API behind the gateway as its owner would write it: it trusts only the keys that the gateway publishes.
//!
//! It responds with 200 and the claims of the token, or with 401 and the reason. It keeps the head of the last request,
//! so that the demo can check what it contains.

use super::site::json_response;
use crate::{
    clock::SharedClock,
    egress::{Egress, Reach},
    jose::{Algorithm, JwkSet, UnverifiedJws},
    proxy::Site,
    settings::OutboundUrl,
    token::{Claims, RawToken},
};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, header::AUTHORIZATION};
use serde_json::json;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::OnceCell;

pub(super) struct Api {
    terms: ApiTerms,
    egress: Egress,
    clock: SharedClock,
    keys: OnceCell<JwkSet>,
    requests: AtomicUsize,
    last: Mutex<HeaderMap>,
}

/// The tokens that an API accepts.
pub(super) struct ApiTerms {
    /// Its own name.
    pub(super) audience: &'static str,
    /// The issuer of the tokens.
    pub(super) issuer: String,
    /// The URL of the issuer's keys.
    pub(super) keys: OutboundUrl,
}

impl Api {
    pub(super) fn new(terms: ApiTerms, egress: Egress, clock: SharedClock) -> Self {
        Self {
            terms,
            egress,
            clock,
            keys: OnceCell::new(),
            requests: AtomicUsize::new(0),
            last: Mutex::default(),
        }
    }

    /// Returns the number of requests that reached the API.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Returns the fields of the last request.
    pub(super) fn last_fields(&self) -> HeaderMap {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns the token that the API received last, which an API that is not trustworthy could keep.
    pub(super) fn last_token(&self) -> Option<RawToken> {
        bearer(&self.last_fields())
    }

    async fn verify(&self, fields: &HeaderMap) -> Result<Claims, &'static str> {
        let token = bearer(fields).ok_or("no bearer token")?;
        let jws = UnverifiedJws::parse(&token).map_err(|_| "not a signed token")?;
        let keys = self
            .keys
            .get_or_try_init(|| self.fetch_keys())
            .await?
            .find(jws.kid(), jws.alg())
            .map_err(|_| "signed with a key that this API does not trust")?;
        let verified = keys
            .verify(jws, &[Algorithm::ES256])
            .map_err(|_| "the signature is wrong")?;
        if verified.typ() != Some("at+jwt") {
            return Err("not an access token");
        }
        let claims = verified.into_claims().map_err(|_| "no claims")?;
        if claims.text("iss") != Ok(Some(&self.terms.issuer)) {
            return Err("issued by another issuer");
        }
        if claims.one_or_many("aud") != Ok(vec![self.terms.audience]) {
            return Err("meant for another audience");
        }
        let now = self.clock.now();
        match claims.time("exp") {
            Ok(Some(exp)) if exp > now => Ok(claims),
            _ => Err("expired"),
        }
    }

    async fn fetch_keys(&self) -> Result<JwkSet, &'static str> {
        let fetched = self
            .egress
            .get(&self.terms.keys, Reach::Named)
            .await
            .map_err(|_| "the gateway's keys cannot be fetched")?;
        JwkSet::parse(&fetched.body)
            .map(|(keys, _)| keys)
            .map_err(|_| "the gateway's keys cannot be read")
    }
}

fn bearer(fields: &HeaderMap) -> Option<RawToken> {
    let mut values = fields.get_all(AUTHORIZATION).into_iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let token = value.to_str().ok()?.strip_prefix("Bearer ")?;
    Some(RawToken::from(token.to_owned()))
}

#[async_trait]
impl Site for Api {
    async fn respond(&self, request: &Request<Bytes>) -> Response<Bytes> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = request.headers().clone();
        let api = self.terms.audience;
        let path = request.uri().path();
        if path == "/status" {
            let authorization = request.headers().contains_key(AUTHORIZATION);
            let body = json!({"api": api, "path": path, "authorization_received": authorization});
            return json_response(200, &body);
        }
        match self.verify(request.headers()).await {
            Ok(claims) => json_response(
                200,
                &json!({"api": api, "path": path, "token_received": claims.as_object()}),
            ),
            Err(why) => json_response(401, &json!({"api": api, "path": path, "refused": why})),
        }
    }
}
