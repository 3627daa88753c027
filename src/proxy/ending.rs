//! The end of a request: counted and logged in one place.

use super::{
    context::{Answered, Context, Progress},
    lease::EndReason,
};
use crate::telemetry::{AccessRecord, Outcome, Reason};
use http::StatusCode;
use pingora::{http::RequestHeader, proxy::Session};
use std::{hint::cold_path, net::IpAddr};

/// Counts a request and writes its log line. `status` is that of the response that the client received; 0 if none.
pub(super) fn note_end(head: &RequestHeader, status: u16, ctx: &Context) {
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
        method: head.method.as_str(),
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

/// Returns the status of the response that was written to the client; 0 if none was.
pub(super) fn status_of(session: &Session, ctx: &Context) -> u16 {
    let written = || session.response_written().map(|head| head.status);
    ctx.replaced
        .or_else(written)
        .map_or(0, |status| status.as_u16())
}

fn outcome(ctx: &Context) -> (Outcome, Option<Reason>) {
    if let (Progress::Authorized(_) | Progress::Public(..), Some(ended)) =
        (&ctx.progress, ctx.ended())
    {
        cold_path();
        return match ended {
            EndReason::Expired => (Outcome::Ended, Some(Reason::TokenExpired)),
            EndReason::Revoked => (Outcome::Ended, Some(Reason::TokenRevoked)),
            EndReason::Quiet => (Outcome::UpstreamFailed, Some(Reason::UpstreamTimeout)),
        };
    }
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
