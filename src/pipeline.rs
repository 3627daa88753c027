//! The path of a request through all stages, on one screen.
//!
//! The pipeline takes a request head and returns a [`Decision`], which contains the one credential that may be attached
//! to the request, or a [`Refusal`]. No stage can be skipped, because each type can be made only from the one
//! before it: `PresentedToken → SubjectToken → ExchangeRequest → PermittedExchange → TokenResponse → IssuedToken →
//! ForwardCredential`.

mod decision;
mod preflight;
mod record;
mod renewal;
mod request_record;
mod target;

pub use decision::{Decision, Forward, OnBehalfOf, PendingExchange, Respond};
pub use record::Recorder;
pub use request_record::RequestRecord;

use crate::{
    cache::{CacheKey, ExchangeCache, ExchangeReason, ForwardCredential, Hit, RefusedExchange},
    clock::SharedClock,
    error::Refusal,
    exchange::IssuedToken,
    gate::Gate,
    policy::ExchangeRequest,
    route::{Access, Route, RouteTable},
    source,
    store::Revocations,
    telemetry::{CacheResult, DecisionObserver, DecisionStep, Facts, RequestId},
    verify::VerifyError,
};
use decision::key_of;
use http::request::Parts;
use record::RecordingObserver;
use std::{hint::cold_path, pin::Pin, sync::Arc};
use target::keep_out_of_target;

/// All stages that a request passes before it may be forwarded.
#[derive(Debug)]
pub struct Pipeline {
    /// Refuses ambiguous requests.
    pub gate: Gate,
    /// The routes of the current configuration.
    pub routes: RouteTable,
    /// The maximum length of a token, in bytes.
    pub token_limit: usize,
    /// The cache of exchanged tokens.
    pub cache: ExchangeCache,
    /// Writes every exchange to the audit log and the metrics.
    pub recorder: Recorder,
    /// The revocations that are in effect.
    pub revocations: Revocations,
    /// The source of the current time.
    pub clock: SharedClock,
}

impl Pipeline {
    /// Runs the stages that do not wait for I/O. Most requests need no other stage.
    pub fn decide(
        &self,
        head: &Parts,
        id: RequestId,
        record: &mut RequestRecord<impl DecisionObserver>,
    ) -> Decision {
        Decision::from(self.try_decide(head, id, record))
    }

    fn try_decide(
        &self,
        head: &Parts,
        id: RequestId,
        record: &mut RequestRecord<impl DecisionObserver>,
    ) -> Result<Decision, Refusal> {
        let target = self.gate.pass(head)?;
        if let Some(asked) = preflight::responding(&self.routes, head, &target) {
            record.route = Some(Arc::clone(asked));
            return Ok(Decision::Respond(Respond::Preflight));
        }
        let route = self
            .routes
            .find(&target, &head.method)
            .ok_or(Refusal::NoRoute)?;
        record.route = Some(Arc::clone(route));
        let stages = match route.access() {
            Access::Public(public) => {
                let unread = source::needles(&head.headers)?;
                keep_out_of_target(&unread, head, &target, route)?;
                return Ok(Decision::Forward(Forward::Public(*public, unread)));
            }
            Access::Protected(stages) => stages,
        };
        let credential = stages
            .source
            .find(&head.headers, target.query(), self.token_limit)?;
        let bearer = credential.token;
        let operation = stages
            .policy
            .operation(&head.method, route.below(target.path()));
        let key = key_of(stages, operation, bearer);
        let Some(Hit {
            credential,
            refresh,
        }) = self.remembered(&key, id, route, record)?
        else {
            cold_path();
            let pending =
                PendingExchange::new(id, route, stages, bearer.present()?, operation, key);
            return Ok(Decision::Exchange(pending));
        };
        if let Some(due) = refresh {
            cold_path();
            let pending =
                PendingExchange::new(id, route, stages, bearer.present()?, operation, key);
            self.refresh_ahead(due, pending);
        }
        if let Err(refusal) =
            keep_out_of_target(credential.presented().as_slice(), head, &target, route)
        {
            cold_path();
            record.decision = Some(Arc::clone(credential.decision()));
            return Err(refusal);
        }
        Ok(Decision::Forward(Forward::OnBehalfOf(OnBehalfOf {
            credential,
            operation,
            key,
        })))
    }

