//! Parses serde's error messages.
//!
//! serde returns its errors only as text. The text is parsed only here; a text that is not recognized is passed on
//! unchanged. A type's own message may contain a fix after a semicolon (`what; fix`), unless it has the form
//! `expected …, found …`. Where a mapping was expected, the value in its place is not repeated, because it may be a
//! secret.

use super::describe::shown;
use crate::settings::Segment;

/// serde's name for the type of a secret.
const SECRET: &str = "struct SecretSettings";

/// A parsed error message of serde.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    UnknownKey { key: String, known: Vec<String> },
    MissingKey(String),
    WrittenSecret { found: String },
    UnknownChoice { found: String, known: Vec<String> },
    Unexpected { found: String, expected: String },
    Other { what: String, fix: Option<String> },
}

impl Mistake {
    pub(super) fn parse(text: &str) -> Self {
        if let Some((key, rest)) = quoted_after(text, "unknown field `") {
            let known = all_quoted(rest);
            return Self::UnknownKey { key, known };
        }
        if let Some((found, rest)) = quoted_after(text, "unknown variant `") {
            let known = all_quoted(rest);
            return Self::UnknownChoice { found, known };
        }
        if let Some((key, _)) = quoted_after(text, "missing field `") {
            return Self::MissingKey(key);
        }
        let unexpected = ["invalid type: ", "invalid value: ", "invalid length "]
            .iter()
            .find_map(|prefix| text.strip_prefix(prefix))
            .and_then(|rest| rest.rsplit_once(", expected "));
        if let Some((found, expected)) = unexpected {
            return Self::unexpected(found, expected);
        }
        // If a message repeats the value, a semicolon may come from the file.
        let cure = text
            .split_once("; ")
            .filter(|_| expectation(text).is_none());
        let (what, fix) = cure.map_or((text, None), |(what, fix)| (what, Some(fix)));
        Self::Other {
            what: what.to_owned(),
            fix: fix.map(str::to_owned),
        }
    }

    fn unexpected(found: &str, expected: &str) -> Self {
        if expected == SECRET {
            return Self::WrittenSecret {
                found: found_kind(found),
            };
        }
        let expected = expected_in_words(expected);
        let found = if expected.starts_with("a mapping") {
            found_kind(found)
        } else {
            found_in_words(found)
        };
        Self::Unexpected { found, expected }
    }

    /// Returns the key that the message names, unless the path ends with it.
    pub(super) fn inner_key(&self, last: Option<&Segment>) -> Option<Segment> {
        let (Self::UnknownKey { key, .. } | Self::MissingKey(key)) = self else {
            return None;
        };
        let segment = Segment::Key(key.clone());
        let already = matches!(self, Self::UnknownKey { .. }) && last == Some(&segment);
        (!already).then_some(segment)
    }
}

/// Returns the text between `prefix`, which ends with a backtick, and the next backtick; and the rest.
fn quoted_after<'t>(text: &'t str, prefix: &str) -> Option<(String, &'t str)> {
    let (quoted, rest) = text.strip_prefix(prefix)?.split_once('`')?;
    Some((quoted.to_owned(), rest))
}

/// Returns every text between backticks.
fn all_quoted(text: &str) -> Vec<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn expected_in_words(expected: &str) -> String {
    let words = match expected {
        "a map" => "a mapping",
        "a sequence" => "a list",
        "a string" | "a borrowed string" | "str" => "a text",
        "path string" => "a path",
        "a boolean" | "bool" => "true or false",
        "u8" | "u16" | "u32" | "u64" | "usize" | "a nonzero u8" | "a nonzero u16"
        | "a nonzero u32" | "a nonzero u64" | "a nonzero usize" => "a whole number in range",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number in range",
        "f32" | "f64" => "a number",
        "unit" | "unit value" => "nothing",
        // serde's message for an enum that is written as one word.
        "a Value::Tagged enum" | "variant identifier" => "one word",
        _ if expected.starts_with("struct ") || expected.starts_with("internally tagged enum ") => {
            "a mapping"
        }
        _ if expected.starts_with("tuple ") => "a list",
        _ => expected,
    };
    words.to_owned()
}

fn found_in_words(found: &str) -> String {
    match found {
        "map" => "a mapping".to_owned(),
        "sequence" => "a list".to_owned(),
        "unit value" | "null" | "Option value" => "nothing".to_owned(),
        _ => {
            let scalar = ["string ", "integer ", "floating point ", "boolean "]
                .iter()
                .find_map(|kind| found.strip_prefix(kind))
                .unwrap_or(found);
            shown(scalar.trim_matches('`'))
        }
    }
}

fn found_kind(found: &str) -> String {
    let kind = match found.split_once(' ').map_or(found, |(kind, _)| kind) {
        "string" => "a text",
        "integer" | "floating" => "a number",
        "boolean" => "true or false",
        _ => return found_in_words(found),
    };
    kind.to_owned()
}

/// Returns `a name` for `expected a name, found ""`.
pub(super) fn expectation(what: &str) -> Option<&str> {
    let (expected, _) = what.strip_prefix("expected ")?.split_once(", found ")?;
    Some(expected)
}
