//! What is known of a token that was proven to be genuine, before its claims are checked.

use crate::{
    jose::JoseError,
    store::Lineage,
    token::{Claims, RawToken},
    verify::KeyLease,
};

/// A token whose signature was verified, or that was opened. Its claims are not checked yet.
pub(in crate::verify) struct Proven<'a> {
    pub(in crate::verify) typ: Option<Box<str>>,
    pub(in crate::verify) claims: Result<Claims, JoseError>,
    pub(in crate::verify) proof: Proof<'a>,
}

/// What proves that a token is genuine.
pub(in crate::verify) struct Proof<'a> {
    pub(in crate::verify) token: &'a RawToken,
    /// The key that verified it.
    pub(in crate::verify) kid: Option<Box<str>>,
    pub(in crate::verify) lease: KeyLease,
    /// The lineage in one of the gateway's own tokens.
    pub(in crate::verify) made_from: Option<Lineage>,
}

/// Returns the items as one text, for a description.
pub(in crate::verify) fn listed(items: &[impl ToString]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(", ")
}
