//! Types for tokens and their parts, without I/O. All later modules use them.
//!
//! None of these types is a proof. [`Claims`] are what a text claims; `verify` decides whether they are true.

mod actor;
mod audience;
mod claims;
mod format;
mod raw;
mod scope;
mod type_uri;

pub use actor::{Actor, ActorChain, ActorError};
pub use audience::{Audience, AudienceError};
pub use claims::{Claims, ClaimsError, Limits};
pub use format::{AccessTokenType, TokenFormat};
pub use raw::RawToken;
pub(crate) use raw::{is_b64token, is_b64token_byte};
pub use scope::{ScopeError, ScopeSet};
pub use type_uri::TokenTypeUri;
