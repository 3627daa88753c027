//! The text form of a private key.

use base64::{Engine, engine::general_purpose::STANDARD};
use std::fmt;
use zeroize::Zeroizing;

/// The text of a private key. It is wiped when dropped, and `Debug` does not print it.
pub struct Pem(Zeroizing<String>);

impl Pem {
    /// Returns an unencrypted PKCS#8 document (RFC 7468 §10).
    pub(super) fn of_pkcs8(der: &[u8]) -> Self {
        let encoded = Zeroizing::new(STANDARD.encode(der));
        let mut pem = String::with_capacity(encoded.len() + encoded.len() / 64 + 64);
        pem.push_str("-----BEGIN PRIVATE KEY-----\n");
        for (position, character) in encoded.chars().enumerate() {
            if position > 0 && position % 64 == 0 {
                pem.push('\n');
            }
            pem.push(character);
        }
        pem.push_str("\n-----END PRIVATE KEY-----\n");
        Self(Zeroizing::new(pem))
    }

    /// The text, only to write it to a file.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pem(redacted)")
    }
}
