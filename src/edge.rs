//! Accepts connections and serves them: sockets, TLS, connection limits and drain.
//!
//! Every accepted connection is counted from accept to close. The number of connections, and the time and size of what
//! precedes a request, are limited. pingora's app serves the connection. This module knows nothing about tokens or
//! routes. [`Edge::drain`] ends it without losing a request that was received.
//!
//! ```text
//! Listener ─► accept ─► connection_limiter ─► Socket ─► (TLS) ─► Guard ─► pingora's session ─► app
//!             loop      caps      counted   deadline  head
//! ```

mod accept;
pub(crate) mod certificate;
mod client_certificate;
mod connection;
mod connection_limiter;
mod drain;
mod events;
mod guard;
mod head;
mod http2;
mod inbound_request;
mod intake;
pub(crate) mod lease;
mod listener;
mod listener_state;
mod socket;
mod streams;
mod threads;
mod tls;
mod tls_error;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pingora::apps::{HttpServerApp, HttpServerOptions};
use pingora::protocols::http::v2::server::default_h2_options;
use pingora::proxy::{HttpProxy, ProxyHttp, http_proxy};
use pingora::server::configuration::ServerConf;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) use client_certificate::ClientCertificate;
pub use client_certificate::ClientTrust;
pub use events::{ConnectionEvent, ConnectionMetrics, ConnectionObserver};
pub use http2::Http2;
pub use listener::{InheritedSockets, ListenError, Listener};
pub use tls::TlsTerms;
pub use tls_error::TlsError;

use crate::gate::GateError;
use accept::Shared;
use connection_limiter::ConnectionLimiter;
use inbound_request::InboundRequest;
use listener_state::ListenerState;
use threads::Threads;

/// The limits of every connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EdgeLimits {
    /// Maximum size of one HTTP/1 request head on the wire, in bytes. The app checks the configured limits of a request
    /// and sends the responses; this limit only bounds what is read before that, so it is well above them.
    pub head_bytes: usize,
    /// Deadline from accept (or, on a kept-alive connection, from the first byte of a head) to the end of the head.
    pub header_timeout: Duration,
    /// Maximum number of open connections.
    pub connections: usize,
    /// Maximum number of open connections from one IPv4 address or one IPv6 /64 network.
    pub connections_per_address: usize,
}

/// How many threads serve connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadCount {
    /// One for each core that this process may use.
    Auto,
    /// A fixed number.
    Exactly(NonZeroUsize),
}

/// A running edge: its threads and the listeners that they serve. Listeners can be added and removed, and limits can
/// change, while it runs.
pub struct Edge {
    shared: Arc<Shared>,
    observer: Arc<dyn ConnectionObserver>,
    open: Mutex<Open>,
}

/// The listeners, and the limits for the connections of the next one.
struct Open {
    limits: EdgeLimits,
    listeners: Vec<Listening>,
}

struct Listening {
    address: SocketAddr,
    state: Arc<ListenerState>,
    accepting: JoinHandle<()>,
}

/// The result of a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Drained {
    /// Number of connections that were still open at the end of the grace period and were closed.
    pub remaining: usize,
}

/// Returns why the request of the running task is refused, if it is. Every app calls this first: for a refused request,
/// the parser has received a substitute head that no client sent.
pub fn refusal() -> Option<GateError> {
    InboundRequest::refusal_of_current()
}

/// Records that the request of the running task becomes a tunnel: the next write is the response that says so.
pub(crate) fn open_tunnel() {
    InboundRequest::open_current_tunnel();
}

/// Creates the app for an edge. Limits what pingora leaves unlimited for HTTP/2 (its default header limit is 64 KiB).
pub fn app<SV: ProxyHttp>(conf: &Arc<ServerConf>, hooks: SV) -> Arc<HttpProxy<SV>> {
    let mut app = http_proxy(conf, hooks);
    let mut options = HttpServerOptions::default();
    // otherwise pingora itself responds over HTTP/2 and reports nothing; the gate refuses CONNECT
    options.allow_connect_method_proxying = true;
    app.server_options = Some(options);
    let mut h2_options = default_h2_options();
    h2_options.max_concurrent_streams(HTTP2_STREAMS);
    h2_options.initial_window_size(HTTP2_WINDOW);
    h2_options.initial_connection_window_size(HTTP2_WINDOW * HTTP2_STREAMS);
    app.h2_options = Some(h2_options);
    Arc::new(app)
}

/// Maximum number of concurrent requests on one HTTP/2 connection.
const HTTP2_STREAMS: u32 = 100;
/// Bytes that a client may send on a stream before the upstream reads them. The window of a connection is large enough
/// for all of its streams: with the protocol's 64 KiB for all of them, one blocked upload would stop the others (RFC
/// 9113 §5.2.1).
const HTTP2_WINDOW: u32 = 65_535;

