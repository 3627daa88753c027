//! The head and the trailers that a client gets.

use super::{names::is_dropped_from_response, terms::add_to_response};
use crate::{route::ResponseTerms, source::Imprint, telemetry::RequestId};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, response::Parts};
use pingora::http::ResponseHeader;
use std::mem;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Makes the head that the client gets out of the downstream's: without what speaks for the gateway's origin or asks for
/// credentials, and with the id by which the logs know the request. `terms` are the route's own, with the origin that the
/// client's request names.
pub(in crate::proxy) fn clean_response(
    head: &mut ResponseHeader,
    id: RequestId,
    terms: Option<(&ResponseTerms, Option<&HeaderValue>)>,
) {
    let (placeholder, ()) = http::Response::new(()).into_parts();
    // the downstream's own words behind the status are not looked at by anybody: the standard ones replace them
    let mut parts = Parts::from(mem::replace(head, ResponseHeader::from(placeholder)));
    parts.extensions = Extensions::new();
    // copied only where a route names what else crosses
    let received = terms.map(|(terms, origin)| (terms, origin, parts.headers.clone()));
    clean_trailers(&mut parts.headers);
    if let Some((terms, origin, received)) = received {
        add_to_response(&mut parts.headers, &received, terms, origin, |name| {
            is_dropped_from_response(name.as_str())
        });
    }
    if let Ok(id) = HeaderValue::from_bytes(id.digits()) {
        parts.headers.insert(X_REQUEST_ID, id);
    }
    *head = ResponseHeader::from(parts);
}

/// Drops the same from trailers.
pub(in crate::proxy) fn clean_trailers(trailers: &mut HeaderMap) {
    let dropped: Vec<HeaderName> = trailers
        .keys()
        .filter(|name| is_dropped_from_response(name.as_str()))
        .cloned()
        .collect();
    for name in dropped {
        trailers.remove(name);
    }
}

/// Whether a field, by name or value, holds the token that the downstream was given or the one that the client
/// presented.
pub(in crate::proxy) fn repeats(fields: &HeaderMap, tokens: [Option<&Imprint>; 2]) -> bool {
    fields.iter().any(|(name, value)| {
        // looked up once: names that every client knows are numbers in here
        let (name, value) = (name.as_str(), value.as_bytes());
        let mut tokens = tokens.iter().flatten();
        tokens.any(|token| token.is_in(value) || token.is_in_name(name))
    })
}
