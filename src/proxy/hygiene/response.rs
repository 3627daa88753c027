//! The head and the trailers that a client gets.

use super::{names::is_dropped_from_response, terms::add_to_response};
use crate::{route::ResponseTerms, source::Imprint, telemetry::RequestId};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, response::Parts};
use pingora::http::ResponseHeader;
use std::{hint::cold_path, mem};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A head or trailers repeat a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) struct RepeatsToken;

/// Makes the head that the client gets out of the downstream's: without what speaks for the gateway's origin or asks for
/// credentials, and with the id by which the logs know the request. `terms` are the route's own, with the origin that the
/// client's request names; `tokens` are those of [`clean_fields`].
pub(in crate::proxy) fn clean_response(
    head: &mut ResponseHeader,
    id: RequestId,
    terms: Option<(&ResponseTerms, Option<&HeaderValue>)>,
    tokens: [Option<&Imprint>; 2],
) -> Result<(), RepeatsToken> {
    let (placeholder, ()) = http::Response::new(()).into_parts();
    // the downstream's own words behind the status are not looked at by anybody: the standard ones replace them
    let mut parts = Parts::from(mem::replace(head, ResponseHeader::from(placeholder)));
    parts.extensions = Extensions::new();
    // copied only where a route names what else crosses
    let received = terms.map(|(terms, origin)| {
        cold_path();
        (terms, origin, parts.headers.clone())
    });
    clean_fields(&mut parts.headers, tokens)?;
    if let Some((terms, origin, received)) = received {
        cold_path();
        add_to_response(&mut parts.headers, &received, terms, origin, |name| {
            is_dropped_from_response(name.as_str())
        });
    }
    if let Ok(id) = HeaderValue::from_bytes(id.digits()) {
        parts.headers.insert(X_REQUEST_ID, id);
    }
    *head = ResponseHeader::from(parts);
    Ok(())
}

/// Drops the same from any fields of the downstream's.
///
/// # Errors
/// A field, by name or value, holds one of `tokens`: the one that the downstream was given, or the one that the client
/// presented.
pub(in crate::proxy) fn clean_fields(
    fields: &mut HeaderMap,
    tokens: [Option<&Imprint>; 2],
) -> Result<(), RepeatsToken> {
    let tokens = tokens.iter().flatten();
    let shortest = tokens.clone().map(|token| token.length()).min();
    let mut dropped: Vec<HeaderName> = Vec::new();
    for (name, value) in &*fields {
        // looked up once: names that every client knows are numbers in here
        let (text, value) = (name.as_str(), value.as_bytes());
        // nearly every field is too short to hold any token
        let holds = |token: &&Imprint| token.is_in(value) || token.is_in_name(text);
        if shortest.is_some_and(|least| value.len().max(text.len()) >= least)
            && tokens.clone().any(holds)
        {
            cold_path();
            return Err(RepeatsToken);
        }
        if is_dropped_from_response(text) {
            cold_path();
            dropped.push(name.clone());
        }
    }
    for name in dropped {
        fields.remove(name);
    }
    Ok(())
}
