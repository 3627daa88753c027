//! Serves one connection from handshake to close. TLS, the HTTP/2 preface and the first head share one deadline, which
//! begins at accept. HTTP/1 requests are passed to the app one by one, so the guard knows exactly where one ends and
//! the next head begins. HTTP/2 connections continue in [`streams`].

use std::sync::Arc;

use pingora::apps::HttpServerApp;
use pingora::protocols::http::ServerSession;
use pingora::protocols::{ALPN, IO, Ssl};
use pingora::server::ShutdownWatch;
use tokio::time::sleep;

use super::events::ConnectionEvent;
use super::guard::{ConnectionLimits, Guard, KEEP_ALIVE_SECONDS};
use super::socket::Socket;
use super::streams;
use super::tls::TlsTerms;

/// Serves a connection until it ends.
pub(crate) async fn serve<A>(
    app: Arc<A>,
    socket: Socket,
    tls: Option<TlsTerms>,
    limits: Arc<ConnectionLimits>,
) where
    A: HttpServerApp + Send + Sync + 'static,
{
    let mut deadline = Box::pin(sleep(limits.header_timeout));
    let shutdown = limits.drain.watch();
    let _woken = limits.drain.register().await;
    let Some(tls) = tls else {
        return serve_http1(&app, Guard::http1(socket, limits, deadline), &shutdown).await;
    };
    let handshake = tokio::select! {
        biased;
        handshake = tls.acceptor().tls_handshake(socket) => handshake,
        () = &mut deadline => return (limits.report)(ConnectionEvent::HeadTimeout),
    };
    let Ok(stream) = handshake else {
        return (limits.report)(ConnectionEvent::HandshakeFailed);
    };
    if matches!(stream.selected_alpn_proto(), Some(ALPN::H2)) {
        let guard = Guard::http2(stream, Arc::clone(&limits), deadline);
        streams::serve(app, guard, &limits, &shutdown).await;
    } else {
        serve_http1(&app, Guard::http1(stream, limits, deadline), &shutdown).await;
    }
}

/// Does what `ServerApp::process_new` does for HTTP/1, and notifies the guard when one request ends and the next begins.
async fn serve_http1<A, S>(app: &Arc<A>, guard: Box<Guard<S>>, shutdown: &ShutdownWatch)
where
    A: HttpServerApp + Send + Sync + 'static,
    S: IO + 'static,
{
    if let Some(lease) = guard.lease() {
        let request = guard.request();
        lease
            .serve(request.serve(serve_requests(app, guard, shutdown)))
            .await;
    }
}

async fn serve_requests<A, S>(app: &Arc<A>, guard: Box<Guard<S>>, shutdown: &ShutdownWatch)
where
    A: HttpServerApp + Send + Sync + 'static,
    S: IO + 'static,
{
    let mut session = ServerSession::new_http1(guard);
    session.set_keepalive(if *shutdown.borrow() {
        None
    } else {
        Some(KEEP_ALIVE_SECONDS)
    });
    session.set_keepalive_reuses_remaining(
        app.server_options()
            .and_then(|options| options.keepalive_request_limit),
    );
    while let Some(reused) = app.process_new_http(session, shutdown).await {
        let (stream, settings) = reused.consume();
        let guard = stream
            .into_any()
            .downcast::<Guard<S>>()
            .ok()
            .and_then(Guard::next_request);
        let Some(guard) = guard else {
            return;
        };
        session = ServerSession::new_http1(guard);
        if let Some(settings) = settings {
            settings.apply_to_session(&mut session);
        }
    }
}
