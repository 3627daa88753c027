//! HMAC-SHA-256 of separated fields (RFC 2104).

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use std::fmt;

/// A secret key. Only its owner can compute the value of given fields, and the fields cannot be derived from the value.
#[derive(Clone)]
pub struct HmacKey(hmac::Key);

impl HmacKey {
    /// The minimum length of a secret, in bytes: the length of the digest (RFC 2104 §3).
    pub const MIN_BYTES: usize = 32;

    /// Makes a key of a secret. Returns `None` if it is shorter than [`Self::MIN_BYTES`].
    pub fn new(secret: &[u8]) -> Option<Self> {
        (secret.len() >= Self::MIN_BYTES).then(|| Self(hmac::Key::new(HMAC_SHA256, secret)))
    }

    /// Returns the HMAC of `fields`. Each is preceded by its length in eight bytes, big-endian, so that two different
    /// lists of fields never have the same input.
    pub fn of_fields(&self, fields: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for field in fields {
            context.update(&(field.len() as u64).to_be_bytes());
            context.update(field);
        }
        let mut array = [0; 32];
        array
            .iter_mut()
            .zip(context.sign().as_ref())
            .for_each(|(to, from)| *to = *from);
        array
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shorter_than_the_digest_is_no_key() {
        assert!(HmacKey::new(&[7; 31]).is_none());
        assert!(HmacKey::new(&[7; 32]).is_some());
    }

    #[test]
    fn fields_cannot_be_shifted_into_one_another_and_the_key_counts() {
        let key = HmacKey::new(&[7; 32]).unwrap();
        assert_ne!(key.of_fields(&[b"ab", b"c"]), key.of_fields(&[b"a", b"bc"]));
        assert_ne!(key.of_fields(&[b"ab"]), key.of_fields(&[b"ab", b""]));
        let other = HmacKey::new(&[8; 32]).unwrap();
        assert_ne!(key.of_fields(&[b"ab"]), other.of_fields(&[b"ab"]));
        assert_eq!(format!("{key:?}"), "HmacKey(redacted)");
    }

    /// Computed with another implementation (Python's `hmac`).
    #[test]
    fn the_value_is_that_of_rfc_2104() {
        let key = HmacKey::new(&[7; 32]).unwrap();
        let hex: String = key
            .of_fields(&[b"orders-api", b"https://idp.example.com", b"alice"])
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "b467b07fe4d710d0f66a3df451ce431d68c05e5ae0cac73e41b76b16055d7d13"
        );
    }
}
