//! Outbound HTTP to identity providers: one GET of a small JSON document. Beside it: TLS from the program's commands to the
//! admin listener.
//!
//! What enters is an [`OutboundUrl`](crate::settings::OutboundUrl); what leaves is a body of at most 1 MiB within 5 s,
//! or a reason. Every request runs on the runtime that was injected, so a caller that goes away or another runtime's
//! stall does not hold it up. No redirect is followed, no proxy is taken from the environment, and addresses are
//! checked for each connection, after resolution. This is the only module that names `reqwest`.

mod address;
mod client;
mod fetch;
mod pinned;

pub use address::Reach;
pub use client::{Egress, EgressTlsSettings};
pub use fetch::{DEADLINE, EgressError, Fetched, MAX_BODY};
pub use pinned::{PinnedTls, PinnedTlsError};

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests;
