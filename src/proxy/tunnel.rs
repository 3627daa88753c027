//! What outlives one answer: WebSockets, where the route says so, and streams of events.
//!
//! What enters are requests that ask for one; what leaves is a tunnel or a stream that ends no later than the token
//! that opened it. Everything else that asks for another protocol is forwarded without the question.

use super::{
    Serving,
    context::{Context, Progress, refused},
    edge::Lease,
};
use crate::{
    clock::UnixTime,
    error::{Refusal, UpstreamFault},
    route::Upgrade,
};
use http::{HeaderValue, Method, StatusCode, Version, header};
use pingora::{
    Error, ErrorType, Result,
    http::{RequestHeader, ResponseHeader},
    upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy},
};

/// How long a request may go on.
#[derive(Debug, Default)]
pub(super) enum Lasting {
    /// For one answer.
    #[default]
    Answer,
    /// A stream of events; `None` where no token ends it.
    Events(Option<UnixTime>),
    /// A tunnel, if the downstream agrees.
    Tunnel(Option<UnixTime>),
}

impl Lasting {
    fn ends(&self) -> Option<UnixTime> {
        match self {
            Self::Answer => None,
            Self::Events(ends) | Self::Tunnel(ends) => *ends,
        }
    }
}

impl Serving {
    /// Looks at what a request asks for, before it goes to `peer`.
    pub(super) fn expect(&self, asked: &RequestHeader, ctx: &mut Context, peer: &mut HttpPeer) {
        let upgrade = ctx.trail.route.as_ref().map(|route| route.upgrade());
        let tunnel = upgrade == Some(Upgrade::WebSocket) && opens_websocket(asked);
        if !tunnel && !asks_for_events(asked) {
            return;
        }
        let options = &mut peer.options;
        // pingora has one read timeout for head and body: a stream may be quiet for longer than a head may take
        options.read_timeout = options.read_timeout.max(options.idle_timeout);
        let ends = match &ctx.progress {
            Progress::Authorized(authorized) => Some(authorized.credential.usable_until()),
            Progress::Public(..) | Progress::Received | Progress::Answered(_) => None,
        };
        if tunnel {
            // the field and its nomination are written anew; in any other case they do not cross
            options.http_upstream_request_policy = HttpUpstreamRequestPolicy::standard();
            ctx.lasting = Lasting::Tunnel(ends);
        } else {
            // where streams share a connection the lease is not theirs: they end with their next event
            let _ = lease(ends, ctx);
            ctx.lasting = Lasting::Events(ends);
        }
    }

    /// Opens the tunnel that the downstream agrees to.
    ///
    /// # Errors
    /// Nobody asked for one, or it is another.
    pub(super) fn open_tunnel(&self, head: &ResponseHeader, ctx: &mut Context) -> Result<()> {
        let Lasting::Tunnel(ends) = &ctx.lasting else {
            return Err(refused(ctx, UpstreamFault::Upgrade.into()));
        };
        if !is_websocket(head.headers.get(header::UPGRADE)) {
            return Err(refused(ctx, UpstreamFault::Upgrade.into()));
        }
        if lease(*ends, ctx).is_none() {
            return Err(refused(ctx, Refusal::Fault));
        }
        self.observe_upstream(StatusCode::SWITCHING_PROTOCOLS, ctx);
        Ok(())
    }

    /// Lets a piece of what lasts pass, as long as its token counts.
    ///
    /// # Errors
    /// The token has ended.
    pub(super) fn go_on(&self, ctx: &Context) -> Result<()> {
        if is_over(ctx) {
            return Error::e_explain(ErrorType::ConnectionClosed, "its token has ended");
        }
        Ok(())
    }
}

/// Whether the token that the request lasts with has ended.
pub(super) fn is_over(ctx: &Context) -> bool {
    let ends = ctx.lasting.ends();
    ends.is_some_and(|ends| ctx.hooks.clock.now() >= ends)
}

/// Has the connection end at `ends`; none where that cannot be done.
fn lease(ends: Option<UnixTime>, ctx: &Context) -> Option<()> {
    let lease = Lease::current()?;
    if let Some(ends) = ends {
        lease.end_in(ends.since(ctx.hooks.clock.now()));
    }
    Some(())
}

/// Whether the client asks for server-sent events.
fn asks_for_events(head: &RequestHeader) -> bool {
    let accept = head.headers.get(header::ACCEPT);
    accept.is_some_and(|accept| accept.as_bytes() == b"text/event-stream")
}

/// Whether this is the opening handshake of a WebSocket (RFC 6455 §4.1): one that only looks like it would be read as
/// an ordinary request on one side and as a tunnel on the other.
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

/// 16 bytes in base64.
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
