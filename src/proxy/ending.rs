//! Counts and logs each request when it ends.

use super::{
    context::{Context, RequestState},
    fault::Failure,
};
use crate::{
    edge::lease::EndReason,
    error::Refusal,
    gate::{GateError, wire::HeadFault},
    source,
    telemetry::{AccessRecord, CacheResult, Outcome, Reason, Recorded, Remembered, TokenDecision},
};
use http::{HeaderMap, Request, StatusCode, Version, header};
use pingora::{http::RequestHeader, proxy::Session};
use std::{error::Error, hint::cold_path, net::IpAddr, sync::Arc};

/// Counts a request, writes its access log line, and stores the decision for `explain`. `status` is the status of the
/// response that the client received; 0 if it received none.
pub(super) fn note_end(head: &RequestHeader, status: u16, ctx: &Context) {
    let ended = ctx.hooks.clock.instant();
    let duration = ended.saturating_duration_since(ctx.record.started);
    let (outcome, reason) = outcome(ctx);
    let metrics = ctx
        .record
        .route
        .as_ref()
        .map_or(ctx.hooks.no_route.as_ref(), |route| route.metrics());
    metrics.request(outcome, duration);
    if let Some(reason) = reason {
        cold_path();
        metrics.denied(reason);
    }
    let decision = decision(ctx);
    let mut record = AccessRecord {
        route: ctx
            .record
            .route
            .as_ref()
            .map_or("none", |route| route.name()),
        method: head.method.as_str(),
        host: host(head),
        path: Some(head.uri.path()),
        target: ctx.target,
        decision: decision.map(AsRef::as_ref),
        detail: None,
        http_version: version(head.version),
        attempts: ctx.attempts,
        status,
        outcome,
        reason,
        cache: ctx.record.cache,
        duration,
        ended,
        exchange: ctx.record.exchange,
        upstream: ctx.upstream,
        upstream_error: ctx.failure.as_ref().map(|failure| failure.cause),
        request_id: ctx.id,
        trace: ctx.trace,
        client: ctx.client,
    };
    let from_memory = ctx
        .record
        .cache
        .is_none_or(|cache| cache == CacheResult::Hit);
    if outcome == Outcome::Forwarded && from_memory {
        ctx.hooks.access_log.record(&record);
        ctx.hooks.decisions.remember(Remembered {
            id: ctx.id,
            ended,
            status,
            duration,
            decision: decision.map(Arc::clone),
        });
        return;
    }
    cold_path();
    if matches!(
        ctx.refusal(),
        Some(Refusal::Gate(GateError::MalformedHead(HeadFault::Stream)))
    ) {
        // the head is a substitute
        record.path = None;
        record.http_version = version(Version::HTTP_2);
    }
    let detail = ctx.refusal().map(causes);
    record.detail = detail.as_deref();
    // the target of a forwarded request was searched for the token before
    if outcome != Outcome::Forwarded {
        withhold_token(&mut record, &head.headers);
    }
    ctx.hooks.access_log.record(&record);
    let now = ctx.hooks.clock.since_epoch();
    let recorded = Recorded {
        id: ctx.id,
        line: ctx.hooks.access_log.line(&record, now),
        decision: decision.map(Arc::clone),
    };
    ctx.hooks.decisions.record(outcome, reason, recorded);
}

impl Drop for Context {
    /// Counts and logs a request that was dropped because its credential ended: pingora calls no hook for it.
    fn drop(&mut self) {
        if self.noted || self.ended().is_none() {
            return;
        }
        cold_path();
        if self.ended() == Some(EndReason::Quiet) {
            self.failure = Some(Failure::timed_out(self.stage));
        }
        let (mut head, ()) = Request::new(()).into_parts();
        if let Some((method, uri, version)) = self.kept.take() {
            (head.method, head.uri, head.version) = (method, uri, version);
        }
        note_end(&RequestHeader::from(head), self.status, self);
    }
}

/// Returns the status of the response that was written to the client; 0 if none was.
pub(super) fn status_of(session: &Session, ctx: &Context) -> u16 {
    let written = || session.response_written().map(|head| head.status);
    ctx.replaced
        .or_else(written)
        .map_or(0, |status| status.as_u16())
}

/// Returns the decision about the token of a request, regardless of what happened to the request afterwards.
fn decision(ctx: &Context) -> Option<&Arc<TokenDecision>> {
    match ctx.credential() {
        Some(credential) => Some(credential.decision()),
        None => ctx.record.decision.as_ref(),
    }
}

/// Hides host and path if they contain, or could contain, the presented token. The target of a request that was not
/// forwarded has not been searched for it yet.
fn withhold_token(record: &mut AccessRecord<'_>, headers: &HeaderMap) {
    const WITHHELD: &str = "(withheld: contains the token)";
    let shown = [record.host, record.path].map(Option::unwrap_or_default);
    let holds = match source::needles(headers) {
        Ok(presented) => presented
            .iter()
            .any(|token| shown.iter().any(|text| token.is_in(text.as_bytes()))),
        Err(_) => true,
    };
    if holds || record.reason == Some(Reason::TokenInTarget) {
        (record.host, record.path) = (None, Some(WITHHELD));
    }
}

/// Returns the text of the refusal and of all its causes.
fn causes(refusal: &Refusal) -> String {
    let mut text = refusal.to_string();
    let mut cause = refusal.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        // a transparent error has the text of its source
        if !text.ends_with(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

fn host(head: &RequestHeader) -> Option<&str> {
    let field = head.headers.get(header::HOST);
    match field {
        Some(field) => field.to_str().ok(),
        None => head.uri.authority().map(|authority| authority.as_str()),
    }
}

const fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_11 => "HTTP/1.1",
        Version::HTTP_2 => "HTTP/2",
        _ => "other",
    }
}

fn outcome(ctx: &Context) -> (Outcome, Option<Reason>) {
    match (&ctx.state, ctx.ended()) {
        (RequestState::Forwarding(_), Some(ended)) => {
            cold_path();
            match ended {
                EndReason::Expired => (Outcome::Ended, Some(Reason::TokenExpired)),
                EndReason::Revoked => (Outcome::Ended, Some(Reason::TokenRevoked)),
                EndReason::Quiet => (Outcome::UpstreamFailed, Some(Reason::UpstreamTimeout)),
            }
        }
        (RequestState::Forwarding(_), None) if !ctx.client_gone => (Outcome::Forwarded, None),
        (RequestState::Forwarding(_) | RequestState::Received, _) => (Outcome::ClientGone, None),
        (RequestState::Refused(refusal), _) => (refusal.outcome(), Some(refusal.reason())),
        (RequestState::TokenService(status, reason), _) => (of_service(*status), *reason),
        (RequestState::Preflight, _) => (Outcome::Served, None),
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

/// Returns the client's address.
pub(super) fn client_of(session: &Session) -> Option<IpAddr> {
    session
        .client_addr()
        .and_then(|address| address.as_inet())
        .map(|address| address.ip())
}
