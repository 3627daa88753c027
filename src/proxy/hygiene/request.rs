//! The head that a downstream gets.

use super::names::is_dropped_from_request;
use crate::{
    route::{Route, UpstreamHost},
    source::Imprint,
    telemetry::{LeakPlace, RequestId, TraceContext, TraceParent},
};
use http::{HeaderName, HeaderValue, Uri, header};
use pingora::{Result, http::RequestHeader};
use std::{io::Write, net::IpAddr};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

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

/// Turns a copy of the incoming head into the outgoing one.
pub(in crate::proxy) fn clean_request(
    head: &mut RequestHeader,
    outgoing: &Outgoing<'_>,
) -> Result<()> {
    drop_fields(head, outgoing);
    rewrite_path(head, outgoing.route)?;
    set_host(head, outgoing)?;
    if let Some(address) = outgoing.client.and_then(text_of) {
        head.insert_header(X_FORWARDED_FOR, address)?;
    }
    head.insert_header(
        X_FORWARDED_PROTO,
        HeaderValue::from_static(if outgoing.encrypted { "https" } else { "http" }),
    )?;
    head.insert_header(X_REQUEST_ID, outgoing.id.as_str())?;
    if let Some((_, parent)) = &outgoing.trace {
        head.insert_header(TRACEPARENT, parent.as_str())?;
    }
    match outgoing.authorization {
        // replaces the incoming field; the value was marked sensitive when it was made
        Some(authorization) => head.insert_header(header::AUTHORIZATION, authorization.clone())?,
        None => drop(head.remove_header(&header::AUTHORIZATION)),
    }
    Ok(())
}

/// One pass over the head; nothing is allocated where nothing is dropped.
fn drop_fields(head: &mut RequestHeader, outgoing: &Outgoing<'_>) {
    let mut dropped: Vec<HeaderName> = Vec::new();
    for (name, value) in &head.headers {
        if name == header::AUTHORIZATION || dropped.last() == Some(name) {
            continue;
        }
        let untraced = outgoing.trace.is_none() && (name == TRACEPARENT || name == TRACESTATE);
        if untraced || is_dropped_from_request(name.as_str()) {
            dropped.push(name.clone());
        } else if outgoing.presented.iter().any(|presented| {
            presented.is_in(value.as_bytes()) || presented.is_in_name(name.as_str())
        }) {
            outgoing.route.metrics().leak(LeakPlace::RequestHeader);
            dropped.push(name.clone());
        }
    }
    for name in dropped {
        head.remove_header(&name);
    }
}

fn rewrite_path(head: &mut RequestHeader, route: &Route) -> Result<()> {
    let path = match route.upstream_path(head.uri.path()) {
        std::borrow::Cow::Borrowed(_) => return Ok(()),
        std::borrow::Cow::Owned(path) => path,
    };
    let target = match head.uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    match target.parse::<Uri>() {
        Ok(uri) => {
            head.set_uri(uri);
            Ok(())
        }
        Err(_) => pingora::Error::e_explain(
            pingora::ErrorType::InternalError,
            "the rewritten path is no path",
        ),
    }
}

fn set_host(head: &mut RequestHeader, outgoing: &Outgoing<'_>) -> Result<()> {
    let host = match outgoing.route.upstream().host() {
        UpstreamHost::Preserve => return Ok(()),
        UpstreamHost::Target => outgoing.authority,
        UpstreamHost::Named(name) => name,
    };
    let asked = match (head.uri.authority(), head.headers.get(header::HOST)) {
        (Some(authority), _) => HeaderValue::from_str(authority.as_str()).ok(),
        (None, field) => field.cloned(),
    };
    if let Some(asked) = asked {
        head.insert_header(X_FORWARDED_HOST, asked)?;
    }
    if head.uri.authority().is_some() {
        // HTTP/2 names the host in the target: what stays there would contradict the field
        let target = head
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str())
            .to_owned();
        head.set_raw_path(target.as_bytes())?;
    }
    head.insert_header(header::HOST, host.clone())
}

/// An address as a header value.
fn text_of(address: IpAddr) -> Option<HeaderValue> {
    let mut text = [0u8; 40];
    let mut rest = text.as_mut_slice();
    write!(rest, "{address}").ok()?;
    let left = rest.len();
    let length = text.len() - left;
    HeaderValue::from_bytes(text.get(..length)?).ok()
}
