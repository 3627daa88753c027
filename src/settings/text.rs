//! Values that are written as a text with a format of their own: durations, sizes, percentages.

use serde::{Deserializer, de};
use std::{fmt, marker::PhantomData, str::FromStr};

/// Parses a text with [`FromStr`], for `Deserialize` impls. `expected` describes the format, for values that are no
/// text.
///
/// # Errors
/// The error of [`FromStr`], or what was expected and what was found.
pub fn parse_text<'de, T, D>(deserializer: D, expected: &'static str) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_str(Text {
        expected,
        value: PhantomData,
    })
}

struct Text<T> {
    expected: &'static str,
    value: PhantomData<T>,
}

impl<T: FromStr<Err: fmt::Display>> de::Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}
