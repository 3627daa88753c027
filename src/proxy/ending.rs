//! The end of a request: counted and logged in one place.

use super::{
    Serving,
    context::{Answered, Context, Progress},
};
use crate::telemetry::{AccessRecord, Outcome, Reason};
use http::StatusCode;
use pingora::proxy::Session;
use std::{hint::cold_path, net::IpAddr};

impl Serving {
    /// Counts the request and writes its line.
    pub(super) fn note_end(&self, session: &Session, ctx: &Context) {
        let status = ctx.replaced.map_or_else(
            || {
                let written = session.response_written();
                written.map_or(0, |head| head.status.as_u16())
            },
            |status| status.as_u16(),
        );
        let ended = ctx.hooks.clock.instant();
        let duration = ended.saturating_duration_since(ctx.trail.started);
        let (outcome, reason) = outcome(ctx);
        let metrics = ctx
            .trail
            .route
            .as_ref()
            .map_or(ctx.hooks.no_route.as_ref(), |route| route.metrics());
        metrics.request(outcome, duration);
        if let Some(reason) = reason {
            cold_path();
            metrics.denied(reason);
        }
        ctx.hooks.access_log.record(&AccessRecord {
            route: ctx
                .trail
                .route
                .as_ref()
                .map_or("none", |route| route.name()),
            method: session.req_header().method.as_str(),
            status,
            outcome,
            reason,
            cache: ctx.trail.cache,
            duration,
            ended,
            exchange: ctx.trail.exchange,
            upstream: ctx.upstream,
            upstream_error: ctx.failure.as_ref().map(|failure| failure.cause),
            request_id: ctx.id,
            trace: ctx.trace,
            client: ctx.client,
        });
    }
}

fn outcome(ctx: &Context) -> (Outcome, Option<Reason>) {
    match (&ctx.progress, ctx.client_gone) {
        (Progress::Answered(Answered::Refused(refusal)), _) => {
            (refusal.outcome(), Some(refusal.reason()))
        }
        (Progress::Answered(Answered::Service(status, reason)), _) => {
            (of_service(*status), *reason)
        }
        (Progress::Answered(Answered::Preflight), _) => (Outcome::Served, None),
        (Progress::Authorized(_) | Progress::Public(..), false) => (Outcome::Forwarded, None),
        (Progress::Authorized(_) | Progress::Public(..) | Progress::Received, _) => {
            (Outcome::ClientGone, None)
        }
    }
}

fn of_service(status: StatusCode) -> Outcome {
    if status.is_server_error() {
        Outcome::Unavailable
    } else if status.is_client_error() {
        Outcome::Refused
    } else {
        Outcome::Served
    }
}

/// The client's address.
pub(super) fn client_of(session: &Session) -> Option<IpAddr> {
    session
        .client_addr()
        .and_then(|address| address.as_inet())
        .map(|address| address.ip())
}
