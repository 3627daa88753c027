//! The digest of a shared secret, for comparisons.

use super::digest::sha256;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use std::fmt;

/// The SHA-256 of a secret. It is compared with the digest of a presented value, so that the time reveals neither how
/// much of the value is right nor the length of the secret.
pub struct SecretDigest([u8; 32]);

impl SecretDigest {
    /// Returns the digest of a configured secret.
    pub fn of(secret: &[u8]) -> Self {
        Self(sha256(secret))
    }

    /// Returns `true` if `presented` is the secret. The time does not depend on the result.
    #[must_use]
    pub fn is_of(&self, presented: &[u8]) -> bool {
        verify_slices_are_equal(&self.0, &sha256(presented)).is_ok()
    }
}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_secret_is_the_secret() {
        let digest = SecretDigest::of(b"correct horse");
        assert!(digest.is_of(b"correct horse"));
        for other in [&b""[..], b"correct", b"correct horse ", b"Correct horse"] {
            assert!(!digest.is_of(other));
        }
        assert_eq!(format!("{digest:?}"), "SecretDigest(redacted)");
    }
}
