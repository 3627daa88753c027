//! The text of a token, protected against accidental output.

use bytes::Bytes;
use std::fmt;

/// The bytes of a token as received or issued.
///
/// Clones share the bytes. The type has no `Display`, no `Serialize` and no `Hash`, and `Debug` shows only the length,
/// so that a token cannot get into a log or a message by accident.
#[derive(Clone)]
pub struct RawToken(Bytes);

impl RawToken {
    /// Wraps the bytes of a token.
    pub fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The token's bytes, for code that needs them: parsing, hashing and searching for copies of the token.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns `true` if there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for RawToken {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl fmt::Debug for RawToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawToken({} bytes, redacted)", self.0.len())
    }
}

/// The form of a bearer token (RFC 6750 §2.1): `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`
pub(crate) fn is_b64token(bytes: &[u8]) -> bool {
    let padding = bytes.iter().rev().take_while(|&&byte| byte == b'=').count();
    let (body, _) = bytes.split_at(bytes.len() - padding);
    // checks every byte without a branch, because tokens are long and nearly always valid
    let out_of_order =
        |so_far, &byte: &u8| so_far | u8::from(!is_b64token_byte(byte)) | u8::from(byte == b'=');
    !body.is_empty() && body.iter().fold(0, out_of_order) == 0
}

pub(crate) const fn is_b64token_byte(byte: u8) -> bool {
    let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    let digit = byte.wrapping_sub(b'0') < 10;
    let mark = (byte == b'-') | (byte == b'.') | (byte == b'_') | (byte == b'~');
    let base64 = (byte == b'+') | (byte == b'/') | (byte == b'=');
    letter | digit | mark | base64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_length_and_nothing_else() {
        let token = RawToken::from("secret-token".to_owned());
        assert_eq!(format!("{token:?}"), "RawToken(12 bytes, redacted)");
    }
}
