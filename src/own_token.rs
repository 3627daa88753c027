//! The gateway's own tokens: how their contents are encrypted, how they are read back, and which revocations end them.
//!
//! Several modules read them: `verify` (a route with `chain.accept_own`), `exchange` (every issued token is read back
//! before it is used), `sts` (introspection and revocation) and `admin`.

mod error;
mod lineage;
mod provenance;
mod reader;
mod seal;

pub use error::OwnTokenError;
pub use lineage::own_lineage;
pub use provenance::{Naming, Provenance};
pub(crate) use reader::format_of;
pub use reader::{OwnToken, OwnTokenReader};
pub use seal::{OPAQUE_PREFIX, REFRESH_PREFIX, TokenSeal, has_own_prefix};
