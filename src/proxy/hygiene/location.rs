//! Rewrites `Location` and `Content-Location` of a response if they point to the upstream's own address.
//!
//! An API behind the gateway writes its own origin, and the path as it sees it. The client can reach neither. A URL
//! that leads back to the route becomes a path of the route, which works under every name of the gateway. Other URLs
//! are unchanged.

use crate::route::{Route, UpstreamHost};
use http::{HeaderName, HeaderValue, header};
use pingora::http::ResponseHeader;
use std::hint::cold_path;

/// The fields that contain a URL to follow (RFC 9110 §10.2.2, §8.7).
const LEADING: [HeaderName; 2] = [header::LOCATION, header::CONTENT_LOCATION];

/// Rewrites the fields that point to the upstream of `route` to the path under which the client reaches it. `asked`
/// returns the host that the client named.
pub(in crate::proxy) fn lead_back<'a>(
    head: &mut ResponseHeader,
    route: &Route,
    asked: impl Fn() -> Option<&'a str>,
) {
    for name in LEADING {
        let Some(value) = head.headers.get(&name) else {
            continue;
        };
        cold_path();
        let written = value.to_str().ok();
        let mapped = written.and_then(|written| led_back(written, route, asked()));
        if let Some(mapped) = mapped.and_then(|mapped| HeaderValue::from_str(&mapped).ok()) {
            // the name is in the map already, so nothing is added
            let _ = head.insert_header(name, mapped);
        }
    }
}

/// The parts of a reference (RFC 3986 §4.2), unless it is relative to the request or has another scheme.
struct Reference<'a> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: &'a str,
    /// Query and fragment.
    rest: &'a str,
}

impl<'a> Reference<'a> {
    fn parse(written: &'a str) -> Option<Self> {
        let written = written.trim();
        let (scheme, behind) = match written.split_once("://") {
            Some((scheme, behind)) if is_http(scheme) => (Some(scheme), Some(behind)),
            _ => (None, written.strip_prefix("//")),
        };
        let (authority, from_path) = match behind {
            Some(behind) => {
                let (authority, from_path) = split_at_any(behind, &['/', '?', '#']);
                (Some(authority), from_path)
            }
            None if written.starts_with('/') => (None, written),
            None => return None,
        };
        let (path, rest) = split_at_any(from_path, &['?', '#']);
        Some(Self {
            scheme,
            authority,
            path: if path.is_empty() { "/" } else { path },
            rest,
        })
    }

    /// Returns `true` if scheme, host and port match. A missing scheme is not compared; a missing port is the default
    /// port.
    fn is_at(&self, authority: &str, host: &str, port: u16, plain: bool) -> bool {
        let scheme_fits = self
            .scheme
            .is_none_or(|scheme| scheme.eq_ignore_ascii_case("http") == plain);
        let default = if plain { 80 } else { 443 };
        let (name, written) = host_and_port(authority);
        let same_port = match written {
            None | Some("") => port == default,
            Some(written) => written.parse() == Ok(port),
        };
        scheme_fits && same_port && is_same_host(name, host)
    }
}

fn led_back(written: &str, route: &Route, asked: Option<&str>) -> Option<String> {
    let reference = Reference::parse(written)?;
    let public = route.public_path(reference.path);
    let path = match reference.authority {
        // a path as the upstream sees it; without a rewrite, the client sees the same path
        None => public?,
        Some(authority) if is_own(&reference, authority, route) => {
            public.unwrap_or_else(|| reference.path.to_owned())
        }
        Some(authority) if asked.is_some_and(|asked| asked.eq_ignore_ascii_case(authority)) => {
            public?
        }
        Some(_) => return None,
    };
    // two slashes would begin a host name (RFC 3986 §4.2)
    let guard = if path.starts_with("//") { "/." } else { "" };
    Some(format!("{guard}{path}{}", reference.rest))
}

/// Returns `true` if `authority` is one of the route's targets, or the configured host name of the upstream.
fn is_own(reference: &Reference<'_>, authority: &str, route: &Route) -> bool {
    let upstream = route.upstream();
    let named = match upstream.host() {
        UpstreamHost::Named(name) => name.to_str().ok(),
        UpstreamHost::Target | UpstreamHost::Preserve => None,
    };
    upstream.targets().iter().any(|target| {
        let url = &target.url;
        let called = named.is_some_and(|name| {
            let (host, port) = host_and_port(name);
            let default = if url.is_plain() { 80 } else { 443 };
            let port = port.and_then(|port| port.parse().ok()).unwrap_or(default);
            reference.is_at(authority, host, port, url.is_plain())
        });
        called || reference.is_at(authority, url.host(), url.port(), url.is_plain())
    })
}

fn is_http(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

fn is_same_host(one: &str, other: &str) -> bool {
    let bare = |host: &str| -> String {
        let host = host.trim_matches(['[', ']']);
        host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
    };
    bare(one) == bare(other)
}

/// Splits off the port, which follows the last colon outside of brackets.
fn host_and_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// Splits `text` before the first of `marks`.
fn split_at_any<'a>(text: &'a str, marks: &[char]) -> (&'a str, &'a str) {
    let at = text.find(marks).unwrap_or(text.len());
    text.split_at_checked(at).unwrap_or((text, ""))
}
