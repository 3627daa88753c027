//! The vocabulary of tokens, without I/O: what every later module speaks in.
//!
//! Nothing in here is a proof. [`Claims`] are what some text says; whether to believe them is decided in `verify`.

mod actor;
mod audience;
mod claims;
mod format;
mod provenance;
mod raw;
mod scope;
mod type_uri;

pub use actor::{Actor, ActorChain, ActorError};
pub use audience::{Audience, AudienceError};
pub use claims::{Claims, ClaimsError, Limits};
pub use format::{AccessTokenType, TokenFormat};
pub use provenance::{Naming, Provenance};
pub use raw::RawToken;
pub use scope::{ScopeError, ScopeSet};
pub use type_uri::TokenTypeUri;
