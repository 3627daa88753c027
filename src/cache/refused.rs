//! A refused exchange, as it is cached and returned to every request that waited for it.

use crate::{
    error::Refusal,
    telemetry::{Principal, TokenDecision},
};
use std::sync::Arc;

/// A refused exchange, with its reason and the subject of its token.
#[derive(Debug, Clone)]
pub struct RefusedExchange {
    /// The reason.
    pub refusal: Refusal,
    /// The subject of the token; `None` if its signature was not verified.
    pub principal: Option<Arc<Principal>>,
    /// `None` if no check of the token was made.
    pub decision: Option<Arc<TokenDecision>>,
}

impl From<Refusal> for RefusedExchange {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            principal: None,
            decision: None,
        }
    }
}
