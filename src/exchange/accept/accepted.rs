//! What is known of a token that was accepted.

use crate::{
    clock::UnixTime,
    store::Lineage,
    token::{Claims, ScopeSet},
};

/// What is known of a token that grants no more than was permitted.
#[derive(Debug)]
pub(super) struct Accepted {
    /// `None` if only the provider can read the token.
    pub(super) claims: Option<Claims>,
    /// The time until which the token may be used.
    pub(super) expires_at: UnixTime,
    pub(super) reuse: Reuse,
    pub(super) scope: ScopeSet,
    /// `jti`.
    pub(super) id: Option<Box<str>>,
    pub(super) lineage: Lineage,
}

/// Whether a token may be cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reuse {
    UntilExpiry,
    /// It is unknown when the token expires.
    Never,
}
