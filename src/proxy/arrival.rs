//! Decides what is done with a request once its head is complete.
//!
//! The request is either forwarded, with the proof for that in its [`Context`], or the gateway sends a response itself.
//! Most requests need no I/O for this decision: [`receive`] alone decides on them.

use super::{
    Hooks,
    context::{Answered, Context, Progress},
    cors,
    ending::client_of,
    hygiene::{TRACEPARENT, forget_spelling},
    respond, token_service,
};
use crate::{
    edge,
    error::Refusal,
    gate::{GateError, PathAmbiguity, check_host, wire},
    pipeline::{Admission, Decided, PendingExchange},
    telemetry::TraceContext,
};
use http::{Version, header};
use pingora::{Result, http::RequestHeader, proxy::Session};
use std::hint::cold_path;

/// The kind of a request, which is determined before any other check.
pub(super) enum FirstLook {
    /// A request for the token service or for one of its documents.
    Service,
    /// A request that the pipeline decides on.
    Request,
    /// A request that is refused without further checks.
    Refused(Refusal),
}

impl Hooks {
    pub(super) fn first_look(&self, head: &RequestHeader) -> FirstLook {
        // the edge has checked the bytes of HTTP/1
        if head.version != Version::HTTP_11
            && head.version != Version::HTTP_10
            && let Err(error) = wire::check_parsed(head)
        {
            return FirstLook::Refused(error.into());
        }
        if self.service.serves(head.uri.path()) {
            return match check_host(head) {
                Ok(()) => FirstLook::Service,
                Err(error) => FirstLook::Refused(error.into()),
            };
        }
        match origin_form(head) {
            Ok(()) => FirstLook::Request,
            Err(refusal) => FirstLook::Refused(refusal),
        }
    }
}

/// The state of a request after its head was received.
pub(super) enum Received {
    /// What is done with the request is known.
    Step(Step),
    /// The token has to be exchanged first; the exchange decides.
    Exchange(PendingExchange),
}

/// What is done with a request.
pub(super) enum Step {
    Forward,
    Serve,
    AnswerPreflight,
    Refuse(Refusal),
}

/// Decides what is done with the request of `session`, as far as that is possible without waiting.
pub(super) fn receive(session: &Session, ctx: &mut Context) -> Received {
    ctx.client = client_of(session);
    if let Some(error) = edge::refusal() {
        cold_path();
        return Received::Step(Step::Refuse(error.into()));
    }
    let head = session.req_header();
    let trace = head.headers.get(TRACEPARENT);
    ctx.trace = trace.and_then(|value| TraceContext::parse(value.as_bytes()));
    Received::Step(match ctx.hooks.first_look(head) {
        FirstLook::Service => Step::Serve,
        FirstLook::Refused(refusal) => Step::Refuse(refusal),
        FirstLook::Request => match ctx.hooks.pipeline.decide(head, ctx.id, &mut ctx.record) {
            Ok(Decided::Now(admission)) => Step::after(Ok(admission), ctx),
            Ok(Decided::AfterExchange(pending)) => return Received::Exchange(pending),
            Err(refusal) => Step::Refuse(refusal),
        },
    })
}

impl Step {
    fn after(admitted: Result<Admission, Refusal>, ctx: &mut Context) -> Self {
        match admitted {
            Ok(Admission::Authorized(authorized)) => {
                ctx.progress = Progress::Authorized(authorized);
                Self::Forward
            }
            Ok(Admission::Public(public, unread)) => {
                ctx.progress = Progress::Public(public, unread);
                Self::Forward
            }
            Ok(Admission::Preflight) => Self::AnswerPreflight,
            Err(refusal) => Self::Refuse(refusal),
        }
    }
}

/// Completes the handling of a `received` request. Returns `true` if the response has been sent.
pub(super) async fn go_on(
    received: Received,
    session: &mut Session,
    ctx: &mut Context,
) -> Result<bool> {
    let step = match received {
        Received::Step(step) => step,
        Received::Exchange(pending) => {
            let (head, record) = (session.req_header(), &mut ctx.record);
            let admitted = ctx.hooks.pipeline.conclude(head, pending, record).await;
            Step::after(admitted, ctx)
        }
    };
    match step {
        Step::Forward => {
            prepare(session);
            return Ok(false);
        }
        // boxed, so that the future of an exchange does not reserve memory for these
        Step::Serve => Box::pin(token_service::answer(session, ctx)).await?,
        Step::AnswerPreflight => {
            ctx.progress = Progress::Answered(Answered::Preflight);
            Box::pin(cors::answer_preflight(session, ctx)).await?;
        }
        Step::Refuse(refusal) => {
            let answer = refusal.answer();
            ctx.refuse(refusal);
            Box::pin(respond::refuse(session, &answer, ctx)).await?;
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
fn origin_form(head: &RequestHeader) -> Result<(), Refusal> {
    if !head.raw_path().starts_with(b"/") {
        return Err(GateError::AmbiguousPath(PathAmbiguity::NotAbsolute).into());
    }
    if !head.raw_path_is_utf8() {
        return Err(GateError::AmbiguousPath(PathAmbiguity::NotUtf8).into());
    }
    Ok(())
}
