//! Outbound HTTP requests to identity providers: GET of a small JSON document. Also requests of the program's
//! commands to one address, with limits of their own ([`DirectClient`]).
//!
//! A request to a provider returns a body of at most 1 MiB within 5 s, or an error. Requests run on a separate, injected
//! runtime, so that they continue if the caller is dropped or another runtime stalls. Redirects are not followed, proxy
//! settings of the environment are ignored, and addresses are checked for each connection, after name resolution. This
//! is the only module that uses `reqwest`.

mod address;
mod client;
mod direct;
mod fetch;
mod pinned;

pub use address::Reach;
pub use client::{Egress, EgressTlsSettings};
pub use direct::{DirectClient, DirectLimits};
pub use fetch::{DEADLINE, EgressError, Fetched, MAX_BODY};
pub use pinned::{PinnedTls, PinnedTlsError};

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests;
