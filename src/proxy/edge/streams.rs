//! One connection of HTTP/2, whose streams are each served as a request of their own.
//!
//! The HTTP library refuses by itself what names no authority or two, and what holds a control character in its path: such
//! a stream gets a bare 400 or a reset, and no hook is called for it. Here it is counted.

use super::{census::ConnectionEvent, guard::Terms};
use crate::proxy::lease::Lease;
use pingora::{
    apps::HttpServerApp,
    protocols::{
        Digest, Stream,
        http::{
            ServerSession,
            v2::server::{H2Accept, HttpSession, handshake},
        },
    },
    server::ShutdownWatch,
};
use std::sync::Arc;

/// How many streams of one connection may be refused before the connection is closed.
const MOST_REFUSED: usize = 32;

/// Serves the streams of a connection until it ends.
pub(super) async fn serve<A>(app: Arc<A>, stream: Stream, terms: &Terms, shutdown: &ShutdownWatch)
where
    A: HttpServerApp + Send + Sync + 'static,
{
    let digest = Arc::new(Digest {
        ssl_digest: stream.get_ssl_digest(),
        timing_digest: stream.get_timing_digest(),
        proxy_digest: stream.get_proxy_digest(),
        socket_digest: stream.get_socket_digest(),
    });
    // an error: the client is gone, or does not speak HTTP/2
    let Ok(mut connection) = handshake(stream, app.h2_options()).await else {
        return;
    };
    let (mut drain, mut draining, mut refused) = (shutdown.clone(), false, 0);
    loop {
        let accepted = tokio::select! {
            biased;
            // streams that are under way, or were sent before the client knows, are still served (RFC 9113 §6.8)
            _ = drain.changed(), if !draining => {
                connection.graceful_shutdown();
                draining = true;
                continue;
            }
            accepted = HttpSession::from_h2_conn(&mut connection, Arc::clone(&digest)) => accepted,
        };
        match accepted {
            Ok(Some(H2Accept::Session(session))) => {
                let (app, shutdown) = (Arc::clone(&app), shutdown.clone());
                tokio::spawn(async move {
                    let session = ServerSession::new_http2(session);
                    let serving = app.process_new_http(session, &shutdown);
                    Lease::of_stream().serve(serving).await;
                });
            }
            Ok(Some(H2Accept::Rejected)) => {
                (terms.report)(ConnectionEvent::StreamRefused);
                refused += 1;
                if refused >= MOST_REFUSED {
                    return;
                }
            }
            Ok(None) | Err(_) => return,
        }
    }
}
