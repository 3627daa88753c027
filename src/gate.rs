//! The first check of a request head. It refuses everything that two parsers could interpret differently.
//!
//! The head is checked first as received bytes ([`wire`]) and then as parsed by the HTTP library. The result is a
//! [`CleanTarget`], whose path has the same meaning for the route table and for the upstream that receives the same
//! bytes. Nothing is normalized: a path that would need normalization is refused.

mod check;
mod chunks;
mod error;
mod host;
mod limits;
mod path;
pub mod wire;

pub use check::{CleanTarget, Gate, check_host, check_path};
pub use chunks::Chunks;
pub use error::{ChunkFault, GateError};
pub use host::{Host, HostFault};
pub use limits::{LimitsSettings, TokenServiceLimitsSettings};
pub use path::PathAmbiguity;
