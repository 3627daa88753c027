//! The baseline for measurements of the gateway: pingora on the gateway's own edge, with its allocator, runtime and
//! upstream timeouts, and nothing else. Forwards all requests to one address. Prints `listening <address>` and serves
//! until it is killed.
#![allow(clippy::print_stdout, reason = "the address is this program's output")]

use std::error::Error;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use clap::Parser;
use obo_gateway::edge::{
    self, ConnectionEvent, ConnectionObserver, Edge, EdgeLimits, Listener, ThreadCount,
};
use pingora::modules::http::HttpModules;
use pingora::prelude::{HttpPeer, ProxyHttp, Session};
use pingora::server::configuration::ServerConf;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
struct Arguments {
    /// The address to listen on; port 0 selects a free port.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The address that all requests are forwarded to.
    #[arg(long)]
    upstream: SocketAddr,
    /// Threads that serve connections.
    #[arg(long, default_value = "1")]
    threads: NonZeroUsize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let conf = Arc::new(ServerConf {
        threads: arguments.threads.get(),
        ..ServerConf::default()
    });
    let app = edge::app(
        &conf,
        Bare {
            upstream: arguments.upstream,
        },
    );
    let limits = EdgeLimits {
        head_bytes: 136 * 1024,
        header_timeout: Duration::from_secs(10),
        connections: 20_000,
        connections_per_address: 20_000,
    };
    let edge = Edge::start(
        limits,
        ThreadCount::Exactly(arguments.threads),
        Arc::new(Unobserved),
    )?;
    edge.serve(Listener::bind(arguments.listen, None)?, app)?;
    for address in edge.addresses() {
        println!("listening {address}");
    }
    loop {
        std::thread::park();
    }
}

struct Bare {
    upstream: SocketAddr,
}

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    fn init_downstream_modules(&self, _: &mut HttpModules) {}

    async fn upstream_peer(
        &self,
        _: &mut Session,
        (): &mut Self::CTX,
    ) -> pingora::Result<Box<HttpPeer>> {
        let mut peer = HttpPeer::new(self.upstream, false, String::new());
        peer.options.connection_timeout = Some(Duration::from_secs(2));
        peer.options.read_timeout = Some(Duration::from_secs(15));
        peer.options.write_timeout = Some(Duration::from_secs(15));
        peer.options.idle_timeout = Some(Duration::from_secs(60));
        Ok(Box::new(peer))
    }
}

struct Unobserved;

impl ConnectionObserver for Unobserved {
    fn observe(&self, _: ConnectionEvent) {}
}
