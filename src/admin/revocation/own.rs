//! The gateway's own opaque tokens and refresh tokens, which only the gateway can read.

use super::named::Named;
use crate::{
    clock::UnixTime,
    own_token::OwnTokenReader,
    store::{RevocationKey, StoreError},
    telemetry::Revoked,
    token::RawToken,
};
use std::{fmt, pin::Pin, sync::Arc};

/// Finds the families of refresh tokens.
pub trait RefreshTokens: Send + Sync + fmt::Debug {
    /// Returns the key that revokes everything made from a refresh token, or `None` if this gateway did not issue the
    /// token.
    fn family(&self, token: &RawToken) -> Option<RevocationKey>;

    /// Returns when everything made from the token has expired, if this is still known.
    fn ends<'a>(&'a self, token: &'a RawToken) -> Ends<'a>;
}

/// The result of a store that may have to be awaited.
pub type Ends<'a> = Pin<Box<dyn Future<Output = Result<Option<UnixTime>, StoreError>> + Send + 'a>>;

/// Reads the gateway's own tokens.
#[derive(Debug, Clone, Default)]
pub struct OwnTokens {
    /// Opens opaque tokens.
    pub reader: Option<Arc<OwnTokenReader>>,
    /// Opens refresh tokens; `None` if the gateway issues none.
    pub families: Option<Arc<dyn RefreshTokens>>,
}

impl OwnTokens {
    /// Returns the names in a token that only the gateway can read, or `None` if it is no such token or has expired.
    pub(super) async fn named(
        &self,
        token: &RawToken,
        now: UnixTime,
    ) -> Result<Option<Named>, StoreError> {
        if let Some(families) = &self.families
            && let Some(key) = families.family(token)
        {
            return Ok(Some(Named {
                keys: vec![key],
                ends: families.ends(token).await?,
                ..Named::nothing(Revoked::RefreshToken)
            }));
        }
        let own = self.reader.as_ref().map(|reader| reader.read(token, now));
        let Some(Ok(own)) = own else {
            return Ok(None);
        };
        let mut named = Named::of_claims(own.claims());
        named.keys.push(RevocationKey::token_bytes(token));
        Ok(Some(named))
    }
}
