//! The tokens that callers of the admin listener present.

use crate::settings::Secret;

/// The tokens for the admin listener.
#[derive(Debug)]
pub(super) enum Tokens {
    /// No token: any caller on this machine that names the right host.
    None,
    /// One token for all requests.
    One(Secret),
    /// One token per purpose.
    Separate { read: Secret, revoke: Secret },
}
