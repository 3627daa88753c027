//! Decides what is done with a request once its head is complete.
//!
//! The request is either forwarded, with the proof for that in its [`Context`], or the gateway sends a response itself.
//! Most requests need no I/O for this decision: [`decide`] alone decides on them.

use super::{
    Hooks,
    context::{Context, RequestState},
    cors,
    ending::client_of,
    hygiene::{TRACEPARENT, forget_spelling},
    respond, token_service,
};
use crate::{
    edge,
    error::Refusal,
    gate::{GateError, PathAmbiguity, check_host, wire},
    pipeline::{Decision, RequestRecord, Respond},
    telemetry::{DecisionObserver, RequestId, TraceContext},
};
use http::{Version, header};
use pingora::{Result, http::RequestHeader, proxy::Session};
use std::hint::cold_path;

impl Hooks {
    /// Decides what happens to a request, as far as that is possible without waiting.
    pub(super) fn decide(
        &self,
        head: &RequestHeader,
        id: RequestId,
        record: &mut RequestRecord<impl DecisionObserver>,
    ) -> Decision {
        // the edge has checked the bytes of HTTP/1
        if head.version != Version::HTTP_11
            && head.version != Version::HTTP_10
            && let Err(error) = wire::check_parsed(head)
        {
            return refuse(error);
        }
        if self.service.serves(head.uri.path()) {
            return match check_host(head) {
                Ok(()) => Decision::Respond(Respond::TokenService),
                Err(error) => refuse(error),
            };
        }
        match origin_form(head) {
            Ok(()) => self.pipeline.decide(head, id, record),
            Err(error) => refuse(error),
        }
    }
}

/// Decides what happens to the request of `session`, as far as that is possible without waiting.
pub(super) fn decide(session: &Session, ctx: &mut Context) -> Decision {
    ctx.client = client_of(session);
    if let Some(error) = edge::refusal() {
        cold_path();
        return refuse(error);
    }
    let head = session.req_header();
    let trace = head.headers.get(TRACEPARENT);
    ctx.trace = trace.and_then(|value| TraceContext::parse(value.as_bytes()));
    ctx.hooks.decide(head, ctx.id, &mut ctx.record)
}

fn refuse(error: impl Into<Refusal>) -> Decision {
    Decision::Respond(Respond::Refusal(error.into()))
}

/// Completes the handling of a request that is not forwarded at once. Returns `true` if the response has been sent.
pub(super) async fn go_on(
    decision: Decision,
    session: &mut Session,
    ctx: &mut Context,
) -> Result<bool> {
    let decided = match decision {
        Decision::Forward(forward) => Ok(forward),
        Decision::Respond(respond) => Err(respond),
        Decision::Exchange(pending) => {
            let (head, record) = (session.req_header(), &mut ctx.record);
            let concluded = ctx.hooks.pipeline.conclude(head, pending, record).await;
            concluded.map_err(Respond::Refusal)
        }
    };
    match decided {
        Ok(forward) => {
            ctx.state = RequestState::Forwarding(forward);
            prepare(session);
            return Ok(false);
        }
        // boxed, so that the future of an exchange does not reserve memory for these
        Err(Respond::TokenService) => Box::pin(token_service::respond(session, ctx)).await?,
        Err(Respond::Preflight) => {
            ctx.state = RequestState::Preflight;
            Box::pin(cors::respond_to_preflight(session, ctx)).await?;
        }
        Err(Respond::Refusal(refusal)) => {
            let response = refusal.response();
            ctx.refuse(refusal);
            Box::pin(respond::refuse(session, &response, ctx)).await?;
        }
    }
    Ok(true)
}

/// Prepares the head of a request that is forwarded, so that it can be copied for each attempt.
pub(super) fn prepare(session: &mut Session) {
    if session.req_header().version == Version::HTTP_10 {
        cold_path();
        // RFC 9110 §10.1.1, §15.2: an HTTP/1.0 client does not wait for a 100 and understands no 1xx response
        session.req_header_mut().remove_header(&header::EXPECT);
        session.as_downstream_mut().set_ignore_info_resp(true);
    }
    forget_spelling(session.req_header_mut());
}

/// Accepts only targets of the form `/path?query`, because only these are matched and forwarded. The edge has converted
/// absolute targets to this form. Bytes that are not UTF-8 would be matched in another form than they are forwarded in.
fn origin_form(head: &RequestHeader) -> Result<(), GateError> {
    if !head.raw_path().starts_with(b"/") {
        return Err(PathAmbiguity::NotAbsolute.into());
    }
    if !head.raw_path_is_utf8() {
        return Err(PathAmbiguity::NotUtf8.into());
    }
    Ok(())
}
