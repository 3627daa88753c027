//! The first check of a request head. It refuses everything that two parsers could interpret differently.
//!
//! The head is checked first as received bytes ([`wire`]) and then as parsed by the HTTP library. The result is a
//! [`CleanTarget`], whose path has the same meaning for the route table and for the upstream that receives the same
//! bytes. Nothing is normalized: a path that would need normalization is refused.

mod chunks;
mod host;
mod path;
pub mod wire;

use crate::{
    rate_limit::RateSettings,
    settings::{Building, ByteSize, HumanDuration, fingerprint},
};
use http::{HeaderValue, Method, Uri, header, request::Parts};
use schemars::JsonSchema;
use serde::Deserialize;
use thiserror::Error;

pub use chunks::{ChunkFault, Chunks};
pub use host::{Host, HostFault};
pub use path::PathAmbiguity;

/// Limits on the size of requests, on connections, and on the rate of token service requests.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSettings {
    /// Maximum length of a token, 1KiB to 1MiB. Longer tokens get 431.
    pub token: ByteSize,
    /// Maximum size of all headers together, 1KiB to 1MiB. Larger requests get 431.
    pub headers: ByteSize,
    /// Maximum length of path and query together, 1KiB to 1MiB. Longer targets get 414.
    pub target: ByteSize,
    /// Time in which a client must complete a request head, including the TLS handshake on a new connection. After it
    /// the connection is closed.
    pub header_timeout: HumanDuration,
    /// Maximum number of open client connections. New connections above it are closed immediately.
    #[schemars(range(min = 1))]
    pub connections: usize,
    /// Maximum number of open connections from one client address. New connections above it are closed immediately.
    /// Behind a load balancer all connections come from its address.
    #[schemars(range(min = 1))]
    pub connections_per_address: usize,
    /// Limits of the token service.
    pub token_service: TokenServiceLimitsSettings,
}

fingerprint!(LimitsSettings {
    without: {
        [token, headers, target]: "are checked for every request, before the cache is asked",
        [header_timeout, connections, connections_per_address]: "are about connections",
        [token_service]: "limits how many requests are served, not what they get",
    },
});

/// Limits of the token service. They do not apply to routes.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TokenServiceLimitsSettings {
    /// Rate limit of the token service. Default: no limit.
    pub requests_per_second: RateSettings,
}

impl Default for LimitsSettings {
    fn default() -> Self {
        Self {
            token: ByteSize::from_kib(16),
            headers: ByteSize::from_kib(64),
            target: ByteSize::from_kib(8),
            header_timeout: HumanDuration::from_secs(10),
            connections: 20_000,
            connections_per_address: 1_000,
            token_service: TokenServiceLimitsSettings::default(),
        }
    }
}

impl LimitsSettings {
    /// The maximum number of bytes of a head that are read before it is refused unparsed.
    pub fn head_bytes(&self) -> usize {
        self.headers
            .as_len()
            .saturating_mul(2)
            .saturating_add(self.target.as_len())
    }

    /// Reports limits outside of their allowed ranges.
    pub fn check(&self, building: &mut Building<'_>) {
        building.within("token_service", |b| {
            let rates = self.token_service.requests_per_second;
            b.within("requests_per_second", |b| rates.check(b));
        });
        let mib = ByteSize::from_mib(1);
        for (key, size) in [
            ("token", self.token),
            ("headers", self.headers),
            ("target", self.target),
        ] {
            if !(ByteSize::from_kib(1)..=mib).contains(&size) {
                building.within(key, |b| {
                    b.findings
                        .error("expected a size from 1KiB to 1MiB", "write e.g. 16KiB")
                });
            }
        }
        if self.header_timeout.get().is_zero() {
            building.within("header_timeout", |b| {
                b.findings.error(
                    "expected more than zero",
                    "write how long a client may take to send a head, e.g. 10s",
                )
            });
        }
        for (key, count) in [
            ("connections", self.connections),
            ("connections_per_address", self.connections_per_address),
        ] {
            if count == 0 {
                building.within(key, |b| {
                    b.findings.error(
                        "expected at least 1",
                        "write how many connections may be open",
                    )
                });
            }
        }
    }
}

