//! pingora's hooks, in the order in which a request meets them.

use super::{
    Serving,
    context::{Answered, Context, Progress, refused},
    cors,
    ending::client_of,
    fault,
    hygiene::{
        Outgoing, TRACEPARENT, clean_request, clean_response, clean_trailers, forget_spelling,
    },
    peers::Peers,
    respond, token_service, tunnel,
};
use crate::{
    clock::SharedClock,
    error::{Refusal, UpstreamFault},
    gate::{GateError, PathAmbiguity},
    pipeline::{Admission, Pipeline},
    sts::TokenService,
    telemetry::{AccessLog, IdSource, LeakPlace, RouteMetrics, TraceContext},
};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use pingora::{
    Error, Result,
    http::{RequestHeader, ResponseHeader},
    modules::http::HttpModules,
    proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session},
    upstreams::peer::HttpPeer,
};
use std::{sync::Arc, time::Duration};

/// What the hooks work with: all that one configuration composes for requests.
#[derive(Debug)]
pub struct Hooks {
    /// Decides on requests.
    pub pipeline: Pipeline,
    /// The gateway's own endpoints and documents.
    pub service: TokenService,
    /// The downstream servers.
    pub peers: Peers,
    /// One line a request.
    pub access_log: AccessLog,
    /// Ids of requests and spans.
    pub ids: IdSource,
    /// What is counted about requests that no route serves.
    pub no_route: Arc<RouteMetrics>,
    /// The time.
    pub clock: SharedClock,
}

/// What a head is, before anything else is asked of it.
pub(super) enum FirstLook {
    /// A request for the token service, or one of its documents.
    Service,
    /// A request that the pipeline decides on.
    Request,
    /// Nothing that is looked at further.
    Refused(Refusal),
}

impl Hooks {
    pub(super) fn first_look(&self, head: &RequestHeader) -> FirstLook {
        if self.service.serves(head.uri.path()) {
            return FirstLook::Service;
        }
        match origin_form(head) {
            Ok(()) => FirstLook::Request,
            Err(refusal) => FirstLook::Refused(refusal),
        }
    }
}

#[async_trait]
impl ProxyHttp for Serving {
    /// Boxed: pingora moves it along with what it knows of a request itself, several times.
    type CTX = Box<Context>;

    fn new_ctx(&self) -> Self::CTX {
        Box::new(Context::new(self.current.load_full()))
    }

