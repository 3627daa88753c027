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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_length_and_nothing_else() {
        let token = RawToken::from("secret-token".to_owned());
        assert_eq!(format!("{token:?}"), "RawToken(12 bytes, redacted)");
    }
}
