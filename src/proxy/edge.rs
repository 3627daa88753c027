//! The edge: sockets, TLS, connections and their end. Bound listeners and a pingora app enter; every accepted connection
//! is counted from accept to close, capped in number and in all that precedes a request, and served by the app. Nothing
//! here knows of tokens or routes. [`Edge::drain`] ends it without losing a request that was received.
//!
//! ```text
//! Listener ─► accept ─► census ─► Socket ─► (TLS) ─► Guard ─► pingora's session ─► app
//!             loop      caps      counted   deadline  head
//! ```

mod accept;
mod census;
mod client_certificate;
mod connection;
mod drain;
mod guard;
mod head;
mod intake;
mod listener;
mod reception;
mod request_state;
mod socket;
mod streams;
mod threads;
mod tls;

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

pub use census::{ConnectionEvent, ConnectionObserver};
pub(super) use client_certificate::ClientCertificate;
pub use client_certificate::ClientTrust;
pub use listener::{InheritedSockets, ListenError, Listener};
pub use tls::{Http2, TlsError, TlsTerms};

use crate::gate::GateError;
use accept::Shared;
use census::Census;
use reception::Reception;
use request_state::RequestState;
use threads::Threads;

/// What every connection is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EdgeLimits {
    /// Bytes of one HTTP/1 request head on the wire. The request's own limits are checked, and answered, by the app: this
    /// one only bounds what is read before that, so it stands well above them.
    pub head_bytes: usize,
    /// From accept (or, on a kept-alive connection, from a head's first byte) to the end of the head.
    pub header_timeout: Duration,
    /// Open connections in all.
    pub connections: usize,
    /// Open connections of one IPv4 address or IPv6 /64.
    pub connections_per_address: usize,
}

/// How many threads serve connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadCount {
    /// One for each core this process may use.
    Auto,
    /// This many.
    Exactly(NonZeroUsize),
}

/// A running edge: threads, and the listeners they serve. Listeners can come and go, and what connections are held to can
/// change, while it runs.
pub struct Edge {
    shared: Arc<Shared>,
    observer: Arc<dyn ConnectionObserver>,
    open: Mutex<Open>,
}

/// The listeners, and what the next one's connections are held to.
struct Open {
    limits: EdgeLimits,
    listeners: Vec<Listening>,
}