    /// Makes the exchange and completes the decision about the request with this `head`.
    ///
    /// # Errors
    /// The refusal of the exchange, or of a copy of the token in the request target.
    pub async fn conclude(
        &self,
        head: &Parts,
        pending: PendingExchange,
        record: &mut RequestRecord<impl DecisionObserver>,
    ) -> Result<Forward, Refusal> {
        let (route, operation, key) = (Arc::clone(&pending.route), pending.operation, pending.key);
        let credential = self
            .exchange(pending, ExchangeReason::FirstUse, record)
            .await?;
        let target = self.gate.pass(head)?;
        record.decision = Some(Arc::clone(credential.decision()));
        keep_out_of_target(credential.presented().as_slice(), head, &target, &route)?;
        Ok(Forward::OnBehalfOf(OnBehalfOf {
            credential,
            operation,
            key,
        }))
    }

    fn remembered(
        &self,
        key: &CacheKey,
        id: RequestId,
        route: &Route,
        record: &mut RequestRecord<impl DecisionObserver>,
    ) -> Result<Option<Hit>, Refusal> {
        match self.cache.hit(key, record.started) {
            Ok(found) => {
                if found.is_some() {
                    record.note(route, CacheResult::Hit);
                }
                Ok(found)
            }
            Err(refused) => {
                cold_path();
                record.note(route, CacheResult::Negative);
                let (principal, refusal) = (refused.principal.as_deref(), refused.refusal);
                self.recorder.refused(route, id, principal, &refusal);
                record.decision = refused.decision;
                Err(refusal)
            }
        }
    }

    /// Prepares one exchange without starting it. It is boxed because it takes kilobytes and is moved several times
    /// before it starts.
    fn begin<W: DecisionObserver>(
        &self,
        pending: PendingExchange,
        observer: W,
    ) -> Pin<
        Box<impl Future<Output = Result<IssuedToken, RefusedExchange>> + Send + 'static + use<W>>,
    > {
        Box::pin(exchange(
            pending,
            self.recorder.clone(),
            self.revocations.clone(),
            Arc::clone(&self.clock),
            observer,
        ))
    }

    async fn exchange(
        &self,
        pending: PendingExchange,
        occasion: ExchangeReason,
        record: &mut RequestRecord<impl DecisionObserver>,
    ) -> Result<ForwardCredential, Refusal> {
        let started = self.clock.instant();
        let route = Arc::clone(&pending.route);
        let (key, presented) = (pending.key, pending.presented.clone());
        let exchange = self.begin(pending, record.observer.clone());
        let exchanged = self
            .cache
            .exchange_once(key, presented, occasion, exchange)
            .await;
        record.exchange = Some(self.clock.instant().saturating_duration_since(started));
        let result = exchanged
            .as_ref()
            .map_or(CacheResult::Miss, |granted| granted.result);
        record.note(&route, result);
        match exchanged {
            Ok(granted) => Ok(granted.credential),
            Err(refused) => {
                record.decision = refused.decision;
                Err(refused.refusal)
            }
        }
    }
}

/// Performs one exchange: verifies the token, applies the policy, exchanges it, and records the result.
async fn exchange(
    pending: PendingExchange,
    recorder: Recorder,
    revocations: Revocations,
    clock: SharedClock,
    observer: impl DecisionObserver,
) -> Result<IssuedToken, RefusedExchange> {
    let PendingExchange {
        id,
        route,
        stages,
        presented,
        operation,
        ..
    } = pending;
    let started = clock.instant();
    let mut observer = RecordingObserver::new(observer);
    let steps = async {
        let subject = stages
            .verifier
            .verify_before(&presented, &mut observer)
            .await?;
        let permitted = stages.policy.permit_before(
            ExchangeRequest::for_operation(subject, operation),
            clock.now(),
            &mut observer,
        )?;
        observer.begin(DecisionStep::Exchange, || {
            Facts::found(stages.exchanger.name())
        });
        let exchanger = &stages.exchanger;
        let response = exchanger.exchange(&permitted, &presented).await?;
        observer.begin(DecisionStep::Accept, || response.facts());
        let issued = exchanger.accept(permitted, response, &presented, clock.now())?;
        // checked again, because the exchange may have waited for a provider
        let active = issued.lineage().ensure_active(&revocations);
        active.map_err(VerifyError::from)?;
        recorder.issued(&route, id, &issued)?;
        observer.issued(|| issued.claims().cloned());
        Ok(issued)
    };
    let result = steps.await;
    let took = clock.instant().saturating_duration_since(started);
    recorder.ended(&route, id, observer.principal(), &result, took);
    result.map_err(|refusal| observer.refused(refusal))
}
