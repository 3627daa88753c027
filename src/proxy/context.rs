//! The state of a request that pingora passes from hook to hook.

use super::{
    Hooks,
    fault::{Failure, Stage},
};
use crate::{
    cache::ForwardCredential,
    edge::lease::{EndReason, LeaseGuard, Phase},
    error::Refusal,
    pipeline::{Forward, RequestRecord},
    telemetry::{Reason, RequestId, TraceContext},
};
use http::{HeaderValue, Method, StatusCode, Uri, Version};
use pingora::{Error, ErrorType, http::RequestHeader};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

/// The state of one request.
#[derive(Debug)]
pub struct Context {
    /// The hooks of the configuration with which the request began. A reload does not replace them.
    pub(super) hooks: Arc<Hooks>,
    pub(super) id: RequestId,
    pub(super) record: RequestRecord,
    pub(super) state: RequestState,
    pub(super) trace: Option<TraceContext>,
    /// The client's address.
    pub(super) client: Option<IpAddr>,
    /// When the current attempt was sent to the upstream.
    pub(super) sent: Option<Instant>,
    /// The time that the upstream took for the head of its last response.
    pub(super) upstream: Option<Duration>,
    /// `true` if the current attempt failed in a way that a repetition fixes.
    pub(super) repeat: bool,
    /// `true` if the token was exchanged again because the upstream refused it.
    pub(super) renewed: bool,
    /// `true` if the client disconnected before its response was complete.
    pub(super) client_gone: bool,
    /// The address to which the last attempt was sent or was to be sent.
    pub(super) target: Option<SocketAddr>,
    /// The Host field that names the chosen target.
    pub(super) authority: Option<HeaderValue>,
    /// The number of attempts so far.
    pub(super) attempts: usize,
    /// The progress of the current attempt.
    pub(super) stage: Stage,
    /// The number of informational responses to the current attempt.
    pub(super) informational: u8,
    /// The status that the client received in place of a response whose head was kept back.
    pub(super) replaced: Option<StatusCode>,
    /// Why the last attempt failed.
    pub(super) failure: Option<Failure>,
    /// `true` if the request asks for a tunnel that its route allows.
    pub(super) tunnel: bool,
    /// Ends the request when its credential expires or is revoked.
    pub(super) lease: Option<LeaseGuard>,
    /// The status of the response that has begun; 0 before that.
    pub(super) status: u16,
    /// The kind of the response that has begun: a stream or an ordinary body.
    pub(super) phase: Phase,
    /// Method, target and version, for the access log line of a request that pingora does not end itself.
    pub(super) kept: Option<(Method, Uri, Version)>,
    /// `true` if the request was counted and logged.
    pub(super) noted: bool,
}

/// What happens to a request. Only `Forwarding` permits that it is forwarded.
#[derive(Debug)]
pub(super) enum RequestState {
    /// Its head has arrived.
    Received,
    /// It is forwarded, with this proof.
    Forwarding(Forward),
    /// The gateway refuses it.
    Refused(Refusal),
    /// The gateway responds to a CORS preflight request.
    Preflight,
    /// The token service responded, with a reason if it refused.
    TokenService(StatusCode, Option<Reason>),
}

impl Context {
    pub(super) fn new(hooks: Arc<Hooks>) -> Self {
        Self {
            id: hooks.ids.request_id(),
            record: RequestRecord::since(hooks.clock.instant()),
            hooks,
            state: RequestState::Received,
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

    /// Returns the refusal that ended the request, if there is one.
    pub(super) fn refusal(&self) -> Option<&Refusal> {
        match &self.state {
            RequestState::Refused(refusal) => Some(refusal),
            RequestState::Received
            | RequestState::Forwarding(_)
            | RequestState::Preflight
            | RequestState::TokenService(..) => None,
        }
    }

    /// Returns the credential that the request is forwarded with, if there is one.
    pub(super) fn credential(&self) -> Option<&ForwardCredential> {
        match &self.state {
            RequestState::Forwarding(Forward::OnBehalfOf(proof)) => Some(&proof.credential),
            RequestState::Forwarding(Forward::Public(..))
            | RequestState::Received
            | RequestState::Refused(_)
            | RequestState::Preflight
            | RequestState::TokenService(..) => None,
        }
    }

    pub(super) fn refuse(&mut self, refusal: Refusal) {
        if let Some(credential) = self.credential() {
            self.record.decision = Some(Arc::clone(credential.decision()));
        }
        self.state = RequestState::Refused(refusal);
    }

    /// Returns why the lease ended the request, if it did.
    pub(super) fn ended(&self) -> Option<EndReason> {
        self.lease.as_ref().and_then(LeaseGuard::ended)
    }

    /// Returns `true` if the request's credential has expired.
    pub(super) fn is_expired(&self) -> bool {
        self.credential()
            .is_some_and(|credential| self.hooks.clock.now() >= credential.usable_until())
    }

    /// Keeps the parts of the head that the access log line needs, for a request that may have to be dropped.
    pub(super) fn keep_for_log(&mut self, head: &RequestHeader) {
        if self.kept.is_none() {
            self.kept = Some((head.method.clone(), head.uri.clone(), head.version));
        }
    }
}

/// Ends the request with `refusal`; `fail_to_proxy` writes the response.
#[cold]
pub(super) fn refused(ctx: &mut Context, refusal: Refusal) -> Box<Error> {
    let status = refusal.response().status.as_u16();
    ctx.refuse(refusal);
    Error::explain(ErrorType::HTTPStatus(status), "refused")
}
