//! The cache of exchanged tokens, and the only place where a credential for forwarding is made.
//!
//! A [`ForwardCredential`] is made here alone, from a fresh [`IssuedToken`](crate::exchange::IssuedToken) or from a
//! cache entry. On every hit the entry is checked: it has not expired, nothing in its lineage is revoked, its issuer's
//! key is still valid, and the route's policy is unchanged. Any number of simultaneous first uses share one exchange.
//! Failures are never cached. Definitive refusals are cached for at most five seconds.

mod entry;
mod exchange_cache;
mod in_flight;
mod key;
mod recent;
mod refused;
mod settings;

pub use entry::{ExchangeReason, ForwardCredential, RefreshDue};
pub use exchange_cache::{ExchangeCache, Hit, Renewal};
pub use in_flight::Granted;
pub use key::{AuthorizationContext, CacheKey, PolicyContext};
pub use refused::RefusedExchange;
pub use settings::CacheSettings;
