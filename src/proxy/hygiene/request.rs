//! Builds the request head that an upstream receives.

use super::{
    names::is_dropped_from_request,
    route_rules::{Copies, add_to_request},
};
use crate::{
    route::{Route, UpstreamHost},
    source::TokenNeedle,
    telemetry::{LeakPlace, RequestId, TraceContext, TraceParent},
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
    pub(in crate::proxy) authority: HeaderValue,
    pub(in crate::proxy) client: Option<IpAddr>,
    pub(in crate::proxy) encrypted: bool,
    pub(in crate::proxy) id: RequestId,
    pub(in crate::proxy) trace: Option<(TraceContext, TraceParent)>,
}

/// Builds the outgoing head from a copy of the incoming one.
///
/// Only the fields of the copy are kept, and each is checked. Other data that the HTTP library keeps of the incoming
/// head, such as the spelling of names and of the target, is not forwarded.
pub(in crate::proxy) fn clean_request(
    head: &mut RequestHeader,
    outgoing: Outgoing<'_>,
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
    drop_fields(&mut parts.headers, &outgoing);
    parts.headers.reserve(OWN_FIELDS);
    // all values of the field are replaced or removed
    match outgoing.authorization {
        // the value was marked sensitive when it was created
        Some(authorization) => {
            let field = header::AUTHORIZATION;
            parts.headers.insert(field, authorization.clone());
        }
        None => {
            cold_path();
            parts.headers.remove(header::AUTHORIZATION);
        }
    }
    set_fields(&mut parts.headers, &outgoing);
    let host = outgoing.route.upstream().host();
    set_host(&mut parts.headers, asked, outgoing.authority, host);
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

/// Drops the fields that may not be forwarded, each with all its values, except Authorization.
fn drop_fields(fields: &mut HeaderMap, outgoing: &Outgoing<'_>) {
    let mut dropped: Vec<HeaderName> = Vec::new();
    let read_by_source = outgoing.route.credential_fields();
    for (name, value) in &*fields {
        if name == header::AUTHORIZATION {
            // nearly every request has it; the caller replaces or removes it afterwards
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
        }
    }
    for name in dropped {
        fields.remove(name);
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

/// Sets the Host field, and X-Forwarded-Host to the host that the client named (`authority`, or else its Host field).
fn set_host(
    fields: &mut HeaderMap,
    authority: Option<HeaderValue>,
    target: HeaderValue,
    host: &UpstreamHost,
) {
    let host = match host {
        UpstreamHost::Preserve => {
            if let Some(asked) = authority.or_else(|| fields.get(header::HOST).cloned()) {
                fields.insert(header::HOST, asked);
            }
            return;
        }
        UpstreamHost::Target => target,
        UpstreamHost::Named(name) => name.clone(),
    };
    let field = fields.insert(header::HOST, host);
    if let Some(asked) = authority.or(field) {
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
    let parent = outgoing.trace.as_ref().map(|(_, parent)| parent.as_str());
    if let Some(Ok(parent)) = parent.map(HeaderValue::from_str) {
        fields.insert(TRACEPARENT, parent);
    }
}

/// Returns an address as a header value. Each thread caches the last one, because clients, and even more so load
/// balancers, send many requests.
fn text_of(address: IpAddr) -> Option<HeaderValue> {
    thread_local! {
        static LAST: RefCell<Option<(IpAddr, HeaderValue)>> = const { RefCell::new(None) };
    }
    LAST.with_borrow_mut(|last| match last {
        Some((known, text)) if *known == address => Some(text.clone()),
        _ => {
            cold_path();
            let text = HeaderValue::from_str(&address.to_string()).ok()?;
            *last = Some((address, text.clone()));
            Some(text)
        }
    })
}
