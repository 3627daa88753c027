//! What one request carries from hook to hook.

use super::{
    Hooks,
    ending::note_end,
    fault::{Failure, Stage},
    lease::{EndReason, LeaseGuard, Phase},
};
use crate::{
    error::Refusal,
    pipeline::{Authorized, Trail},
    route::Public,
    source::Imprint,
    telemetry::{Reason, RequestId, TraceContext},
};
use http::{HeaderValue, Method, Request, StatusCode, Uri, Version};
use pingora::{Error, ErrorType, http::RequestHeader};
use std::{
    hint::cold_path,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

/// The state of one request.
#[derive(Debug)]
pub struct Context {
    /// What the request began with; it ends with it, whatever is loaded meanwhile.
    pub(super) hooks: Arc<Hooks>,
    pub(super) id: RequestId,
    pub(super) trail: Trail,
    pub(super) progress: Progress,
    pub(super) trace: Option<TraceContext>,
    /// The client's address.
    pub(super) client: Option<IpAddr>,
    /// When the present attempt went to the downstream.
    pub(super) sent: Option<Instant>,
    /// How long the downstream took for the head of its last answer.
    pub(super) upstream: Option<Duration>,
    /// Whether the present attempt failed in a way that a repetition mends.
    pub(super) repeat: bool,
    /// Whether the token was exchanged anew because the downstream refused it.
    pub(super) renewed: bool,
    /// Whether the client went away before its answer ended.
    pub(super) client_gone: bool,
    /// Where the last attempt was sent, or was to be sent.
    pub(super) target: Option<SocketAddr>,
    /// The Host field that names the chosen target.
    pub(super) authority: Option<HeaderValue>,
    /// How many attempts were made.
    pub(super) attempts: usize,
    /// How far the present attempt has come.
    pub(super) stage: Stage,
    /// How many informational responses the present attempt got.
    pub(super) informational: u8,
    /// The status that the client got in place of one whose head was kept back.
    pub(super) replaced: Option<StatusCode>,
    /// How the last attempt failed.
    pub(super) failure: Option<Failure>,
    /// Whether the request asks for a tunnel that its route allows.
    pub(super) tunnel: bool,
    /// Ends the request with its credential.
    pub(super) lease: Option<LeaseGuard>,
    /// The status of the response that has begun; 0 before.
    pub(super) status: u16,
    /// What the response that has begun is: a stream, or a body.
    pub(super) phase: Phase,
    /// Method, target and version, for the log line of a request that pingora does not end itself.
    kept: Option<(Method, Uri, Version)>,
    /// Whether the request was counted and logged.
    pub(super) noted: bool,
}

/// How far the request has come. Only the two middle states let it out.
#[derive(Debug)]
pub(super) enum Progress {
    /// Its head arrived.
    Received,
    /// Its token was exchanged.
    Authorized(Authorized),
    /// It is on a public route.
    Public(#[allow(dead_code)] Public, Vec<Imprint>), // the proof is held, not read
    /// It was answered by the gateway itself.
    Answered(Answered),
}

/// An answer of the gateway's own.
#[derive(Debug)]
pub(super) enum Answered {
    /// What the token service says, and why where it refuses.
    Service(StatusCode, Option<Reason>),
    /// What a browser asked.
    Preflight,
    /// A refusal.
    Refused(Refusal),
}

impl Context {
    pub(super) fn new(hooks: Arc<Hooks>) -> Self {
        Self {
            id: hooks.ids.request_id(),
            trail: Trail::since(hooks.clock.instant()),
            hooks,
            progress: Progress::Received,
            trace: None,
            client: None,
            sent: None,
            upstream: None,
            repeat: false,
            renewed: false,
            client_gone: false,
            target: None,
            authority: None,
            attempts: 0,
            stage: Stage::Connecting,
            informational: 0,
            replaced: None,
            failure: None,
            tunnel: false,
            lease: None,
            status: 0,
            phase: Phase::Body,
            kept: None,
            noted: false,
        }
    }

    /// The refusal that ended the request, if one did.
    pub(super) fn refusal(&self) -> Option<&Refusal> {
        match &self.progress {
            Progress::Answered(Answered::Refused(refusal)) => Some(refusal),
            Progress::Answered(Answered::Service(..) | Answered::Preflight)
            | Progress::Received
            | Progress::Authorized(_)
            | Progress::Public(..) => None,
        }
    }

    pub(super) fn refuse(&mut self, refusal: Refusal) {
        if let Progress::Authorized(authorized) = &self.progress {
            self.trail.decision = Some(Arc::clone(authorized.credential.decision()));
        }
        self.progress = Progress::Answered(Answered::Refused(refusal));
    }

    /// Returns why the lease ended the request, if it did.
    pub(super) fn ended(&self) -> Option<EndReason> {
        self.lease.as_ref().and_then(LeaseGuard::ended)
    }

    /// Returns `true` if the request's credential has expired.
    pub(super) fn is_expired(&self) -> bool {
        match &self.progress {
            Progress::Authorized(authorized) => {
                self.hooks.clock.now() >= authorized.credential.usable_until()
            }
            Progress::Received | Progress::Public(..) | Progress::Answered(_) => false,
        }
    }

    /// Keeps what the log line needs of the head of a request that may have to be dropped.
    pub(super) fn keep_for_log(&mut self, head: &RequestHeader) {
        if self.kept.is_none() {
            self.kept = Some((head.method.clone(), head.uri.clone(), head.version));
        }
    }
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

/// Ends the request with `refusal`; the answer is written by `fail_to_proxy`.
#[cold]
pub(super) fn refused(ctx: &mut Context, refusal: Refusal) -> Box<Error> {
    let status = refusal.answer().status.as_u16();
    ctx.refuse(refusal);
    Error::explain(ErrorType::HTTPStatus(status), "refused")
}