struct Listening {
    address: SocketAddr,
    reception: Arc<Reception>,
    accepting: JoinHandle<()>,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Drained {
    /// Connections that were still open when the grace was over, and were cut.
    pub remaining: usize,
}

/// Why the request that the running task serves is refused, if it is. Every app asks this first: what the parser gave it is
/// then no request of anybody's.
pub fn refusal() -> Option<GateError> {
    RequestState::refusal_of_current()
}

/// The request that the running task serves is becoming a tunnel: the response that says so is written next.
pub(super) fn open_tunnel() {
    RequestState::open_current_tunnel();
}

/// Makes the app for an edge: what pingora leaves open for HTTP/2 is bounded (64 KiB of headers are its default).
pub fn app<SV: ProxyHttp>(conf: &Arc<ServerConf>, hooks: SV) -> Arc<HttpProxy<SV>> {
    let mut app = http_proxy(conf, hooks);
    let mut options = HttpServerOptions::default();
    // else pingora answers it itself, over HTTP/2, and says nothing; the gate refuses it
    options.allow_connect_method_proxying = true;
    app.server_options = Some(options);
    let mut h2_options = default_h2_options();
    h2_options.max_concurrent_streams(HTTP2_STREAMS);
    h2_options.initial_window_size(HTTP2_WINDOW);
    h2_options.initial_connection_window_size(HTTP2_WINDOW * HTTP2_STREAMS);
    app.h2_options = Some(h2_options);
    Arc::new(app)
}

/// Requests at a time on one connection of HTTP/2.
const HTTP2_STREAMS: u32 = 100;
/// What a client may send ahead of a downstream that does not read, in bytes. A connection has room for as much on every
/// stream: with the protocol's 64 KiB for all of them, one such upload would hold back the others (RFC 9113 §5.2.1).
const HTTP2_WINDOW: u32 = 65_535;

impl Edge {
    /// Starts the threads. Nothing is accepted before [`serve`](Self::serve).
    ///
    /// # Errors
    /// The system refuses a thread or an event loop.
    pub fn start(
        limits: EdgeLimits,
        threads: ThreadCount,
        observer: Arc<dyn ConnectionObserver>,
    ) -> io::Result<Self> {
        let threads = match threads {
            ThreadCount::Auto => std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            ThreadCount::Exactly(threads) => threads,
        };
        let census = Census::new(
            limits.connections,
            limits.connections_per_address,
            Arc::clone(&observer),
        );
        let shared = Shared {
            threads: Threads::start(threads)?,
            census,
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

    /// Begins to accept from `listener` and to serve its connections with `app`. Can be called at any time before the
    /// drain, with different apps; all connections of an edge share its limits.
    ///
    /// # Errors
    /// The socket cannot be registered with a thread's event loop: the process is out of descriptors.
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
        let reception = Reception::new(open.limits, tls, Arc::clone(&self.observer));
        let shared = Arc::clone(&self.shared);
        let accepting = thread.spawn(accept::accept(
            shared,
            listener,
            Arc::clone(&reception),
            app,
        ));
        open.listeners.push(Listening {
            address,
            reception,
            accepting,
        });
        Ok(())
    }

    /// Holds connections that are accepted from now on to `limits`; those that are open keep theirs, and are never cut
    /// because a lower number is allowed.
    pub fn limit(&self, limits: EdgeLimits) {
        self.shared
            .census
            .limit(limits.connections, limits.connections_per_address);
        let mut open = self.open();
        open.limits = limits;
        for listening in &open.listeners {
            listening.reception.limit(limits);
        }
    }

    /// Secures the connections that are accepted at `address` from now on with `tls`; cleartext without.
    pub fn secure(&self, address: SocketAddr, tls: Option<TlsTerms>) {
        let open = self.open();
        let at = open.listeners.iter().find(|other| other.address == address);
        if let Some(listening) = at {
            listening.reception.secure(tls);
        }
    }

    /// Ends the listener at `address`: accepts no more there, and closes its connections as they go idle. Returns when the
    /// socket is closed; requests under way go on, however long they take.
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

    /// The addresses it listens on, in the order they were served.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let open = self.open();
        open.listeners.iter().map(|other| other.address).collect()
    }

    /// The connections open now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.census.open()
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Comes to an end: accepts for `delay` as before (load balancers learn of it meanwhile), then accepts no more, closes
    /// connections as they go idle and waits until the last request is answered, at most for `grace`. What is open then
    /// is cut. Answers carry `Connection: close` from the end of `delay` on; HTTP/2 clients get a GOAWAY.
    ///
    /// The future must run on a runtime with time enabled, not on the edge's own threads. Dropping it cuts everything.
    pub async fn drain(self, delay: Duration, grace: Duration) -> Drained {
        tokio::time::sleep(delay).await;
        let listeners = std::mem::take(&mut self.open().listeners);
        // all are told before any is waited for
        for listening in &listeners {
            listening.reception.drain().begin();
        }
        let ended = async {
            for listening in listeners {
                listening.end().await;
            }
            self.shared.census.until_empty().await;
        };
        match tokio::time::timeout(grace, ended).await {
            Ok(()) => Drained { remaining: 0 },
            Err(_) => Drained {
                remaining: self.shared.census.open(),
            },
        }
    }
}

impl Listening {
    /// After this, whoever the kernel had queued is counted too.
    async fn end(self) {
        self.reception.drain().begin();
        let _ = self.accepting.await;
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        // The accept loops hold the threads that they run on: they must end for the threads to end.
        for listening in &self.open().listeners {
            listening.reception.drain().begin();
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
