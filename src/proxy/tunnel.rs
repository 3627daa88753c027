//! What a request expects of its response: a WebSocket tunnel, if the route allows it, or a stream.
//!
//! A request for any other protocol is forwarded without its Upgrade field.

use super::{
    Serving,
    context::{Context, refused},
    media,
};
use crate::{
    edge::{
        self,
        lease::{Lease, Patience, Phase},
    },
    error::{Refusal, UpstreamFault},
    route::Upgrade,
};
use http::{HeaderValue, Method, StatusCode, Version, header};
use pingora::{
    Result,
    http::{RequestHeader, ResponseHeader},
    upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy},
};
use std::time::Duration;

impl Serving {
    /// Prepares `peer` for a request, and registers the request with its lease.
    pub(super) fn expect(&self, asked: &RequestHeader, ctx: &mut Context, peer: &mut HttpPeer) {
        let upgrade = ctx.record.route.as_ref().map(|route| route.upgrade());
        ctx.tunnel = upgrade == Some(Upgrade::WebSocket) && opens_websocket(asked);
        let streams = ctx.tunnel || expects_stream(asked);
        let options = &mut peer.options;
        if ctx.tunnel {
            // pingora itself writes the Upgrade field and its nomination; without a tunnel they are not forwarded
            options.http_upstream_request_policy = HttpUpstreamRequestPolicy::standard();
        }
        // a stream may be silent for longer than the timeout of a head, and its head may arrive with its first chunk
        let longer = options.read_timeout.max(options.idle_timeout);
        if streams {
            options.read_timeout = longer;
        }
        let patience = Patience {
            response: options.read_timeout.unwrap_or(Duration::MAX),
            stream: longer.unwrap_or(Duration::MAX),
        };
        let is_http1 = options.alpn.get_max_http_version() == 1;
        let lease = Lease::current();
        if let Some(lease) = &lease
            && (is_http1 || lease.keeps_deadlines())
        {
            // the lease enforces both timeouts
            options.read_timeout = None;
        }
        let credential = ctx.credential().cloned();
        // the previous attempt, if there was one, ends first: dropping its guard later would unregister this one
        drop(ctx.lease.take());
        ctx.lease = lease.map(|lease| lease.begin(credential, patience, self));
        if asked.version == Version::HTTP_2 {
            ctx.keep_for_log(asked);
        }
    }

    /// Records that a response begins.
    pub(super) fn note_response(&self, head: &ResponseHeader, ctx: &mut Context) {
        ctx.status = head.status.as_u16();
        if let Some(lease) = &ctx.lease {
            lease.response_began(ctx.phase);
        }
    }

    /// Opens the tunnel that the upstream agrees to.
    ///
    /// # Errors
    /// The client did not ask for a tunnel, or the upstream switches to another protocol.
    pub(super) fn open_tunnel(&self, head: &ResponseHeader, ctx: &mut Context) -> Result<()> {
        if !ctx.tunnel || !is_websocket(head.headers.get(header::UPGRADE)) {
            return Err(refused(ctx, UpstreamFault::Upgrade.into()));
        }
        // without a lease, the tunnel would never end
        let Some(lease) = &ctx.lease else {
            return Err(refused(ctx, Refusal::Fault));
        };
        lease.response_began(Phase::Stream);
        edge::open_tunnel();
        ctx.status = StatusCode::SWITCHING_PROTOCOLS.as_u16();
        self.observe_upstream(StatusCode::SWITCHING_PROTOCOLS, ctx);
        Ok(())
    }
}

/// Returns `true` if a request announces that its response is a stream.
fn expects_stream(asked: &RequestHeader) -> bool {
    media::accepts_stream(&asked.headers)
        || (asked.version == Version::HTTP_2 && media::is_streaming_call(&asked.headers))
}

/// Returns `true` if this is a complete WebSocket handshake (RFC 6455 §4.1). One side could read an incomplete
/// handshake as an ordinary request and the other as a tunnel.
fn opens_websocket(head: &RequestHeader) -> bool {
    let fields = &head.headers;
    head.method == Method::GET
        && head.version == Version::HTTP_11
        && is_websocket(fields.get(header::UPGRADE))
        && fields.get_all(header::UPGRADE).iter().count() == 1
        && fields.get_all(header::CONNECTION).iter().any(names_upgrade)
        && fields
            .get(header::SEC_WEBSOCKET_VERSION)
            .is_some_and(|version| version == "13")
        && fields
            .get(header::SEC_WEBSOCKET_KEY)
            .is_some_and(|key| key.len() == KEY_LENGTH)
        && !fields.contains_key(header::CONTENT_LENGTH)
        && !fields.contains_key(header::TRANSFER_ENCODING)
}

/// The length of 16 bytes in base64.
const KEY_LENGTH: usize = 24;

fn is_websocket(upgrade: Option<&HeaderValue>) -> bool {
    upgrade.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

fn names_upgrade(connection: &HeaderValue) -> bool {
    let mut options = connection.as_bytes().split(|byte| *byte == b',');
    options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDSHAKE: [(&str, &str); 4] = [
        ("upgrade", "WebSocket"),
        ("connection", "keep-alive, Upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    fn head(method: Method, fields: &[(&'static str, &'static str)]) -> RequestHeader {
        let mut head = RequestHeader::build(method, b"/", None).unwrap();
        for (name, value) in fields {
            head.append_header(*name, *value).unwrap();
        }
        head
    }

    #[test]
    fn a_whole_handshake_opens_a_websocket() {
        assert!(opens_websocket(&head(Method::GET, &HANDSHAKE)));
    }

    #[test]
    fn whatever_lacks_a_part_of_it_does_not() {
        for missing in 0..HANDSHAKE.len() {
            let mut fields = HANDSHAKE.to_vec();
            fields.remove(missing);
            assert!(!opens_websocket(&head(Method::GET, &fields)), "{missing}");
        }
        assert!(!opens_websocket(&head(Method::POST, &HANDSHAKE)));
        for more in [
            ("content-length", "3"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
        ] {
            let fields = [&HANDSHAKE[..], &[more]].concat();
            assert!(!opens_websocket(&head(Method::GET, &fields)), "{more:?}");
        }
    }
}
