//! The audience of a token.

use crate::settings::{Fingerprint, Fingerprinter};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use std::{borrow::Cow, fmt};
use thiserror::Error;

/// One value of `aud` (RFC 7519 §4.1.3), compared byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Audience(Box<str>);

/// The reason why a text is not an [`Audience`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected a name without spaces or control characters, found {found:?}")]
pub struct AudienceError {
    found: String,
}

impl Audience {
    /// Parses an audience: 1 to 1,024 visible characters.
    ///
    /// # Errors
    /// [`AudienceError`] if it is empty, too long, or contains a space or control character.
    pub fn parse(text: &str) -> Result<Self, AudienceError> {
        let visible = |c: char| !c.is_whitespace() && !c.is_control();
        if text.is_empty() || text.len() > 1_024 || !text.chars().all(visible) {
            return Err(AudienceError {
                found: text.chars().take(80).collect(),
            });
        }
        Ok(Self(text.into()))
    }

    /// The audience as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

impl Fingerprint for Audience {
    fn add_to(&self, fingerprint: &mut Fingerprinter<'_>) {
        self.to_string().add_to(fingerprint);
    }
}

impl JsonSchema for Audience {
    fn schema_name() -> Cow<'static, str> {
        "Audience".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "One value of `aud`: a name or URL without spaces, compared character by character.",
            "type": "string",
            "pattern": "^\\S+$",
            "maxLength": 1024,
            "examples": ["orders-api", "https://api.example.com/orders"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_is_one_visible_name() {
        assert_eq!(
            Audience::parse("orders-api").unwrap().as_str(),
            "orders-api"
        );
        assert!(Audience::parse("https://api.example.com/orders").is_ok());
        for text in ["", " ", "a b", "a\n", "a\u{a0}b"] {
            assert!(Audience::parse(text).is_err(), "{text:?}");
        }
    }
}
