//! The token that a request presents.

use super::SourceError;
use crate::token::{RawToken, is_b64token};
use bytes::Bytes;
use std::fmt;

/// The only Bearer credential of a request, borrowed from the head.
///
/// It is sufficient to look up a token in the cache. For anything else it must be [presented](Bearer::present).
#[derive(Clone, Copy)]
pub struct Bearer<'a>(&'a [u8]);

/// The token that a request presents. It is not verified yet.
#[derive(Debug, Clone)]
pub struct PresentedToken(RawToken);

impl PresentedToken {
    /// The token, for verification and hashing.
    pub fn token(&self) -> &RawToken {
        &self.0
    }
}

impl<'a> Bearer<'a> {
    /// The token that these bytes of a head are.
    pub(super) const fn at(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// All bytes of the token, for hashing.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Copies the token out of the head, for verification.
    ///
    /// # Errors
    /// [`SourceError::Malformed`] if it is not a `b64token` (RFC 6750 §2.1).
    pub fn present(self) -> Result<PresentedToken, SourceError> {
        if !is_b64token(self.0) {
            return Err(SourceError::Malformed);
        }
        Ok(PresentedToken(RawToken::new(Bytes::copy_from_slice(
            self.0,
        ))))
    }
}

impl fmt::Debug for Bearer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(redacted)")
    }
}

/// Parses the token in a form parameter (RFC 8693 §2.1: `subject_token`, `actor_token`).
///
/// # Errors
/// [`SourceError::TooLong`] if it has more than `limit` bytes, and [`SourceError::Malformed`] if it contains characters
/// that no token has.
pub fn form_token(text: &str, limit: usize) -> Result<PresentedToken, SourceError> {
    if text.len() > limit {
        return Err(SourceError::TooLong { limit });
    }
    Bearer(text.as_bytes()).present()
}
