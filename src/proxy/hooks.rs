//! pingora's hooks, in the order in which pingora calls them.
//!
//! Hooks that do not wait are not `async fn`, so that they can return a future of [`at_once`].

use super::{
    Serving,
    arrival::{decide, go_on, prepare},
    at_once::{self, Hook},
    context::{Context, RequestState, refused},
    departure::attach,
    ending::{note_end, status_of},
    fault::{self, Attempt, Failure, Stage},
    respond,
};
use crate::{
    edge::{
        self,
        lease::{EndReason, Lease},
    },
    error::{Refusal, UpstreamFault},
    pipeline::Decision,
    verify::VerifyError,
};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, Version, header};
use pingora::{
    Error, ErrorType, Result,
    http::{RequestHeader, ResponseHeader},
    modules::http::HttpModules,
    protocols::Digest,
    proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session},
    upstreams::peer::{HttpPeer, Peer},
};
use std::{hint::cold_path, os::fd::RawFd, time::Duration};

impl Serving {
    /// Logs why an attempt failed.
    #[cold]
    fn tell(&self, failure: &Failure, peer: Option<&HttpPeer>, ctx: &Context) {
        let route = ctx.record.route.as_ref();
        let attempt = Attempt {
            route: route.map_or("none", |route| route.name()),
            request_id: ctx.id,
            peer,
            now: ctx.hooks.clock.now(),
        };
        fault::log(failure, &attempt);
    }
}

/// Returns `true` if no byte of the response that was begun has been sent: another response can replace it.
fn holds_head() -> bool {
    Lease::current().is_some_and(|lease| lease.holds())
}

/// Makes the body end with the connection if it would be chunked, because an HTTP/1.0 client cannot read chunks (RFC
/// 9112 §6.1). Called after pingora has applied its own framing, which adds chunks.
fn frame_for_http10(session: &mut Session, head: &mut ResponseHeader) {
    if head.remove_header(&header::TRANSFER_ENCODING).is_some() {
        session.set_keepalive(None);
        // no last chunk follows, and only that would release the head of an empty body
        if let Some(lease) = Lease::current() {
            lease.release();
        }
    }
}

