//! The head and the trailers that a client gets.

use super::names::is_dropped_from_response;
use crate::{source::Imprint, telemetry::RequestId};
use http::{HeaderMap, HeaderName, HeaderValue};
use pingora::http::ResponseHeader;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Makes the head that the client gets in place of the downstream's: without what speaks for the gateway's origin or
/// asks for credentials, and with the id by which the logs know the request.
pub(in crate::proxy) fn clean_response(head: &mut ResponseHeader, id: RequestId) {
    let mut fields = HeaderMap::with_capacity(head.headers.len() + 1);
    for (name, value) in &head.headers {
        if !is_dropped_from_response(name.as_str()) {
            fields.append(name.clone(), value.clone());
        }
    }
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        fields.insert(X_REQUEST_ID, id);
    }
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = head.status;
    parts.version = head.version;
    parts.headers = fields;
    // the downstream's own words behind the status are not looked at by anybody: the standard ones replace them
    *head = ResponseHeader::from(parts);
}

/// Drops the same from trailers.
pub(in crate::proxy) fn clean_trailers(trailers: &mut HeaderMap) {
    let names: Vec<HeaderName> = trailers.keys().cloned().collect();
    for name in names {
        if is_dropped_from_response(name.as_str()) {
            trailers.remove(name);
        }
    }
}

/// Whether a field, by name or value, holds the token that the downstream was given or the one that the client
/// presented.
pub(in crate::proxy) fn repeats(fields: &HeaderMap, tokens: [Option<&Imprint>; 2]) -> bool {
    fields.iter().any(|(name, value)| {
        tokens
            .iter()
            .flatten()
            .any(|token| token.is_in(value.as_bytes()) || token.is_in_name(name.as_str()))
    })
}
