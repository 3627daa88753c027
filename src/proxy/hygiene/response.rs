//! Builds the response head and the trailers that a client receives.

use super::{
    framing::{MAX_HEAD, Sole, Unreadable, is_one_line},
    names::{Fate, fate, is_dropped_from_response},
    route_rules::add_to_response,
};
use crate::{route::ResponseRules, source::TokenNeedle, telemetry::RequestId};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode, header, response::Parts};
use pingora::http::ResponseHeader;
use std::{hint::cold_path, mem};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Why a head or trailers are not forwarded to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum Unfit {
    /// They contain a token.
    RepeatsToken,
    /// They cannot be forwarded as they are.
    Unreadable(Unreadable),
}

/// The result of one pass over the fields of a response.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Look<'a> {
    /// `Transfer-Encoding`.
    pub(in crate::proxy) coding: Sole<'a>,
    /// `Content-Length`.
    pub(in crate::proxy) length: Sole<'a>,
    /// `Content-Type`.
    pub(in crate::proxy) media_type: Sole<'a>,
    /// The fields to drop.
    drops: Drops,
    /// `true` if there is a `Location` or `Content-Location` (RFC 9110 §10.2.2, §8.7).
    pub(in crate::proxy) leads: bool,
}

/// The fields that are not forwarded.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Drops {
    names: Vec<HeaderName>,
    /// `true` if a `Connection` field may name further ones.
    nominates: bool,
}

impl<'a> Look<'a> {
    /// Examines `fields`, which belong to a head or to trailers.
    ///
    /// # Errors
    /// The name or value of a field contains one of `tokens`: the token that the upstream received, or the one that the
    /// client presented. Or a value has more than one line, or the fields are too large together.
    pub(in crate::proxy) fn at(
        fields: &'a HeaderMap,
        tokens: [Option<&TokenNeedle>; 2],
    ) -> Result<Self, Unfit> {
        let tokens = tokens.iter().flatten();
        let shortest = tokens.clone().map(|token| token.length()).min();
        let (mut look, mut size) = (Self::default(), 0_usize);
        for (name, field) in fields {
            // looked up once, because well-known names are stored as numbers
            let (text, value) = (name.as_str(), field.as_bytes());
            size = size.saturating_add(text.len()).saturating_add(value.len());
            if !is_one_line(value) {
                cold_path();
                return Err(Unfit::Unreadable(Unreadable::FieldValue));
            }
            // nearly every field is too short to contain a token
            let holds = |token: &&TokenNeedle| token.is_in(value) || token.is_in_name(text);
            if shortest.is_some_and(|least| value.len().max(text.len()) >= least)
                && tokens.clone().any(holds)
            {
                cold_path();
                return Err(Unfit::RepeatsToken);
            }
            match fate(text) {
                Fate::Passes => {}
                Fate::MediaType => look.media_type.add(field),
                Fate::Length => look.length.add(field),
                Fate::Coding => look.coding.add(field),
                Fate::Leads => look.leads = true,
                Fate::Nominates => {
                    look.drops.nominates = true;
                    look.drops.names.push(name.clone());
                }
                Fate::Dropped => look.drops.names.push(name.clone()),
            }
        }
        if size > MAX_HEAD {
            cold_path();
            return Err(Unfit::Unreadable(Unreadable::TooLarge));
        }
        Ok(look)
    }

    /// Ends the borrow, so that the fields can be changed.
    pub(in crate::proxy) fn drops(self) -> Drops {
        self.drops
    }
}

impl Drops {
    /// Removes the dropped fields from `fields`, which must be those that were examined.
    pub(in crate::proxy) fn take_out_of(self, fields: &mut HeaderMap) {
        if self.nominates {
            cold_path();
            drop_nominated(fields);
        }
        for name in self.names {
            fields.remove(name);
        }
    }
}

/// Turns the upstream's head into the head that the client receives. Removes fields that set policies for the gateway's
/// origin or ask for credentials, and adds the request id that the logs use. `terms` are the route's response settings,
/// with the origin that the client's request names; `drops` is the result of [`Look::at`].
pub(in crate::proxy) fn clean_response(
    head: &mut ResponseHeader,
    id: RequestId,
    terms: Option<(&ResponseRules, Option<&HeaderValue>)>,
    mut drops: Drops,
) {
    let (placeholder, ()) = http::Response::new(()).into_parts();
    // the upstream's reason phrase is not checked: the standard one replaces it
    let mut parts = Parts::from(mem::replace(head, ResponseHeader::from(placeholder)));
    parts.extensions = Extensions::new();
    let switching = parts.status == StatusCode::SWITCHING_PROTOCOLS;
    // the fields that open a tunnel concern this connection
    drops.nominates &= !switching;
    let upgrade = switching.then(|| parts.headers.get(header::UPGRADE).cloned());
    // copied only if a route configures further fields to forward
    let received = terms.map(|(terms, origin)| {
        cold_path();
        let mut received = parts.headers.clone();
        if drops.nominates {
            drop_nominated(&mut received);
        }
        (terms, origin, received)
    });
    drops.take_out_of(&mut parts.headers);
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
}

/// Drops the fields that `Connection` names (RFC 9110 §7.6.1), except those that frame the response.
fn drop_nominated(fields: &mut HeaderMap) {
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
