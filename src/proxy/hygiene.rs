//! Filters the heads of requests and responses.
//!
//! A request to the upstream contains no inbound field that could carry a credential, an identity or an address, and no
//! copy of the presented token in any encoding. A response to the client contains no challenge, no cookie and no policy
//! for the gateway's own origin (unless the route permits it), and never the token that was sent to the upstream.

mod framing;
mod location;
mod names;
mod request;
mod response;
mod route_rules;
mod words;

pub(super) use framing::{Follows, Sole, Unreadable, check_framing};
pub(super) use location::lead_back;
pub(crate) use names::{is_dropped_from_request, is_dropped_from_response, is_written_anew};
pub(super) use request::{Outgoing, TRACEPARENT, clean_request, forget_spelling};
pub(super) use response::{Look, Unfit, clean_response};