/// Defines a hook that is not an `async fn`, with the lifetimes that `async_trait` generates for the trait's methods.
/// Each of them outlives the returned future.
macro_rules! hook {
    (fn $name:ident<$($lifetime:lifetime),+>(
        &$own:lifetime $self:ident, $($argument:ident: $type:ty),+ $(,)?
    ) -> $output:ty $body:block) => {
        fn $name<$($lifetime,)+ 'hook>(&$own $self, $($argument: $type),+) -> Hook<'hook, $output>
        where
            $($lifetime: 'hook,)+
            Self: 'hook,
        $body
    };
}

#[async_trait]
impl ProxyHttp for Serving {
    /// Boxed, because pingora moves it several times together with its own state of the request.
    type CTX = Box<Context>;

    fn new_ctx(&self) -> Self::CTX {
        Box::new(Context::new(self.current.load_full()))
    }

    /// No modules: the default modules allocate memory for each request.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    hook! {
        fn early_request_filter<'s, 'r, 'c>(
            &'s self,
            _session: &'r mut Session,
            _ctx: &'c mut Self::CTX,
        ) -> Result<()> {
            at_once::passed()
        }
    }

    hook! {
        fn request_filter<'s, 'r, 'c>(
            &'s self,
            session: &'r mut Session,
            ctx: &'c mut Self::CTX,
        ) -> Result<bool> {
            match decide(session, ctx) {
                Decision::Forward(forward) => {
                    ctx.state = RequestState::Forwarding(forward);
                    prepare(session);
                    at_once::no()
                }
                decision @ (Decision::Respond(_) | Decision::Exchange(_)) => {
                    cold_path();
                    Box::pin(go_on(decision, session, ctx))
                }
            }
        }
    }

    hook! {
        fn request_body_filter<'s, 'r, 'b, 'c>(
            &'s self,
            session: &'r mut Session,
            _body: &'b mut Option<Bytes>,
            end_of_stream: bool,
            ctx: &'c mut Self::CTX,
        ) -> Result<()> {
            if let Some(lease) = &ctx.lease {
                lease.sent(end_of_stream);
            }
            if !end_of_stream {
                ctx.keep_for_log(session.req_header());
            }
            at_once::passed()
        }
    }

    hook! {
        fn proxy_upstream_filter<'s, 'r, 'c>(
            &'s self,
            _session: &'r mut Session,
            _ctx: &'c mut Self::CTX,
        ) -> Result<bool> {
            at_once::yes()
        }
    }

    async fn upstream_peer(
        &self,
        session: &mut Session,
        ctx: &mut Self::CTX,
    ) -> Result<Box<HttpPeer>> {
        ctx.attempts += 1;
        ctx.repeat = false;
        ctx.stage = Stage::Connecting;
        ctx.informational = 0;
        ctx.failure = None;
        let chosen = ctx
            .record
            .route
            .as_ref()
            .and_then(|route| ctx.hooks.peers.choose(route));
        match chosen {
            Some(mut chosen) => {
                self.expect(session.req_header(), ctx, &mut chosen.peer);
                ctx.target = chosen.peer.address().as_inet().copied();
                ctx.authority = Some(chosen.authority);
                Ok(chosen.peer)
            }
            None => {
                let failure = Failure::of("no address of the target is known");
                self.tell(&failure, None, ctx);
                ctx.failure = Some(failure);
                Err(refused(ctx, UpstreamFault::Unreachable.into()))
            }
        }
    }

    hook! {
        fn connected_to_upstream<'s, 'r, 'p, 'd, 'c>(
            &'s self,
            _session: &'r mut Session,
            _reused: bool,
            peer: &'p HttpPeer,
            socket: RawFd,
            _digest: Option<&'d Digest>,
            ctx: &'c mut Self::CTX,
        ) -> Result<()> {
            ctx.stage = Stage::Head;
            // an HTTP/2 connection is shared with other requests, and its heads arrive whole
            if let (1, Some(lease)) = (peer.options.alpn.get_max_http_version(), &ctx.lease) {
                lease.awaits_head_on(socket);
            }
            at_once::passed()
        }
    }

    hook! {
        fn upstream_request_filter<'s, 'r, 'h, 'c>(
            &'s self,
            session: &'r mut Session,
            head: &'h mut RequestHeader,
            ctx: &'c mut Self::CTX,
        ) -> Result<()> {
            let attached = attach(session, head, ctx);
            if let Some(lease) = &ctx.lease {
                lease.sending();
            }
            at_once::ended(attached)
        }
    }

    hook! {
        fn upstream_response_filter<'s, 'r, 'h, 'c>(
            &'s self,
            session: &'r mut Session,
            head: &'h mut ResponseHeader,
            ctx: &'c mut Self::CTX,
        ) -> Result<()> {
            if head.status == StatusCode::SWITCHING_PROTOCOLS {
                cold_path();
                if let Err(refused) = self.open_tunnel(head, ctx) {
                    return at_once::ended(Err(refused));
                }
            }
            if !head.status.is_informational() {
                self.observe_upstream(head.status, ctx);
            }
            if head.status == StatusCode::UNAUTHORIZED
                && ctx.credential().is_some()
            {
                cold_path();
                return Box::pin(async { Err(self.renew(session, ctx).await) });
            }
            let passed = self.pass_head(session, head, ctx);
            if passed.is_ok() && !head.status.is_informational() {
                self.note_response(head, ctx);
            }
            at_once::ended(passed)
        }
    }

    hook! {
        fn response_filter<'s, 'r, 'h, 'c>(
            &'s self,
            session: &'r mut Session,
            head: &'h mut ResponseHeader,
            _ctx: &'c mut Self::CTX,
        ) -> Result<()> {
            if session.req_header().version == Version::HTTP_10 {
                cold_path();
                frame_for_http10(session, head);
            }
            at_once::passed()
        }
    }

    fn response_body_filter(
        &self,
        _session: &mut Session,
        _body: &mut Option<Bytes>,
        _end_of_stream: bool,
        ctx: &mut Self::CTX,
    ) -> Result<Option<Duration>> {
        let Some(lease) = &ctx.lease else {
            return Ok(None);
        };
        match lease.received(|| ctx.is_expired()) {
            Ok(()) => Ok(None),
            Err(_) => Error::e_explain(ErrorType::ConnectionClosed, "its token has expired"),
        }
    }

    fn upstream_response_trailer_filter(
        &self,
        _session: &mut Session,
        trailers: &mut HeaderMap,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        self.pass_trailers(trailers, ctx)
    }

    fn fail_to_connect(
        &self,
        _session: &mut Session,
        peer: &HttpPeer,
        ctx: &mut Self::CTX,
        mut error: Box<Error>,
    ) -> Box<Error> {
        ctx.failure = fault::explain(&error, Stage::Connecting);
        if let Some(failure) = &ctx.failure {
            self.tell(failure, Some(peer), ctx);
        }
        // nothing was sent: any request can go to another target
        let others = ctx
            .record
            .route
            .as_ref()
            .is_some_and(|route| ctx.attempts < ctx.hooks.peers.targets(route));
        error.set_retry(others);
        error
    }

    fn error_while_proxy(
        &self,
        peer: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        ctx: &mut Self::CTX,
        reused: bool,
    ) -> Box<Error> {
        // the connection is closed, and its file descriptor may be reused soon
        if let Some(lease) = &ctx.lease {
            lease.head_came();
        }
        if ctx.repeat {
            error.set_retry(true);
            return error;
        }
        if ctx.refusal().is_none() {
            ctx.failure = if ctx.ended() == Some(EndReason::Quiet) {
                Some(Failure::timed_out(ctx.stage))
            } else {
                fault::explain(&error, ctx.stage)
            };
        }
        if ctx.refusal().is_some()
            || ctx.ended().is_some()
            || !session.req_header().method.is_idempotent()
            || session.as_ref().retry_buffer_truncated()
        {
            error.set_retry(false);
        } else {
            error.retry.decide_reuse(reused);
        }
        // an idle connection that was closed is not a failure: the next attempt opens a new one
        if let Some(failure) = ctx.failure.as_ref().filter(|_| !error.retry()) {
            self.tell(failure, Some(peer), ctx);
        }
        error
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        ctx: &mut Self::CTX,
    ) -> FailToProxy {
        // a response that has begun cannot be replaced: the connection is closed instead
        let begun = session
            .response_written()
            .is_some_and(|head| !head.status.is_informational() || ctx.tunnel);
        if let (None, Some(ended)) = (ctx.refusal(), ctx.ended()) {
            match ended {
                EndReason::Quiet => ctx.refuse(UpstreamFault::Timeout.into()),
                EndReason::Expired | EndReason::Revoked if begun && !holds_head() => {
                    session.set_keepalive(None);
                    return FailToProxy {
                        error_code: 0,
                        can_reuse_downstream: false,
                    };
                }
                EndReason::Expired => ctx.refuse(VerifyError::Expired.into()),
                EndReason::Revoked => ctx.refuse(VerifyError::Revoked.into()),
            }
        }
        if ctx.refusal().is_none() {
            // the edge stopped reading the body
            let refusal = edge::refusal().map(Refusal::from);
            match refusal.or_else(|| fault::classify(error, ctx.stage)) {
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
        let Some(response) = ctx.refusal().map(Refusal::response) else {
            return FailToProxy {
                error_code: 0,
                can_reuse_downstream: false,
            };
        };
        session.set_keepalive(None);
        if begun {
            let kept = Lease::current().filter(|lease| lease.holds());
            if let Some(lease) = kept {
                // no byte of the response has been sent: the gateway's own response replaces it
                lease.end_with(respond::whole(session, &response, ctx));
                session.as_downstream_mut().shutdown().await;
                ctx.replaced = Some(response.status);
            }
        } else {
            if let Some(lease) = Lease::current() {
                lease.release();
            }
            if respond::refuse(session, &response, ctx).await.is_err() {
                ctx.client_gone = true;
            }
        }
        FailToProxy {
            error_code: response.status.as_u16(),
            can_reuse_downstream: false,
        }
    }

    hook! {
        fn logging<'s, 'r, 'e, 'c>(
            &'s self,
            session: &'r mut Session,
            _error: Option<&'e Error>,
            ctx: &'c mut Self::CTX,
        ) -> () {
            ctx.noted = true;
            note_end(session.req_header(), status_of(session, ctx), ctx);
            at_once::over()
        }
    }

    /// The gateway logs and counts requests itself; pingora's lines could contain parts of a request.
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
