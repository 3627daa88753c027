//! The head and the trailers that a client gets.

use super::names::DROPPED_FROM_RESPONSE;
use crate::source::Imprint;
use http::HeaderMap;
use pingora::http::ResponseHeader;

/// Drops what speaks for the gateway's origin or asks for credentials.
pub(in crate::proxy) fn clean_response(head: &mut ResponseHeader) {
    for name in DROPPED_FROM_RESPONSE {
        if head.headers.contains_key(name) {
            head.remove_header(name);
        }
    }
}

/// The same for trailers.
pub(in crate::proxy) fn clean_trailers(trailers: &mut HeaderMap) {
    for name in DROPPED_FROM_RESPONSE {
        trailers.remove(name);
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
