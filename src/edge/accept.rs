//! The accept loop of one listener. It accepts connections, checks the connection limits, and assigns the connections
//! to the edge's threads in turn, so that a burst is spread evenly. When it ends, it first accepts all connections that
//! the kernel has queued: those clients believe that they are connected.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pingora::apps::HttpServerApp;
use tokio::net::TcpListener;

use super::connection;
use super::connection_limiter::ConnectionLimiter;
use super::events::ConnectionEvent;
use super::listener_state::ListenerState;
use super::socket::Socket;
use super::threads::Threads;

/// State that all accept loops of an edge share.
pub(crate) struct Shared {
    pub(crate) threads: Threads,
    pub(crate) connection_limiter: Arc<ConnectionLimiter>,
    pub(crate) turn: AtomicUsize,
}

/// Accepts until the listener drains; must run on one of the edge's threads.
pub(crate) async fn accept<A>(
    shared: Arc<Shared>,
    listener: TcpListener,
    state: Arc<ListenerState>,
    app: Arc<A>,
) where
    A: HttpServerApp + Send + Sync + 'static,
{
    let mut drain = state.drain().watch();
    loop {
        let accepted = tokio::select! {
            biased;
            // An error means that the edge was dropped.
            _ = drain.changed() => break,
            accepted = listener.accept() => accepted,
        };
        // Detached from this thread's event loop; the thread that serves the connection registers it with its own.
        let accepted = accepted.and_then(|(stream, peer)| Ok((stream.into_std()?, peer)));
        match accepted {
            Ok((stream, peer)) => dispatch(&shared, stream, peer, &state, Arc::clone(&app)),
            Err(cause) if concerns_one_client(&cause) => {}
            Err(_) => {
                // No descriptors or memory are left. The connection stays queued; an immediate retry would only spin.
                shared
                    .connection_limiter
                    .report(ConnectionEvent::AcceptFailed);
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
    let Ok(listener) = listener.into_std() else {
        return;
    };
    while let Ok((stream, peer)) = listener.accept() {
        dispatch(&shared, stream, peer, &state, Arc::clone(&app));
    }
}

fn dispatch<A>(
    shared: &Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
    state: &ListenerState,
    app: Arc<A>,
) where
    A: HttpServerApp + Send + Sync + 'static,
{
    let Some(place) = shared.connection_limiter.admit(peer.ip()) else {
        return;
    };
    let turn = shared.turn.fetch_add(1, Ordering::Relaxed);
    let (limits, tls) = state.for_connection();
    shared.threads.at(turn).spawn(async move {
        // An error here means that the client is gone already.
        if let Ok(socket) = Socket::adopt(stream, peer, place) {
            connection::serve(app, socket, tls, limits).await;
        }
    });
}

/// Returns `true` if the client gave up while it was queued (accept(2) returns its network errors).
fn concerns_one_client(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
            | ErrorKind::PermissionDenied
    )
}

const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::sync::atomic::AtomicUsize;

    use async_trait::async_trait;
    use pingora::apps::ReusedHttpStream;
    use pingora::protocols::http::ServerSession;
    use pingora::server::ShutdownWatch;

    use super::super::EdgeLimits;
    use super::super::events::ConnectionObserver;
    use super::*;

    struct Closes;

    #[async_trait]
    impl HttpServerApp for Closes {
        async fn process_new_http(
            self: &Arc<Self>,
            _: ServerSession,
            _: &ShutdownWatch,
        ) -> Option<ReusedHttpStream> {
            None
        }
    }

    #[derive(Default)]
    struct Accepted(AtomicUsize);

    impl ConnectionObserver for Accepted {
        fn observe(&self, event: ConnectionEvent) {
            if event == ConnectionEvent::Accepted {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    #[tokio::test]
    async fn connections_that_the_kernel_had_queued_are_taken_when_the_drain_begins() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let _queued: Vec<_> = (0..3)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        let accepted = Arc::new(Accepted::default());
        let limits = EdgeLimits {
            head_bytes: 1_000,
            header_timeout: Duration::from_secs(1),
            connections: 9,
            connections_per_address: 9,
        };
        let state = ListenerState::new(limits, None, accepted.clone());
        state.drain().begin();
        let shared = Shared {
            threads: Threads::start(NonZeroUsize::MIN).unwrap(),
            connection_limiter: ConnectionLimiter::new(9, 9, accepted.clone()),
            turn: AtomicUsize::new(0),
        };
        accept(Arc::new(shared), listener, state, Arc::new(Closes)).await;
        assert_eq!(accepted.0.load(Ordering::Relaxed), 3);
        assert!(
            TcpStream::connect(address).is_err(),
            "the socket is closed afterwards"
        );
    }
}
