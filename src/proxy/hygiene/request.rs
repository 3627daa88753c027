//! Builds the request head that an upstream receives.

use super::{
    names::is_dropped_from_request,
    route_rules::{Copies, add_to_request},
};
use crate::{
    route::{Route, UpstreamHost},
    source::TokenNeedle,
    telemetry::{LeakPlace, RequestId, TraceParent},
};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Uri, header, request::Parts};
use pingora::{ErrorType, OrErr, Result, http::RequestHeader};
use std::{borrow::Cow, cell::RefCell, hint::cold_path, mem, net::IpAddr};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The field of the W3C Trace Context that identifies the trace of a request.
pub(in crate::proxy) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// How many fields the gateway may add to the received ones.
const OWN_FIELDS: usize = 5;

/// What the outgoing head is built from, in addition to the incoming one.
#[derive(Debug)]
pub(in crate::proxy) struct Outgoing<'a> {
    pub(in crate::proxy) route: &'a Route,
    /// The only credential of the outgoing request.
    pub(in crate::proxy) authorization: Option<&'a HeaderValue>,
    /// Finds copies of the presented token.
    pub(in crate::proxy) presented: &'a [TokenNeedle],
    /// The Host field that names the target.
    pub(in crate::proxy) authority: &'a HeaderValue,
    pub(in crate::proxy) client: Option<&'a IpAddr>,
    pub(in crate::proxy) encrypted: bool,
    pub(in crate::proxy) id: &'a RequestId,
    pub(in crate::proxy) trace: Option<&'a TraceParent>,
}

/// Builds the outgoing head from a copy of the incoming one.
///
/// Only the fields of the copy are kept, and each is checked. Other data that the HTTP library keeps of the incoming
/// head, such as the spelling of names and of the target, is not forwarded.
pub(in crate::proxy) fn clean_request(
    head: &mut RequestHeader,
    outgoing: &Outgoing<'_>,
) -> Result<()> {
    let respelled = respelled_target(&head.uri, outgoing.route)?;
    let mut parts = taken(head);
    let mut asked = None;
    if let Some(respelled) = respelled {
        parts.uri = respelled.target;
        asked = respelled.authority;
    }
    // copied only if a route configures further fields to forward
    let received = outgoing.route.request_rules();
    let received = received.map(|terms| {
        cold_path();
        (terms, parts.headers.clone())
    });
    let host = match outgoing.route.upstream().host() {
        UpstreamHost::Target => Some(outgoing.authority),
        UpstreamHost::Named(name) => Some(name),
        UpstreamHost::Preserve => None,
    };
    let passed = pass_fields(&mut parts.headers, host, outgoing);
    parts.headers.reserve(OWN_FIELDS);
    set_authorization(
        &mut parts.headers,
        passed.credentials,
        outgoing.authorization,
    );
    set_host(&mut parts.headers, host, asked, passed);
    set_fields(&mut parts.headers, outgoing);
    if let Some((terms, received)) = received {
        cold_path();
        let presented = outgoing.presented;
        if add_to_request(&mut parts.headers, &received, terms, presented) == Copies::KeptBack {
            outgoing.route.metrics().leak(LeakPlace::RequestHeader);
        }
    }
    *head = RequestHeader::from(parts);
    Ok(())
}

/// Makes the HTTP library forget how the client spelled field names and target. Neither is forwarded, and both would be
/// copied with every attempt. Only for a target that is the same when it is written again.
pub(in crate::proxy) fn forget_spelling(head: &mut RequestHeader) {
    let parts = taken(head);
    *head = RequestHeader::from(parts);
}

/// Returns method, target, version and fields of `head`, and none of its other data.
fn taken(head: &mut RequestHeader) -> Parts {
    let (placeholder, ()) = http::Request::new(()).into_parts();
    let mut parts = Parts::from(mem::replace(head, RequestHeader::from(placeholder)));
    parts.extensions = Extensions::new();
    parts
}

/// What [`pass_fields`] found.
#[derive(Debug, Default)]
struct Passed {
    /// The number of Authorization fields.
    credentials: usize,
    /// The number of Host fields, all of them replaced.
    hosts: usize,
    /// The first of them.
    host: Option<HeaderValue>,
}