impl Edge {
    /// Starts the threads. Connections are accepted after the first call of [`serve`](Self::serve).
    ///
    /// # Errors
    /// The system cannot create a thread or an event loop.
    pub fn start(
        limits: EdgeLimits,
        threads: ThreadCount,
        observer: Arc<dyn ConnectionObserver>,
    ) -> io::Result<Self> {
        let threads = match threads {
            ThreadCount::Auto => std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            ThreadCount::Exactly(threads) => threads,
        };
        let connection_limiter = ConnectionLimiter::new(
            limits.connections,
            limits.connections_per_address,
            Arc::clone(&observer),
        );
        let shared = Shared {
            threads: Threads::start(threads)?,
            connection_limiter,
            turn: AtomicUsize::new(0),
        };
        Ok(Self {
            shared: Arc::new(shared),
            observer,
            open: Mutex::new(Open {
                limits,
                listeners: Vec::new(),
            }),
        })
    }

    /// Accepts connections from `listener` and serves them with `app`. Can be called at any time before the drain, with
    /// different apps; all connections of an edge share its limits.
    ///
    /// # Errors
    /// The socket cannot be registered with a thread's event loop: the process has no free file descriptors.
    pub fn serve<A>(&self, listener: Listener, app: Arc<A>) -> io::Result<()>
    where
        A: HttpServerApp + Send + Sync + 'static,
    {
        let address = listener.local_address();
        let Listener { socket, tls, .. } = listener;
        let mut open = self.open();
        let thread = self.shared.threads.at(open.listeners.len());
        let listener = {
            let _inside = thread.enter();
            TcpListener::from_std(socket)?
        };
        let state = ListenerState::new(open.limits, tls, Arc::clone(&self.observer));
        let shared = Arc::clone(&self.shared);
        let accepting = thread.spawn(accept::accept(shared, listener, Arc::clone(&state), app));
        open.listeners.push(Listening {
            address,
            state,
            accepting,
        });
        Ok(())
    }

    /// Applies `limits` to connections that are accepted from now on. Open connections keep their limits, and none is
    /// closed because the new number is lower.
    pub fn limit(&self, limits: EdgeLimits) {
        self.shared
            .connection_limiter
            .limit(limits.connections, limits.connections_per_address);
        let mut open = self.open();
        open.limits = limits;
        for listening in &open.listeners {
            listening.state.limit(limits);
        }
    }

    /// Uses `tls` for connections that are accepted at `address` from now on; without it, they use cleartext.
    pub fn secure(&self, address: SocketAddr, tls: Option<TlsTerms>) {
        let open = self.open();
        let at = open.listeners.iter().find(|other| other.address == address);
        if let Some(listening) = at {
            listening.state.secure(tls);
        }
    }

    /// Removes the listener at `address`: stops accepting there and closes its connections as they become idle. Returns
    /// when the socket is closed. Requests in progress continue, however long they take.
    ///
    /// Must run on a runtime of its own, not on the edge's threads.
    pub async fn stop(&self, address: SocketAddr) {
        let stopped = {
            let mut open = self.open();
            let at = open
                .listeners
                .iter()
                .position(|other| other.address == address);
            at.map(|at| open.listeners.remove(at))
        };
        if let Some(stopped) = stopped {
            stopped.end().await;
        }
    }

    /// Returns the addresses that the edge listens on, in the order in which they were added.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let open = self.open();
        open.listeners.iter().map(|other| other.address).collect()
    }

    /// Returns the number of open connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connection_limiter.open()
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drains the edge. Continues to accept for `delay`, so that load balancers can notice the shutdown. Then stops
    /// accepting, closes connections as they become idle, and waits at most `grace` for the last request. Connections
    /// that are still open then are closed. From the end of `delay` on, responses have `Connection: close`; HTTP/2
    /// clients get a GOAWAY.
    ///
    /// The future must run on a runtime with time enabled, not on the edge's own threads. Dropping it closes all
    /// connections.
    pub async fn drain(self, delay: Duration, grace: Duration) -> Drained {
        tokio::time::sleep(delay).await;
        let listeners = std::mem::take(&mut self.open().listeners);
        // all listeners get the signal before the first one is waited for
        for listening in &listeners {
            listening.state.drain().begin();
        }
        let ended = async {
            for listening in listeners {
                listening.end().await;
            }
            self.shared.connection_limiter.until_empty().await;
        };
        match tokio::time::timeout(grace, ended).await {
            Ok(()) => Drained { remaining: 0 },
            Err(_) => Drained {
                remaining: self.shared.connection_limiter.open(),
            },
        }
    }
}

impl Listening {
    /// When this returns, connections that the kernel had queued are counted too.
    async fn end(self) {
        self.state.drain().begin();
        let _ = self.accepting.await;
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        // The accept loops have references to the threads that they run on: the threads end only after the loops.
        for listening in &self.open().listeners {
            listening.state.drain().begin();
        }
    }
}

impl std::fmt::Debug for Edge {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Edge")
            .field("addresses", &self.addresses())
            .finish_non_exhaustive()
    }
}
