//! An issuer, and the audiences with which its tokens are accepted.

use super::TrustedIssuer;
use crate::token::Audience;
use std::sync::Arc;

/// An issuer whose tokens a route accepts.
#[derive(Debug, Clone)]
pub struct Accepted {
    pub(super) issuer: Arc<TrustedIssuer>,
    audiences: Option<Box<[Audience]>>,
}

impl Accepted {
    /// Accepts tokens that are addressed to one of `audiences`, instead of to one of the issuer's own audiences.
    pub fn addressed_to(issuer: Arc<TrustedIssuer>, audiences: Vec<Audience>) -> Self {
        Self {
            issuer,
            audiences: Some(audiences.into()),
        }
    }

    pub(super) fn audiences(&self) -> &[Audience] {
        self.audiences
            .as_deref()
            .unwrap_or_else(|| self.issuer.audiences())
    }
}

impl From<Arc<TrustedIssuer>> for Accepted {
    fn from(issuer: Arc<TrustedIssuer>) -> Self {
        Self {
            issuer,
            audiences: None,
        }
    }
}
