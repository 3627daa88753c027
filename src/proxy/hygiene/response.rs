//! The head and the trailers that a client gets.

use super::{
    framing::{MAX_HEAD, Unreadable, is_one_line},
    names::{is_dropped_from_response, is_hop_by_hop},
    terms::add_to_response,
};
use crate::{route::ResponseTerms, source::Imprint, telemetry::RequestId};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode, header, response::Parts};
use pingora::http::ResponseHeader;
use std::{hint::cold_path, mem};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Why a head or trailers do not reach the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum Unfit {
    /// They repeat a token.
    RepeatsToken,
    /// They cannot be passed on as they are.
    Unreadable(Unreadable),
}

/// Whether a field of a head leads to another place (RFC 9110 §10.2.2, §8.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum Leads {
    /// No field does.
    Nowhere,
    /// `Location` or `Content-Location` does.
    Somewhere,
}

/// Makes the head that the client gets out of the downstream's: without what speaks for the gateway's origin or asks for
/// credentials, and with the id by which the logs know the request. `terms` are the route's own, with the origin that the
/// client's request names; `tokens` are those of [`clean_fields`].
pub(in crate::proxy) fn clean_response(
    head: &mut ResponseHeader,
    id: RequestId,
    terms: Option<(&ResponseTerms, Option<&HeaderValue>)>,
    tokens: [Option<&Imprint>; 2],
) -> Result<Leads, Unfit> {
    let (placeholder, ()) = http::Response::new(()).into_parts();
    // the downstream's own words behind the status are not looked at by anybody: the standard ones replace them
    let mut parts = Parts::from(mem::replace(head, ResponseHeader::from(placeholder)));
    parts.extensions = Extensions::new();
    let switching = parts.status == StatusCode::SWITCHING_PROTOCOLS;
    if !switching {
        drop_nominated(&mut parts.headers);
    }
    // copied only where a route names what else crosses
    let received = terms.map(|(terms, origin)| {
        cold_path();
        (terms, origin, parts.headers.clone())
    });
    // what opens a tunnel concerns this very connection
    let upgrade = switching.then(|| parts.headers.get(header::UPGRADE).cloned());
    let leads = clean_fields(&mut parts.headers, tokens)?;
    if let Some(Some(upgrade)) = upgrade {
        cold_path();
        let connection = HeaderValue::from_static("upgrade");
        parts.headers.insert(header::CONNECTION, connection);
        parts.headers.insert(header::UPGRADE, upgrade);
    }
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
    Ok(leads)
}

/// Drops the fields that `Connection` names (RFC 9110 §7.6.1). What frames the response cannot be among them.
fn drop_nominated(fields: &mut HeaderMap) {
    if !fields.contains_key(header::CONNECTION) {
        return;
    }
    cold_path();
    let values = fields.get_all(header::CONNECTION).iter();
    let options = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let nominated: Vec<HeaderName> = options
        .filter_map(|option| HeaderName::from_bytes(option.trim_ascii()).ok())
        .filter(|name| *name != header::CONTENT_LENGTH && *name != header::TRANSFER_ENCODING)
        .collect();
    for name in nominated {
        fields.remove(name);
    }
}

/// Drops the same from any fields of the downstream's, and returns whether one of them leads to another place.
///
/// # Errors
/// A field, by name or value, holds one of `tokens`: the one that the downstream was given, or the one that the client
/// presented. Or a value is more than one line, or all are too much.
pub(in crate::proxy) fn clean_fields(
    fields: &mut HeaderMap,
    tokens: [Option<&Imprint>; 2],
) -> Result<Leads, Unfit> {
    let tokens = tokens.iter().flatten();
    let shortest = tokens.clone().map(|token| token.length()).min();
    let mut dropped: Vec<HeaderName> = Vec::new();
    let (mut size, mut leads) = (0_usize, Leads::Nowhere);
    for (name, value) in &*fields {
        // looked up once: names that every client knows are numbers in here
        let (text, value) = (name.as_str(), value.as_bytes());
        size = size.saturating_add(text.len()).saturating_add(value.len());
        if !is_one_line(value) {
            cold_path();
            return Err(Unfit::Unreadable(Unreadable::FieldValue));
        }
        // nearly every field is too short to hold any token
        let holds = |token: &&Imprint| token.is_in(value) || token.is_in_name(text);
        if shortest.is_some_and(|least| value.len().max(text.len()) >= least)
            && tokens.clone().any(holds)
        {
            cold_path();
            return Err(Unfit::RepeatsToken);
        }
        if matches!(text, "location" | "content-location") {
            cold_path();
            leads = Leads::Somewhere;
        }
        if is_dropped_from_response(text) || is_hop_by_hop(text) {
            cold_path();
            dropped.push(name.clone());
        }
    }
    if size > MAX_HEAD {
        cold_path();
        return Err(Unfit::Unreadable(Unreadable::TooLarge));
    }
    for name in dropped {
        fields.remove(name);
    }
    Ok(leads)
}