/// The reason why a head is refused before any other check.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GateError {
    /// Path and query are longer than `limits.target`.
    #[error("request target longer than {limit} bytes")]
    TargetTooLong {
        /// The configured limit in bytes.
        limit: usize,
    },
    /// The header fields are larger than `limits.headers`.
    #[error("header fields larger than {limit} bytes")]
    HeadersTooLarge {
        /// The configured limit in bytes.
        limit: usize,
    },
    /// Two parsers could interpret the path differently.
    #[error("ambiguous path: {0}")]
    AmbiguousPath(#[from] PathAmbiguity),
    /// The authority of the target and the Host field differ (RFC 9112 §3.2.2).
    #[error("request target and host field name different authorities")]
    AuthorityMismatch,
    /// The method must not be forwarded: TRACE and TRACK would echo the credential (RFC 9110 §9.3.8).
    #[error("method not forwarded")]
    MethodNotForwarded,
    /// The head is not in the one form that every parser interprets alike.
    #[error("malformed request head: {0}")]
    MalformedHead(#[from] wire::HeadFault),
    /// The chunked encoding of the body is not in the one form that every parser interprets alike.
    #[error(transparent)]
    MalformedBody(#[from] ChunkFault),
    /// The request names no host, or more than one (RFC 9112 §3.2).
    #[error("host: {0}")]
    Host(#[from] HostFault),
    /// There are more header fields, or a longer field name, than the parser accepts.
    #[error("more than {} header fields", wire::MOST_FIELDS)]
    TooManyFields,
}

/// A request target with only one interpretation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanTarget<'a> {
    authority: &'a str,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> CleanTarget<'a> {
    /// The requested host, without its port.
    pub fn host(&self) -> &'a str {
        without_port(self.authority)
    }

    /// The requested host and port, as the client wrote them.
    pub fn authority(&self) -> &'a str {
        self.authority
    }

    /// The path, starting with a slash.
    pub fn path(&self) -> &'a str {
        self.path
    }

    /// The query without its question mark.
    pub fn query(&self) -> Option<&'a str> {
        self.query
    }
}

/// The limits of the gate.
#[derive(Debug, Clone, Copy)]
pub struct Gate {
    target: usize,
    headers: usize,
}

impl Gate {
    /// Creates a gate with these limits.
    pub fn new(limits: &LimitsSettings) -> Self {
        Self {
            target: limits.target.as_len(),
            headers: limits.headers.as_len(),
        }
    }

    /// Checks a head.
    ///
    /// # Errors
    /// [`GateError`]. If the framing itself is in doubt, the connection should be closed after the response.
    pub fn pass<'a>(&self, head: &'a Parts) -> Result<CleanTarget<'a>, GateError> {
        let path = head.uri.path();
        let query = head.uri.query();
        if path.len() + query.map_or(0, |query| query.len() + 1) > self.target {
            return Err(GateError::TargetTooLong { limit: self.target });
        }
        let (mut size, mut host) = (0, None);
        for (name, value) in &head.headers {
            // name, colon, space, value and line end
            size += name.as_str().len() + value.len() + 4;
            if name == header::HOST {
                host = host.or(Some(value));
            }
        }
        if size > self.headers {
            return Err(GateError::HeadersTooLarge {
                limit: self.headers,
            });
        }
        if [Method::TRACE, Method::CONNECT].contains(&head.method) || head.method.as_str() == TRACK
        {
            return Err(GateError::MethodNotForwarded);
        }
        check_path(path)?;
        Ok(CleanTarget {
            authority: authority_of(&head.uri, host)?,
            path,
            query,
        })
    }
}

/// The method that older IIS versions use like TRACE.
const TRACK: &str = "TRACK";

