//! The head that a downstream gets.

use super::{
    names::is_dropped_from_request,
    terms::{Copies, add_to_request},
};
use crate::{
    route::{Route, UpstreamHost},
    source::Imprint,
    telemetry::{LeakPlace, RequestId, TraceContext, TraceParent},
};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Uri, header, request::Parts};
use pingora::{ErrorType, OrErr, Result, http::RequestHeader};
use std::{borrow::Cow, cell::RefCell, hint::cold_path, mem, net::IpAddr};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The field of the W3C Trace Context that says which trace a request belongs to.
pub(in crate::proxy) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// How many fields may be added to those that came.
const OWN_FIELDS: usize = 5;

/// What the outgoing head is made from, besides the incoming one.
#[derive(Debug)]
pub(in crate::proxy) struct Outgoing<'a> {
    pub(in crate::proxy) route: &'a Route,
    /// The only credential there is.
    pub(in crate::proxy) authorization: Option<&'a HeaderValue>,
    /// Recognises what the client presented.
    pub(in crate::proxy) presented: &'a [Imprint],
    /// The Host field that names the target.
    pub(in crate::proxy) authority: HeaderValue,
    pub(in crate::proxy) client: Option<IpAddr>,
    pub(in crate::proxy) encrypted: bool,
    pub(in crate::proxy) id: RequestId,
    pub(in crate::proxy) trace: Option<(TraceContext, TraceParent)>,
}

/// Makes the outgoing head out of a copy of the incoming one.
///
/// Of the copy only the fields are kept, each looked at; what else the HTTP library remembers of the incoming head, the
/// spelling of names and of the target among it, does not cross.
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
    // copied only where a route names what else crosses
    let received = outgoing.route.request_terms();
    let received = received.map(|terms| {
        cold_path();
        (terms, parts.headers.clone())
    });
    drop_fields(&mut parts.headers, &outgoing);
    parts.headers.reserve(OWN_FIELDS);
    // all its values go, whatever comes in their place
    match outgoing.authorization {
        // the value was marked sensitive when it was made
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

/// Has the HTTP library forget how the client spelled the names of its fields and its target, neither of which crosses:
/// what it remembers of them would be copied with every attempt. Only for a target that is the same spelled anew.
pub(in crate::proxy) fn forget_spelling(head: &mut RequestHeader) {
    let parts = taken(head);
    *head = RequestHeader::from(parts);
}

/// Method, target, version and fields of `head`, and nothing else of it.
fn taken(head: &mut RequestHeader) -> Parts {
    let (placeholder, ()) = http::Request::new(()).into_parts();
    let mut parts = Parts::from(mem::replace(head, RequestHeader::from(placeholder)));
    parts.extensions = Extensions::new();
    parts
}

/// Drops the fields that may not cross, each with all its values; all but Authorization.
fn drop_fields(fields: &mut HeaderMap, outgoing: &Outgoing<'_>) {
    let mut dropped: Vec<HeaderName> = Vec::new();
    for (name, value) in &*fields {
        if name == header::AUTHORIZATION {
            // nearly every request has it; it is not dropped here but replaced, or dropped, next
            continue;
        }
        let untraced = outgoing.trace.is_none() && (name == TRACEPARENT || name == TRACESTATE);
        // looked up once: names that every client knows are numbers in here
        let text = name.as_str();
        if untraced || is_dropped_from_request(text) {
            cold_path();
            dropped.push(name.clone());
            continue;
        }
        let repeats = |token: &Imprint| token.is_in(value.as_bytes()) || token.is_in_name(text);
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

/// A target that does not cross as it came.
struct Respelled {
    /// Path and query as the downstream gets them.
    target: Uri,
    /// The host that the client asked for, where the target named it.
    authority: Option<HeaderValue>,
}

/// How `target` crosses, if not as it came.
fn respelled_target(target: &Uri, route: &Route) -> Result<Option<Respelled>> {
    if target.authority().is_none() && route.upstream().rewrite_prefix().is_none() {
        return Ok(None);
    }
    respell(target, route).map(Some)
}

/// Kept out of what every request of HTTP/1 goes through.
#[inline(never)]
fn respell(target: &Uri, route: &Route) -> Result<Respelled> {
    let authority = target.authority().map(|authority| authority.as_str());
    let authority = authority.and_then(|asked| HeaderValue::from_str(asked).ok());
    let target = match (route.upstream_path(target.path()), target.query()) {
        // HTTP/2 names the host in the target: what stayed there would contradict the Host field
        (Cow::Borrowed(_), _) => Ok(target
            .path_and_query()
            .cloned()
            .map_or_else(Uri::default, Uri::from)),
        (Cow::Owned(path), Some(query)) => format!("{path}?{query}").parse(),
        (Cow::Owned(path), None) => path.parse(),
    };
    let target = target.or_err(ErrorType::InternalError, "the rewritten path is no path")?;
    Ok(Respelled { target, authority })
}

/// The Host field, and what the client asked for where that is another: `authority`, or else its Host field.
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

/// What the gateway itself says of the request.
fn set_fields(fields: &mut HeaderMap, outgoing: &Outgoing<'_>) {
    if let Some(address) = outgoing.client.and_then(text_of) {
        fields.insert(X_FORWARDED_FOR, address);
    }
    if outgoing.encrypted {
        // its absence says http
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

/// An address as a header value. A thread remembers the last one: clients, and balancers still more, come again.
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