/// Drops the fields that may not be forwarded, each with all its values. Replaces the values of Authorization by the
/// credential of the request, and those of Host by `host`, in place: nearly every request has both, and this costs less
/// than searching for them.
fn pass_fields(
    fields: &mut HeaderMap,
    host: Option<&HeaderValue>,
    outgoing: &Outgoing<'_>,
) -> Passed {
    let (mut passed, mut dropped) = (Passed::default(), Vec::<HeaderName>::new());
    let read_by_source = outgoing.route.credential_fields();
    for (name, value) in fields.iter_mut() {
        if name == header::AUTHORIZATION {
            passed.credentials += 1;
            if let Some(authorization) = outgoing.authorization {
                // the value was marked sensitive when it was created
                *value = authorization.clone();
            }
            continue;
        }
        let untraced = outgoing.trace.is_none() && (name == TRACEPARENT || name == TRACESTATE);
        // looked up once, because well-known names are stored as numbers
        let text = name.as_str();
        if untraced || read_by_source.contains(name) || is_dropped_from_request(text) {
            cold_path();
            dropped.push(name.clone());
            continue;
        }
        let repeats = |token: &TokenNeedle| token.is_in(value.as_bytes()) || token.is_in_name(text);
        if outgoing.presented.iter().any(repeats) {
            cold_path();
            outgoing.route.metrics().leak(LeakPlace::RequestHeader);
            dropped.push(name.clone());
        } else if let (true, Some(host)) = (name == header::HOST, host) {
            passed.hosts += 1;
            let asked = mem::replace(value, host.clone());
            passed.host.get_or_insert(asked);
        }
    }
    for name in dropped {
        if name == header::HOST {
            // the field is gone, with the values that were replaced
            passed.hosts = 0;
        }
        fields.remove(name);
    }
    passed
}

/// Makes `authorization` the only Authorization field, after [`pass_fields`] has replaced the values of all there were.
fn set_authorization(fields: &mut HeaderMap, replaced: usize, authorization: Option<&HeaderValue>) {
    match (authorization, replaced) {
        (Some(_), 1) => {}
        (Some(authorization), _) => {
            cold_path();
            fields.insert(header::AUTHORIZATION, authorization.clone());
        }
        (None, _) => {
            cold_path();
            fields.remove(header::AUTHORIZATION);
        }
    }
}

/// A target that is not forwarded as it was received.
struct Respelled {
    /// Path and query as the upstream receives them.
    target: Uri,
    /// The host that the client named, if the target contained it.
    authority: Option<HeaderValue>,
}

/// Returns the changed target, or `None` if it is forwarded as it was received.
fn respelled_target(target: &Uri, route: &Route) -> Result<Option<Respelled>> {
    if target.authority().is_none() && route.upstream().rewrite_prefix().is_none() {
        return Ok(None);
    }
    respell(target, route).map(Some)
}

/// Not inlined, because most HTTP/1 requests do not need it.
#[inline(never)]
fn respell(target: &Uri, route: &Route) -> Result<Respelled> {
    let authority = target.authority().map(|authority| authority.as_str());
    let authority = authority.and_then(|asked| HeaderValue::from_str(asked).ok());
    let target = match (route.upstream_path(target.path()), target.query()) {
        // HTTP/2 names the host in the target; if it stayed there, it would contradict the Host field
        (Cow::Borrowed(_), _) => Ok(target
            .path_and_query()
            .cloned()
            .map_or_else(Uri::default, Uri::from)),
        (Cow::Owned(path), Some(query)) => format!("{path}?{query}").parse(),
        (Cow::Owned(path), None) => path.parse(),
    };
    let target = target.or_err(ErrorType::InternalError, "the rewritten path is not valid")?;
    Ok(Respelled { target, authority })
}

/// Makes `host` the only Host field, after [`pass_fields`] has replaced the values of all there were, and sets
/// X-Forwarded-Host to the host that the client named: `asked`, or else its Host field. Without `host`, the upstream
/// receives the host that the client named.
fn set_host(
    fields: &mut HeaderMap,
    host: Option<&HeaderValue>,
    asked: Option<HeaderValue>,
    passed: Passed,
) {
    let Some(host) = host else {
        if let Some(asked) = asked {
            fields.insert(header::HOST, asked);
        }
        return;
    };
    if passed.hosts != 1 {
        cold_path();
        fields.insert(header::HOST, host.clone());
    }
    if let Some(asked) = asked.or(passed.host) {
        fields.insert(X_FORWARDED_HOST, asked);
    }
}

/// Adds the fields that the gateway itself sets.
fn set_fields(fields: &mut HeaderMap, outgoing: &Outgoing<'_>) {
    if let Some(address) = outgoing.client.and_then(text_of) {
        fields.insert(X_FORWARDED_FOR, address);
    }
    if outgoing.encrypted {
        // if the field is absent, the scheme is http
        fields.insert(X_FORWARDED_PROTO, HeaderValue::from_static("https"));
    }
    if let Ok(id) = HeaderValue::from_bytes(outgoing.id.digits()) {
        fields.insert(X_REQUEST_ID, id);
    }
    let parent = outgoing.trace.map(TraceParent::as_str);
    if let Some(Ok(parent)) = parent.map(HeaderValue::from_str) {
        fields.insert(TRACEPARENT, parent);
    }
}

/// Returns an address as a header value. Each thread caches the last one, because clients, and even more so load
/// balancers, send many requests.
fn text_of(address: &IpAddr) -> Option<HeaderValue> {
    thread_local! {
        static LAST: RefCell<Option<(IpAddr, HeaderValue)>> = const { RefCell::new(None) };
    }
    LAST.with_borrow_mut(|last| match last {
        Some((known, text)) if known == address => Some(text.clone()),
        _ => {
            cold_path();
            let text = HeaderValue::from_str(&address.to_string()).ok()?;
            *last = Some((*address, text.clone()));
            Some(text)
        }
    })
}
