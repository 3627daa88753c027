//! The head that a downstream gets.

use super::names::is_dropped_from_request;
use crate::{
    route::{Route, UpstreamHost},
    source::Imprint,
    telemetry::{LeakPlace, RequestId, TraceContext, TraceParent},
};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use pingora::{ErrorType, OrErr, Result, http::RequestHeader};
use std::{borrow::Cow, cell::RefCell, net::IpAddr};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// How many fields are set beyond those that are kept.
const OWN_FIELDS: usize = 8;

/// What the outgoing head is made from, besides the incoming one.
#[derive(Debug)]
pub(in crate::proxy) struct Outgoing<'a> {
    pub(in crate::proxy) route: &'a Route,
    /// The only credential there is.
    pub(in crate::proxy) authorization: Option<&'a HeaderValue>,
    /// Recognises what the client presented.
    pub(in crate::proxy) presented: &'a [Imprint],
    /// The Host field that names the target.
    pub(in crate::proxy) authority: &'a HeaderValue,
    pub(in crate::proxy) client: Option<IpAddr>,
    pub(in crate::proxy) encrypted: bool,
    pub(in crate::proxy) id: RequestId,
    pub(in crate::proxy) trace: Option<(TraceContext, TraceParent)>,
}

/// Makes the outgoing head in place of a copy of the incoming one.
///
/// It is made anew from what may cross, not cleaned of what may not: what nobody thought of does not cross in a corner
/// of the copy, such as the spelling of names. That is cheaper too: adding to a copy makes pingora grow two maps.
pub(in crate::proxy) fn clean_request(
    head: &mut RequestHeader,
    outgoing: &Outgoing<'_>,
) -> Result<()> {
    let target = target(head, outgoing.route)?;
    let mut fields = kept_fields(head, outgoing);
    set_host(&mut fields, head, outgoing);
    if let Some(address) = outgoing.client.and_then(text_of) {
        fields.insert(X_FORWARDED_FOR, address);
    }
    if outgoing.encrypted {
        // its absence says http
        fields.insert(X_FORWARDED_PROTO, HeaderValue::from_static("https"));
    }
    if let Ok(id) = HeaderValue::from_str(outgoing.id.as_str()) {
        fields.insert(X_REQUEST_ID, id);
    }
    if let Some(Ok(parent)) = outgoing
        .trace
        .as_ref()
        .map(|(_, p)| HeaderValue::from_str(p.as_str()))
    {
        fields.insert(TRACEPARENT, parent);
    }
    if let Some(authorization) = outgoing.authorization {
        // the value was marked sensitive when it was made
        fields.insert(header::AUTHORIZATION, authorization.clone());
    }
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.method = head.method.clone();
    parts.uri = target;
    parts.version = head.version;
    parts.headers = fields;
    *head = RequestHeader::from(parts);
    Ok(())
}

/// The fields of the incoming head that may cross.
fn kept_fields(head: &RequestHeader, outgoing: &Outgoing<'_>) -> HeaderMap {
    let mut kept = HeaderMap::with_capacity(head.headers.len() + OWN_FIELDS);
    for (name, value) in &head.headers {
        let untraced = outgoing.trace.is_none() && (name == TRACEPARENT || name == TRACESTATE);
        if untraced || is_dropped_from_request(name.as_str()) {
            continue;
        }
        let repeats =
            |token: &Imprint| token.is_in(value.as_bytes()) || token.is_in_name(name.as_str());
        if outgoing.presented.iter().any(repeats) {
            outgoing.route.metrics().leak(LeakPlace::RequestHeader);
            continue;
        }
        kept.append(name.clone(), value.clone());
    }
    kept
}

/// Path and query as the downstream gets them.
fn target(head: &RequestHeader, route: &Route) -> Result<Uri> {
    let written = match (route.upstream_path(head.uri.path()), head.uri.query()) {
        // HTTP/2 names the host in the target: what stayed there would contradict the Host field
        (Cow::Borrowed(_), _) => match (head.uri.authority(), head.uri.path_and_query()) {
            (Some(_), Some(origin)) => Ok(Uri::from(origin.clone())),
            (Some(_), None) => "/".parse(),
            (None, _) => Ok(head.uri.clone()),
        },
        (Cow::Owned(path), Some(query)) => format!("{path}?{query}").parse(),
        (Cow::Owned(path), None) => path.parse(),
    };
    written.or_err(ErrorType::InternalError, "the rewritten path is no path")
}

/// The Host field, and what the client asked for where that is another.
fn set_host(fields: &mut HeaderMap, head: &RequestHeader, outgoing: &Outgoing<'_>) {
    let asked = match head.uri.authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => head.headers.get(header::HOST).cloned(),
    };
    let host = match (outgoing.route.upstream().host(), &asked) {
        (UpstreamHost::Preserve, Some(asked)) => asked,
        (UpstreamHost::Preserve, None) => return,
        (UpstreamHost::Target, _) => outgoing.authority,
        (UpstreamHost::Named(name), _) => name,
    };
    fields.insert(header::HOST, host.clone());
    if let Some(asked) = asked
        && *outgoing.route.upstream().host() != UpstreamHost::Preserve
    {
        fields.insert(X_FORWARDED_HOST, asked);
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
            let text = HeaderValue::from_str(&address.to_string()).ok()?;
            *last = Some((address, text.clone()));
            Some(text)
        }
    })
}
