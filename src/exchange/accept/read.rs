//! Reading of issued tokens.

use super::error::AttenuationError;
use crate::{
    jose::encoding::from_base64url,
    store::Lineage,
    token::{Claims, Limits, RawToken},
};

/// The contents of an issued token, before any check.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) claims: Claims,
    /// The `typ` of the header.
    pub(super) typ: Option<Box<str>>,
    /// The `kid` of the header.
    pub(super) kid: Option<Box<str>>,
    /// The sealed lineage of an opaque token of the gateway.
    pub(super) lineage: Option<Lineage>,
}

/// Reads a JWS in compact form, without its signature.
pub(super) fn read_jws(token: &RawToken) -> Result<Read, AttenuationError> {
    let mut parts = token.expose().split(|&byte| byte == b'.');
    let header = parts.next().and_then(claims_of);
    let claims = parts.next().and_then(claims_of);
    let text = |name| Some(header.as_ref()?.text(name).ok()??.into());
    Ok(Read {
        claims: claims.ok_or(AttenuationError::Unreadable)?,
        typ: text("typ"),
        kid: text("kid"),
        lineage: None,
    })
}

fn claims_of(part: &[u8]) -> Option<Claims> {
    Claims::parse(&from_base64url(part)?, Limits::TOKEN).ok()
}
