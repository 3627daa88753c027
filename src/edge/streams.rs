//! Serves one HTTP/2 connection. Each stream is served as a request of its own.
//!
//! The HTTP library itself refuses a stream with no authority or two, or with a control character in its path: the
//! stream gets a bare 400 or a reset, and no hook is called. Such streams are counted and logged here.

use super::{
    events::ConnectionEvent,
    guard::{ConnectionLimits, KEEP_ALIVE_SECONDS},
    inbound_request::InboundRequest,
    intake,
    lease::Lease,
};
use crate::gate::wire::HeadFault;
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
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncWriteExt, duplex},
    sync::watch,
    time::sleep,
};

/// Maximum number of refused streams on one connection; then the connection is closed.
const MOST_REFUSED: usize = 32;

/// More bytes than the head and the response of a refused stream together have.
const RECORDED: usize = 64 << 10;

/// Serves the streams of a connection until the client closes it, or until it has had no stream for the time that
/// an HTTP/1 connection may be idle.
pub(super) async fn serve<A>(
    app: Arc<A>,
    stream: Stream,
    limits: &ConnectionLimits,
    shutdown: &ShutdownWatch,
) where
    A: HttpServerApp + Send + Sync + 'static,
{
    let digest = Arc::new(Digest {
        ssl_digest: stream.get_ssl_digest(),
        timing_digest: stream.get_timing_digest(),
        proxy_digest: stream.get_proxy_digest(),
        socket_digest: stream.get_socket_digest(),
    });
    // an error means that the client is gone, or does not speak HTTP/2
    let Ok(mut connection) = handshake(stream, app.h2_options()).await else {
        return;
    };
    let (mut drain, mut draining, mut refused) = (shutdown.clone(), false, 0);
    let open = watch::Sender::new(0_usize);
    loop {
        let idle = async {
            // an error cannot occur: the sender is here
            let _ = open.subscribe().wait_for(|open| *open == 0).await;
            sleep(Duration::from_secs(KEEP_ALIVE_SECONDS)).await;
        };
        let accepted = tokio::select! {
            biased;
            // streams that are in progress, or were sent before the client received the GOAWAY, are still served (RFC
            // 9113 §6.8)
            _ = drain.changed(), if !draining => {
                connection.graceful_shutdown();
                draining = true;
                continue;
            }
            accepted = HttpSession::from_h2_conn(&mut connection, Arc::clone(&digest)) => accepted,
            () = idle, if !draining => return,
        };
        match accepted {
            Ok(Some(H2Accept::Session(session))) => {
                let (app, shutdown) = (Arc::clone(&app), shutdown.clone());
                let stream = OpenStream::new(&open);
                tokio::spawn(async move {
                    let _stream = stream;
                    let session = ServerSession::new_http2(session);
                    let serving = app.process_new_http(session, &shutdown);
                    Lease::of_stream().serve(serving).await;
                });
            }
            Ok(Some(H2Accept::Rejected)) => {
                (limits.report)(ConnectionEvent::StreamRefused);
                record_refused(&app, &digest, shutdown).await;
                refused += 1;
                if refused >= MOST_REFUSED {
                    return;
                }
            }
            Ok(None) | Err(_) => return,
        }
    }
}

/// Lets the app count and log a stream that the library has refused, like any refused request. The library has sent
/// the response already, so that of the app is discarded.
async fn record_refused<A>(app: &Arc<A>, digest: &Digest, shutdown: &ShutdownWatch)
where
    A: HttpServerApp + Send + Sync + 'static,
{
    let request = Arc::new(InboundRequest::default());
    request.refuse(HeadFault::Stream.into());
    let (mut nobody, stand_in) = duplex(RECORDED);
    // an error cannot occur: there is space, and the other side is here
    let _ = nobody.write_all(&intake::stand_in(b"")).await;
    let mut session = ServerSession::new_http1(Box::new(stand_in));
    if let Some(recorded) = session.digest_mut() {
        recorded.socket_digest.clone_from(&digest.socket_digest);
        recorded.ssl_digest.clone_from(&digest.ssl_digest);
    }
    let serving = app.process_new_http(session, shutdown);
    request.serve(serving).await;
}

/// Counts a stream as open until dropped.
struct OpenStream(watch::Sender<usize>);

impl OpenStream {
    fn new(open: &watch::Sender<usize>) -> Self {
        open.send_modify(|open| *open += 1);
        Self(open.clone())
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open = open.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::drain::DrainSignal;
    use async_trait::async_trait;
    use http::Request;
    use pingora::apps::ReusedHttpStream;
    use tokio::{
        io::duplex,
        time::{Instant, timeout},
    };

    /// Takes 90 seconds for each request.
    struct Slow;

    #[async_trait]
    impl HttpServerApp for Slow {
        async fn process_new_http(
            self: &Arc<Self>,
            _session: ServerSession,
            _shutdown: &ShutdownWatch,
        ) -> Option<ReusedHttpStream> {
            sleep(Duration::from_secs(90)).await;
            None
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_stream_is_closed_after_the_idle_time_and_not_before() {
        let (client, server) = duplex(1 << 16);
        let drain = Arc::new(DrainSignal::new());
        let limits = ConnectionLimits {
            head_bytes: 1_000,
            header_timeout: Duration::from_secs(10),
            drain: Arc::clone(&drain),
            report: Box::new(|_| {}),
        };
        let shutdown = drain.watch();
        let began = Instant::now();
        let serving = tokio::spawn(async move {
            serve(Arc::new(Slow), Box::new(server), &limits, &shutdown).await;
            began.elapsed().as_secs()
        });
        let (mut requests, connection) = h2::client::handshake(client).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get("http://a.example/").body(()).unwrap();
        let response = requests.send_request(request, true).unwrap().0;
        // the app ends without a response
        assert!(response.await.is_err());
        let served = timeout(Duration::from_secs(200), serving).await;
        assert_eq!(served.unwrap().unwrap(), 90 + KEEP_ALIVE_SECONDS);
    }
}
