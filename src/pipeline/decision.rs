//! What the pipeline decides about a request.

use crate::{
    cache::{AuthorizationContext, CacheKey, ForwardCredential},
    error::Refusal,
    policy::OperationId,
    route::{Protected, Public, Route},
    source::{Bearer, PresentedToken, TokenNeedle},
    telemetry::RequestId,
};
use std::sync::Arc;

/// What happens to a request.
#[derive(Debug)]
pub enum Decision {
    /// The gateway forwards it.
    Forward(Forward),
    /// The gateway itself responds.
    Respond(Respond),
    /// The token has to be exchanged first. [`Pipeline::conclude`](super::Pipeline::conclude) decides.
    Exchange(PendingExchange),
}

/// The proof that a request may be forwarded.
#[derive(Debug)]
pub enum Forward {
    /// With the credential that replaces the presented token.
    OnBehalfOf(OnBehalfOf),
    /// The route is configured to need no token. The gateway removes any token that the client presents anyway,
    /// wherever it is in the request.
    Public(#[allow(dead_code)] Public, Vec<TokenNeedle>), // a proof that is never read
}

/// The proof that the token of a request was exchanged.
#[derive(Debug)]
pub struct OnBehalfOf {
    /// The credential to attach to the request.
    pub credential: ForwardCredential,
    pub(super) operation: Option<OperationId>,
    pub(super) key: CacheKey,
}

/// A response that the gateway itself sends.
#[derive(Debug)]
pub enum Respond {
    /// The response of the token service, or one of its documents.
    TokenService,
    /// The response to a CORS preflight request, by the rules of the route.
    Preflight,
    /// A refusal.
    Refusal(Refusal),
}

impl From<Result<Self, Refusal>> for Decision {
    fn from(decided: Result<Self, Refusal>) -> Self {
        decided.unwrap_or_else(|refusal| Self::Respond(Respond::Refusal(refusal)))
    }
}

/// An exchange that has to be made for one request.
#[derive(Debug)]
pub struct PendingExchange {
    pub(super) id: RequestId,
    pub(super) route: Arc<Route>,
    pub(super) stages: Arc<Protected>,
    pub(super) presented: PresentedToken,
    pub(super) operation: Option<OperationId>,
    pub(super) key: CacheKey,
}

impl PendingExchange {
    pub(super) fn new(
        id: RequestId,
        route: &Arc<Route>,
        stages: &Arc<Protected>,
        presented: PresentedToken,
        operation: Option<OperationId>,
        key: CacheKey,
    ) -> Self {
        Self {
            id,
            route: Arc::clone(route),
            stages: Arc::clone(stages),
            presented,
            operation,
            key,
        }
    }
}

/// The cache key of the exchange for `bearer` on a route with these stages.
pub(super) fn key_of(
    stages: &Protected,
    operation: Option<OperationId>,
    bearer: Bearer<'_>,
) -> CacheKey {
    let context = AuthorizationContext {
        policy: stages.contexts.of(operation),
        presented: bearer,
        actor: None,
        confirmation: None,
    };
    context.key()
}