    /// None: the default ones allocate for each request.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn request_filter(&self, session: &mut Session, ctx: &mut Self::CTX) -> Result<bool> {
        let head = session.req_header();
        ctx.trace = head
            .headers
            .get(TRACEPARENT)
            .and_then(|value| TraceContext::parse(value.as_bytes()));
        let admitted = match ctx.hooks.first_look(head) {
            FirstLook::Service => {
                Box::pin(token_service::answer(session, ctx)).await?;
                return Ok(true);
            }
            FirstLook::Request => ctx.hooks.pipeline.admit(head, ctx.id, &mut ctx.trail).await,
            FirstLook::Refused(refusal) => Err(refusal),
        };
        match admitted {
            Ok(Admission::Authorized(authorized)) => {
                ctx.progress = Progress::Authorized(authorized)
            }
            Ok(Admission::Public(public, unread)) => {
                ctx.progress = Progress::Public(public, unread);
            }
            Ok(Admission::Preflight) => {
                ctx.progress = Progress::Answered(Answered::Preflight);
                Box::pin(cors::answer_preflight(session, ctx)).await?;
                return Ok(true);
            }
            Err(refusal) => {
                let answer = refusal.answer();
                ctx.refuse(refusal);
                Box::pin(respond::refuse(session, &answer, ctx)).await?;
                return Ok(true);
            }
        }
        forget_spelling(session.req_header_mut());
        Ok(false)
    }

    async fn upstream_peer(
        &self,
        session: &mut Session,
        ctx: &mut Self::CTX,
    ) -> Result<Box<HttpPeer>> {
        ctx.attempts += 1;
        ctx.repeat = false;
        let chosen = ctx
            .trail
            .route
            .as_ref()
            .and_then(|route| ctx.hooks.peers.choose(route));
        match chosen {
            Some(mut chosen) => {
                self.expect(session.req_header(), ctx, &mut chosen.peer);
                ctx.authority = Some(chosen.authority);
                Ok(chosen.peer)
            }
            None => Err(refused(ctx, UpstreamFault::Unreachable.into())),
        }
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        head: &mut RequestHeader,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        // the missing case refuses: nothing leaves without one of the two proofs
        let (authorization, presented) = match &ctx.progress {
            Progress::Authorized(authorized) => {
                let credential = &authorized.credential;
                let presented = credential.presented().map(std::slice::from_ref);
                (
                    Some(credential.authorization()),
                    presented.unwrap_or_default(),
                )
            }
            Progress::Public(_, unread) => (None, unread.as_slice()),
            Progress::Received | Progress::Answered(_) => {
                return Err(refused(ctx, Refusal::Fault));
            }
        };
        let (Some(route), Some(authority)) = (&ctx.trail.route, ctx.authority.take()) else {
            return Err(refused(ctx, Refusal::Fault));
        };
        let outgoing = Outgoing {
            route,
            authorization,
            presented,
            authority,
            client: client_of(session),
            encrypted: session
                .digest()
                .is_some_and(|digest| digest.ssl_digest.is_some()),
            id: ctx.id,
            trace: ctx.trace.map(|trace| (trace, trace.child(&ctx.hooks.ids))),
        };
        clean_request(head, outgoing)?;
        ctx.sent = Some(ctx.hooks.clock.instant());
        Ok(())
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        head: &mut ResponseHeader,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            self.open_tunnel(head, ctx)?;
        }
        if !head.status.is_informational() {
            self.observe_upstream(head.status, ctx);
        }
        if head.status == StatusCode::UNAUTHORIZED
            && matches!(ctx.progress, Progress::Authorized(_))
        {
            return Err(Box::pin(self.renew(session, ctx)).await);
        }
        self.keep_tokens_in(&head.headers, LeakPlace::ResponseHead, ctx)?;
        let terms = ctx.trail.route.as_ref().and_then(|r| r.response_terms());
        let terms = terms.map(|terms| (terms, cors::origin(session)));
        clean_response(head, ctx.id, terms);
        Ok(())
    }

    fn response_body_filter(
        &self,
        _session: &mut Session,
        _body: &mut Option<Bytes>,
        _end_of_stream: bool,
        ctx: &mut Self::CTX,
    ) -> Result<Option<Duration>> {
        self.go_on(ctx)?;
        Ok(None)
    }

    fn upstream_response_trailer_filter(
        &self,
        _session: &mut Session,
        trailers: &mut HeaderMap,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        self.keep_tokens_in(trailers, LeakPlace::ResponseTrailer, ctx)?;
        clean_trailers(trailers);
        Ok(())
    }

    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        ctx: &mut Self::CTX,
        mut error: Box<Error>,
    ) -> Box<Error> {
        // nothing was sent: another target may take any request
        let others = ctx
            .trail
            .route
            .as_ref()
            .is_some_and(|route| ctx.attempts < ctx.hooks.peers.targets(route));
        error.set_retry(others);
        error
    }

    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        ctx: &mut Self::CTX,
        reused: bool,
    ) -> Box<Error> {
        if ctx.repeat {
            error.set_retry(true);
        } else if ctx.refusal().is_some()
            || !session.req_header().method.is_idempotent()
            || session.as_ref().retry_buffer_truncated()
        {
            error.set_retry(false);
        } else {
            error.retry.decide_reuse(reused);
        }
        error
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        ctx: &mut Self::CTX,
    ) -> FailToProxy {
        if ctx.refusal().is_none() && tunnel::is_over(ctx) {
            session.set_keepalive(None);
            return FailToProxy {
                error_code: 0,
                can_reuse_downstream: false,
            };
        }
        if ctx.refusal().is_none() {
            match fault::classify(error) {
                Some(refusal) => ctx.refuse(refusal),
                None => {
                    ctx.client_gone = true;
                    return FailToProxy {
                        error_code: 0,
                        can_reuse_downstream: false,
                    };
                }
            }
        }
        let Some(answer) = ctx.refusal().map(Refusal::answer) else {
            return FailToProxy {
                error_code: 0,
                can_reuse_downstream: false,
            };
        };
        // what was begun cannot be taken back: the connection is cut instead
        let begun = session
            .response_written()
            .is_some_and(|head| !head.status.is_informational());
        session.set_keepalive(None);
        if !begun && respond::refuse(session, &answer, ctx).await.is_err() {
            ctx.client_gone = true;
        }
        FailToProxy {
            error_code: answer.status.as_u16(),
            can_reuse_downstream: false,
        }
    }

    async fn logging(&self, session: &mut Session, _error: Option<&Error>, ctx: &mut Self::CTX) {
        self.note_end(session, ctx);
    }

    /// The gateway logs and counts for itself; pingora's lines could hold parts of a request.
    fn suppress_error_log(&self, _session: &Session, _ctx: &Self::CTX, _error: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        _session: &Session,
        _ctx: &Self::CTX,
        _error: &Error,
        _context: ProxyWarnLogContext,
    ) -> bool {
        true
    }

    fn request_summary(&self, _session: &Session, ctx: &Self::CTX) -> String {
        format!("request {}", ctx.id)
    }
}

/// Only `/path?query` is matched and forwarded: an absolute target names a second host (RFC 9112 §3.2.2), and bytes
/// that are not UTF-8 would be matched in another form than they are forwarded in.
fn origin_form(head: &RequestHeader) -> Result<(), Refusal> {
    if !head.raw_path().starts_with(b"/") {
        return Err(GateError::AmbiguousPath(PathAmbiguity::NotAbsolute).into());
    }
    if !head.raw_path_is_utf8() {
        return Err(GateError::AmbiguousPath(PathAmbiguity::NotUtf8).into());
    }
    Ok(())
}
