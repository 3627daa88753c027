//! The gateway's own opaque tokens and refresh tokens, which say only to the gateway what they are.

use super::named::Named;
use crate::{
    clock::UnixTime,
    store::{RevocationKey, StoreError},
    telemetry::Revoked,
    token::RawToken,
    verify::OwnTokenReader,
};
use std::{fmt, pin::Pin, sync::Arc};

/// Knows the families of refresh tokens.
pub trait RefreshTokens: Send + Sync + fmt::Debug {
    /// What ends everything that came of a refresh token; none where the token is none of this gateway's.
    fn family(&self, token: &RawToken) -> Option<RevocationKey>;

    /// When the last of that ends by itself, where that is still known.
    fn ends<'a>(&'a self, token: &'a RawToken) -> Ends<'a>;
}

/// What a store answers in its own time.
pub type Ends<'a> = Pin<Box<dyn Future<Output = Result<Option<UnixTime>, StoreError>> + Send + 'a>>;

/// Reads the gateway's own tokens.
#[derive(Debug, Clone, Default)]
pub struct OwnTokens {
    /// Opens opaque tokens.
    pub reader: Option<Arc<OwnTokenReader>>,
    /// Opens refresh tokens; none where there are no families.
    pub families: Option<Arc<dyn RefreshTokens>>,
}

impl OwnTokens {
    /// What the names in a token are that nobody else can read; none where it is no such token, or has ended.
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
