//! The text of a token, which nothing prints.

use bytes::Bytes;
use std::fmt;

/// A token as it stands on the wire.
///
/// Cloning shares the bytes. There is no `Display`, no `Serialize` and no `Hash`, and `Debug` shows the length alone,
/// so a token cannot reach a log or a message by accident.
#[derive(Clone)]
pub struct RawToken(Bytes);

impl RawToken {
    /// Takes a token out of the text it arrived in.
    pub fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The token's bytes, for the places that must see them: parsing, hashing and searching for copies of it.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no byte in it.
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
