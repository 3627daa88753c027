//! The hash in an ID token that identifies the access token issued with it.

use super::{Algorithm, SigningKey, encoding::base64url};
use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};

impl SigningKey {
    /// Returns `at_hash` of `token` for ID tokens signed with this key: the left half of the hash of the key's
    /// algorithm, in base64url (OpenID Connect Core §3.1.3.6). For Ed25519 that is SHA-512, which the signature itself
    /// uses.
    pub fn half_hash(&self, token: &[u8]) -> String {
        let digest = match self.alg() {
            Algorithm::ES256 | Algorithm::RS256 | Algorithm::PS256 => digest(&SHA256, token),
            Algorithm::ES384 | Algorithm::RS384 | Algorithm::PS384 => digest(&SHA384, token),
            Algorithm::EdDSA | Algorithm::RS512 | Algorithm::PS512 => digest(&SHA512, token),
        };
        let whole = digest.as_ref();
        base64url(whole.get(..whole.len() / 2).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_algorithm_has_the_half_of_its_own_digest() {
        for (alg, halved, bytes) in [
            // the first half of SHA-256, SHA-384 and SHA-512 of "abc" (FIPS 180-4)
            (Algorithm::ES256, "ungWv48Bz-pBQUDeXa4iIw", 16),
            (Algorithm::PS256, "ungWv48Bz-pBQUDeXa4iIw", 16),
            (Algorithm::ES384, "ywB1P0WjXou1oD1pmsZQBycsMqsO3tFj", 24),
            (
                Algorithm::EdDSA,
                "3a81oZNherrMQXNJriBBMRLm-k6JqX6iCp7u5ktV05o",
                32,
            ),
        ] {
            let key = SigningKey::generate(alg).unwrap().key;
            assert_eq!(key.half_hash(b"abc"), halved, "{alg}");
            assert_eq!(halved.len(), (bytes * 4_usize).div_ceil(3), "{alg}");
        }
    }
}