/// Accepts a path that every parser splits and decodes alike.
///
/// # Errors
/// The first [`PathAmbiguity`] found.
pub fn check_path(path: &str) -> Result<(), PathAmbiguity> {
    path::check(path)
}

/// Accepts a head that names exactly one host (RFC 9112 §3.2).
///
/// # Errors
/// [`HostFault`], or [`GateError::AuthorityMismatch`] for two names that differ.
pub fn check_host(head: &Parts) -> Result<(), GateError> {
    authority_of(&head.uri, head.headers.get(header::HOST)).map(drop)
}

/// Returns host and port from the target's authority or the Host field. If both are present, they must agree.
fn authority_of<'a>(uri: &'a Uri, host: Option<&'a HeaderValue>) -> Result<&'a str, GateError> {
    let field = match host {
        None => None,
        Some(value) => Some(value.to_str().map_err(|_| HostFault::Malformed)?),
    };
    let authority = match (uri.authority(), field) {
        (Some(target), Some(field)) if !target.as_str().eq_ignore_ascii_case(field) => {
            return Err(GateError::AuthorityMismatch);
        }
        (Some(target), _) => target.as_str(),
        (None, field) => field.unwrap_or_default(),
    };
    Host::read(authority.as_bytes())?;
    Ok(authority)
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        // a colon inside the brackets of an IPv6 literal does not separate a port
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn pass(request: http::request::Builder) -> Result<(String, String), GateError> {
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let host = HeaderValue::from_static("a.example");
        head.headers.entry(header::HOST).or_insert(host);
        Gate::new(&LimitsSettings::default())
            .pass(&head)
            .map(|target| (target.host().to_owned(), target.path().to_owned()))
    }

    #[test]
    fn the_host_is_read_without_its_port() {
        for (host, expected) in [
            ("api.example.com", "api.example.com"),
            ("api.example.com:8443", "api.example.com"),
            ("[::1]:8443", "[::1]"),
            ("[::1]", "[::1]"),
        ] {
            let (found, _) = pass(Request::get("/a").header("host", host)).unwrap();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn two_names_for_the_host_are_refused() {
        let request = Request::get("http://a.example/x").header("host", "b.example");
        assert_eq!(pass(request), Err(GateError::AuthorityMismatch));
        assert!(pass(Request::get("http://a.example/x").header("host", "A.example")).is_ok());
    }

    #[test]
    fn a_request_for_no_host_is_refused() {
        let (head, ()) = Request::get("/a").body(()).unwrap().into_parts();
        let gate = Gate::new(&LimitsSettings::default());
        assert_eq!(gate.pass(&head), Err(HostFault::Missing.into()));
        for host in ["a b", "a,b", "u@a", "a:x", "a..b", "caf\u{e9}"] {
            let request = Request::get("/a").header("host", host.as_bytes());
            assert_eq!(pass(request), Err(HostFault::Malformed.into()), "{host}");
        }
        assert_eq!(
            pass(Request::get("/a").header("host", "")),
            Err(HostFault::Missing.into())
        );
        assert!(
            pass(Request::get("https://a.example:8443/a").header("host", "a.example:8443")).is_ok()
        );
    }

    #[test]
    fn sizes_are_bounded() {
        let long = format!("/{}", "a".repeat(8 << 10));
        assert!(matches!(
            pass(Request::get(long)),
            Err(GateError::TargetTooLong { .. })
        ));
        let wide = "a".repeat(64 << 10);
        assert!(matches!(
            pass(Request::get("/").header("x", wide)),
            Err(GateError::HeadersTooLarge { .. })
        ));
    }

    #[test]
    fn trace_and_asterisk_form_are_refused() {
        for method in ["TRACE", "TRACK", "CONNECT"] {
            assert_eq!(
                pass(Request::builder().method(method).uri("/")),
                Err(GateError::MethodNotForwarded)
            );
        }
        assert!(matches!(
            pass(Request::builder().method("OPTIONS").uri("*")),
            Err(GateError::AmbiguousPath(_))
        ));
    }
}
