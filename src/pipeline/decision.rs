//! What the pipeline decides about a request.

use crate::{
    cache::{AuthorizationContext, CacheKey, ForwardCredential},
    policy::OperationId,
    route::{Protected, Public, Route},
    source::{Bearer, PresentedToken, TokenNeedle},
    telemetry::RequestId,
};
use std::sync::Arc;

/// The result of the part of the pipeline that does not wait for I/O.
#[derive(Debug)]
pub enum Decided {
    /// The request is admitted.
    Now(Admission),
    /// The token has to be exchanged first.
    AfterExchange(PendingExchange),
}

/// The credential, or its intended absence, with which a request may be forwarded.
#[derive(Debug)]
pub enum Admission {
    /// The credential that replaces the presented token.
    Authorized(Authorized),
    /// The route is configured to need no token. The gateway removes any token that the client presents anyway,
    /// wherever it is in the request.
    Public(Public, Vec<TokenNeedle>),
    /// The request is a CORS preflight. The gateway responds by the CORS rules of the route and forwards nothing.
    Preflight,
}

/// The proof that the token of a request was exchanged.
#[derive(Debug)]
pub struct Authorized {
    /// The credential to attach to the request.
    pub credential: ForwardCredential,
    pub(super) operation: Option<OperationId>,
    pub(super) key: CacheKey,
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
