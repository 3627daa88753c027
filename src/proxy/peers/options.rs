//! Settings of the connections to a target: timeouts, protocol and sharing.

use crate::route::Upstream;
use pingora::{
    protocols::{ALPN, TcpKeepalive},
    upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy},
};
use std::time::Duration;

/// Maximum number of concurrent requests on one HTTP/2 connection.
const HTTP2_STREAMS: u32 = 100;
/// Bytes that a target may send on a stream before the client reads them. The window of a connection is large enough
/// for all of its streams: with pingora's 8 MiB for both, one slow client would stop all the others (RFC 9113 §5.2.1).
const HTTP2_WINDOW: u32 = 256 << 10;

/// Settings that apply to every connection to a target.
#[derive(Clone, Copy)]
pub(super) struct PeerOptions {
    connect: Duration,
    response: Duration,
    idle: Duration,
    http2: bool,
    /// A connection is reused only for requests of the same group.
    group: u64,
}

impl PeerOptions {
    /// Returns the settings for connections to the targets of `upstream`, which belong to `group`.
    pub(super) fn of(upstream: &Upstream, group: u64) -> Self {
        Self {
            connect: upstream.connect_timeout(),
            response: upstream.response_timeout(),
            idle: upstream.idle_timeout(),
            http2: upstream.http2(),
            group,
        }
    }

    /// Applies these settings to `peer`.
    pub(super) fn bind(&self, peer: &mut HttpPeer) {
        peer.group_key = self.group;
        let options = &mut peer.options;
        options.connection_timeout = Some(self.connect);
        options.total_connection_timeout = Some(self.connect);
        options.read_timeout = Some(self.response);
        options.write_timeout = Some(self.idle);
        options.idle_timeout = Some(self.idle);
        options.http_upstream_request_policy = HttpUpstreamRequestPolicy::deny_upgrades();
        options.tcp_keepalive = Some(TcpKeepalive {
            idle: Duration::from_secs(60),
            interval: Duration::from_secs(15),
            count: 4,
            #[cfg(target_os = "linux")]
            user_timeout: Duration::from_secs(0),
        });
        if self.http2 {
            options.alpn = ALPN::H2;
            options.max_h2_streams = HTTP2_STREAMS as usize;
            options.h2_stream_window_size = Some(HTTP2_WINDOW);
            options.h2_connection_window_size = Some(HTTP2_WINDOW * HTTP2_STREAMS);
        }
    }
}
