//! Reading of issued tokens, by exchanger.

use super::error::AttenuationError;
use crate::{
    jose::encoding::from_base64url,
    own_token::TokenSeal,
    store::Lineage,
    token::{Claims, Limits, RawToken, TokenFormat},
};

/// How the tokens of an exchanger are read: its issuer name and its keys for sealed tokens.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    pub(super) issuer: &'a str,
    pub(super) seal: Option<&'a TokenSeal>,
}

/// The contents of an issued token, before any check.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) claims: Claims,
    /// The `kid` of the header.
    pub(super) kid: Option<Box<str>>,
    /// The sealed lineage of an opaque token.
    pub(super) lineage: Option<Lineage>,
}

impl<'a> Reading<'a> {
    /// Reads tokens of the engine in this process, which seals with `seal`.
    pub fn sealed(issuer: &'a str, seal: Option<&'a TokenSeal>) -> Self {
        Self { issuer, seal }
    }

    /// Reads the claims of a token. The signature needs no check, because the token came from the exchanger and not
    /// from a client.
    pub(super) fn read(
        &self,
        token: &RawToken,
        format: TokenFormat,
    ) -> Result<Read, AttenuationError> {
        match format {
            TokenFormat::Opaque => {
                let opened = self.seal.and_then(|seal| seal.open(token));
                let (claims, lineage) = opened.ok_or(AttenuationError::Unreadable)?;
                Ok(Read {
                    claims,
                    kid: None,
                    lineage: Some(lineage),
                })
            }
            TokenFormat::Jwt | TokenFormat::IdToken => {
                let mut parts = token.expose().split(|&byte| byte == b'.');
                let header = parts.next().and_then(claims_of);
                let claims = parts.next().and_then(claims_of);
                let kid = header.and_then(|header| Some(header.text("kid").ok()??.into()));
                Ok(Read {
                    claims: claims.ok_or(AttenuationError::Unreadable)?,
                    kid,
                    lineage: None,
                })
            }
        }
    }
}

/// Reads tokens of an exchanger that signs its tokens and does not seal them.
impl<'a> From<&'a str> for Reading<'a> {
    fn from(issuer: &'a str) -> Self {
        Self { issuer, seal: None }
    }
}

fn claims_of(part: &[u8]) -> Option<Claims> {
    Claims::parse(&from_base64url(part)?, Limits::TOKEN).ok()
}
