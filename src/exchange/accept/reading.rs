//! How the answer of an exchanger is read.

use super::Wider;
use crate::{
    jose::encoding::from_base64url,
    store::Lineage,
    token::{Claims, Limits, RawToken, TokenFormat},
    verify::TokenSeal,
};

/// Who answers an exchange, and what it takes to read that.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    pub(super) issuer: &'a str,
    pub(super) seal: Option<&'a TokenSeal>,
}

/// What a token says that is not held against anything yet.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) claims: Claims,
    /// The key that the header names.
    pub(super) kid: Option<Box<str>>,
    /// What an opaque token was made from, as it says sealed.
    pub(super) lineage: Option<Lineage>,
}

impl<'a> Reading<'a> {
    /// The engine in this process, with what it seals.
    pub fn sealed(issuer: &'a str, seal: Option<&'a TokenSeal>) -> Self {
        Self { issuer, seal }
    }

    /// The claims of a token that needs no signature check: it came from the exchanger, not from a caller.
    pub(super) fn read(&self, token: &RawToken, format: TokenFormat) -> Result<Read, Wider> {
        match format {
            TokenFormat::Opaque => {
                let opened = self.seal.and_then(|seal| seal.open(token));
                let (claims, lineage) = opened.ok_or(Wider::Unreadable)?;
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
                    claims: claims.ok_or(Wider::Unreadable)?,
                    kid,
                    lineage: None,
                })
            }
        }
    }
}

/// An exchanger that signs what it issues, and seals nothing.
impl<'a> From<&'a str> for Reading<'a> {
    fn from(issuer: &'a str) -> Self {
        Self { issuer, seal: None }
    }
}

fn claims_of(part: &[u8]) -> Option<Claims> {
    Claims::parse(&from_base64url(part)?, Limits::TOKEN).ok()
}
