//! What may cross the gateway in a head, each way.
//!
//! Towards the downstream: nothing inbound that could carry a credential, an identity or an address, nothing that
//! repeats the presented token in whatever encoding. Towards the client: no challenge, no cookie and no policy for the
//! gateway's own origin, and never the token that the downstream was given.

mod framing;
mod location;
mod names;
mod request;
mod response;
mod terms;
mod words;

pub(super) use framing::{Follows, Sole, Unreadable, check_framing};
pub(super) use location::lead_back;
pub(crate) use names::{is_dropped_from_request, is_dropped_from_response, is_written_anew};
pub(super) use request::{Outgoing, TRACEPARENT, clean_request, forget_spelling};
pub(super) use response::{Look, Unfit, clean_response};
