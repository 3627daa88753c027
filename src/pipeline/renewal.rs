//! Exchanges that replace a cached credential: after the upstream refused it, and before it expires.

use super::{OnBehalfOf, PendingExchange, Pipeline, RequestRecord};
use crate::{
    cache::{CacheKey, ExchangeReason, ForwardCredential, RefreshDue, Renewal},
    error::Refusal,
    policy::OperationId,
    route::Access,
    telemetry::{CacheResult, RequestId},
};
use http::request::Parts;
use std::sync::Arc;

impl Pipeline {
    /// Replaces the credential of the request with this `head` after the upstream refused it. Returns `None` if a new
    /// exchange would not help.
    ///
    /// # Errors
    /// The refusal of the new exchange.
    pub async fn renew(
        &self,
        head: &Parts,
        id: RequestId,
        refused: &mut OnBehalfOf,
        record: &mut RequestRecord,
    ) -> Option<Result<(), Refusal>> {
        let OnBehalfOf {
            credential,
            operation,
            key,
        } = refused;
        match self.cache.refused_by_upstream(key, credential) {
            Renewal::Pointless => None,
            Renewal::Exchange => {
                let renewed = self.exchange_anew(head, id, *operation, *key, record).await;
                Some(renewed.map(|renewed| *credential = renewed))
            }
        }
    }

    async fn exchange_anew(
        &self,
        head: &Parts,
        id: RequestId,
        operation: Option<OperationId>,
        key: CacheKey,
        record: &mut RequestRecord,
    ) -> Result<ForwardCredential, Refusal> {
        let route = record.route.clone().ok_or(Refusal::Fault)?;
        let Access::Protected(stages) = route.access() else {
            return Err(Refusal::Fault);
        };
        let presented = stages
            .source
            .find(&head.headers, head.uri.query(), self.token_limit)?
            .token
            .present()?;
        let pending = PendingExchange::new(id, &route, stages, presented, operation, key);
        self.exchange(pending, ExchangeReason::UpstreamRefused, record)
            .await
    }

    /// Starts a background exchange that replaces a cached one. The request that presents the token does not wait for
    /// it.
    pub(super) fn refresh_ahead(&self, due: RefreshDue, pending: PendingExchange) {
        let route = Arc::clone(&pending.route);
        let (key, presented) = (pending.key, pending.presented.clone());
        let exchange = self.begin(pending, ());
        self.cache.refresh_ahead(due, key, presented, async move {
            let exchanged = exchange.await;
            if exchanged.is_ok() {
                route.metrics().cache(CacheResult::Refreshed);
            }
            exchanged
        });
    }
}
