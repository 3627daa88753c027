//! The engine in this process: mints JWT access tokens (RFC 9068).

use super::{ExchangeError, Exchanger, TokenResponse};
use crate::{
    clock::{SharedClock, SharedRandomness},
    jose::{SigningKeys, encoding::base64url},
    policy::{GatewayIdentity, PermittedExchange},
    token::{RawToken, TokenTypeUri},
};
use serde_json::{Map, Value};
use std::sync::Arc;

/// `typ` of an access token in JWT form (RFC 9068 §2.1).
const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// Mints tokens with the gateway's own keys.
#[derive(Debug)]
pub struct Embedded {
    issuer: Box<str>,
    keys: Arc<SigningKeys>,
    clock: SharedClock,
    randomness: SharedRandomness,
}

impl Embedded {
    /// An engine that issues in the name of `gateway.issuer`.
    pub fn new(
        gateway: &GatewayIdentity,
        keys: Arc<SigningKeys>,
        clock: SharedClock,
        randomness: SharedRandomness,
    ) -> Self {
        Self {
            issuer: gateway.issuer.clone(),
            keys,
            clock,
            randomness,
        }
    }

    /// `iss` of what it issues.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    fn claims(&self, permitted: &PermittedExchange) -> Result<Map<String, Value>, ExchangeError> {
        let mut claims = permitted.claims().clone();
        let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        put("iss", Value::from(self.issuer.as_ref()));
        put("sub", Value::from(permitted.sub()));
        put("aud", Value::from(permitted.audience().as_str()));
        put("client_id", Value::from(permitted.client_id()));
        put("iat", Value::from(self.clock.now().as_secs()));
        put("exp", Value::from(permitted.expires_at().as_secs()));
        put("jti", Value::from(self.token_id(permitted)?));
        if !permitted.scope().is_empty() {
            put("scope", Value::from(permitted.scope().to_string()));
        }
        if let Some(act) = permitted.actors().to_claim() {
            put("act", act);
        }
        Ok(claims)
    }

    /// 128 random bits: two tokens never share an id (RFC 7519 §4.1.7). Before them stands how `sub` came about.
    fn token_id(&self, permitted: &PermittedExchange) -> Result<String, ExchangeError> {
        let mut id = [0; 16];
        self.randomness.fill(&mut id)?;
        Ok(permitted.provenance().token_id(&base64url(id)))
    }
}

impl Exchanger for Embedded {
    async fn exchange(
        &self,
        permitted: &PermittedExchange,
    ) -> Result<TokenResponse, ExchangeError> {
        let claims = self.claims(permitted)?;
        let token = self
            .keys
            .signing()
            .sign(ACCESS_TOKEN_TYPE, &claims)
            .map_err(ExchangeError::Signing)?;
        Ok(TokenResponse {
            access_token: RawToken::from(token),
            issued_token_type: TokenTypeUri::AccessToken,
        })
    }
}
