//! Values into settings structs, and serde's messages into ours.
//!
//! What enters is a YAML value and the type that is asked for; what leaves is the type's value, or one finding at the
//! exact key. serde offers its errors as text only, so the text is taken apart here and nowhere else; a text that is
//! not recognised is passed on as it is. A type's own message may hold its cure after a semicolon (`what; mend`), unless it
//! has the form `expected …, found …`.
//! Guaranteed: where a mapping was expected the value that stood there is not repeated (it may be a secret that
//! somebody wrote inline).

use super::section::unknown;
use crate::settings::{Findings, Segment};
use serde::de::DeserializeOwned;
use serde_path_to_error as located;
use serde_yaml::Value;

/// Longer texts are cut when they are repeated.
const MAX_SHOWN: usize = 60;

/// `value` as a `T`, or a finding.
pub(super) fn read<T: DeserializeOwned>(value: &Value, findings: &mut Findings) -> Option<T> {
    match located::deserialize(value) {
        Ok(read) => Some(read),
        Err(error) => {
            let mut path = segments(error.path());
            let mistake = Mistake::parse(&error.inner().to_string());
            path.extend(mistake.inner_key(path.last()));
            within(&path, findings, |findings| mistake.report(findings));
            None
        }
    }
}

/// Reports that `key`, the present place, is not there.
pub(super) fn missing(key: &str, findings: &mut Findings) {
    findings.error("required, and missing", format!("write `{key}: …` here"));
}

/// A value as a finding shows it: scalars themselves, of the others their kind.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => shown(&format!("{text:?}")),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => {
            kind(value).to_owned()
        }
    }
}

/// What a value is, without what it holds.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a mapping",
        Value::Tagged(_) => "a tagged value",
    }
}

/// What serde says.
#[derive(Debug, PartialEq, Eq)]
enum Mistake {
    UnknownKey { key: String, known: Vec<String> },
    MissingKey(String),
    UnknownChoice { found: String, known: Vec<String> },
    Unexpected { found: String, expected: String },
    Other { what: String, mend: Option<String> },
}

impl Mistake {
    fn parse(text: &str) -> Self {
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
        // Where a message repeats what it found, a semicolon may be the file's own.
        let cure = text
            .split_once("; ")
            .filter(|_| expectation(text).is_none());
        let (what, mend) = cure.map_or((text, None), |(what, mend)| (what, Some(mend)));
        Self::Other {
            what: what.to_owned(),
            mend: mend.map(str::to_owned),
        }
    }

    fn unexpected(found: &str, expected: &str) -> Self {
        let expected = expected_in_words(expected);
        let found = if expected.starts_with("a mapping") {
            found_kind(found)
        } else {
            found_in_words(found)
        };
        Self::Unexpected { found, expected }
    }

    /// The key that the message names and the path does not end with.
    fn inner_key(&self, last: Option<&Segment>) -> Option<Segment> {
        let (Self::UnknownKey { key, .. } | Self::MissingKey(key)) = self else {
            return None;
        };
        let segment = Segment::Key(key.clone());
        let already = matches!(self, Self::UnknownKey { .. }) && last == Some(&segment);
        (!already).then_some(segment)
    }

    fn report(self, findings: &mut Findings) {
        match self {
            Self::UnknownKey { key, known } => {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                unknown(&key, &known, findings);
            }
            Self::MissingKey(key) => missing(&key, findings),
            Self::UnknownChoice { found, known } => {
                let known = known.join(", ");
                let found = shown(&format!("{found:?}"));
                findings.error(
                    format!("expected one of {known}, found {found}"),
                    format!("write one of {known}"),
                );
            }
            Self::Unexpected { found, expected } => {
                let mend = mend(&expected, &found);
                findings.error(format!("expected {expected}, found {found}"), mend);
            }
            Self::Other { what, mend } => {
                let mend = mend.unwrap_or_else(|| match expectation(&what) {
                    Some(expected) => format!("write {expected}"),
                    None => "change the value".to_owned(),
                });
                findings.error(what, mend);
            }
        }
    }
}

fn segments(path: &located::Path) -> Vec<Segment> {
    path.iter()
        .filter_map(|segment| match segment {
            located::Segment::Seq { index } => Some(Segment::Index(*index)),
            located::Segment::Map { key } => Some(Segment::Key(key.clone())),
            // A variant's name is no step in the file; an unknown step is none that can be named.
            located::Segment::Enum { .. } | located::Segment::Unknown => None,
        })
        .collect()
}

fn within(path: &[Segment], findings: &mut Findings, report: impl FnOnce(&mut Findings)) {
    match path.split_first() {
        Some((first, rest)) => {
            findings.within(first.clone(), |findings| within(rest, findings, report));
        }
        None => report(findings),
    }
}

/// The text between `prefix`, which ends with a backtick, and the next backtick; and what follows.
fn quoted_after<'t>(text: &'t str, prefix: &str) -> Option<(String, &'t str)> {
    let (quoted, rest) = text.strip_prefix(prefix)?.split_once('`')?;
    Some((quoted.to_owned(), rest))
}

/// Every text between backticks.
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
        // What serde says of an enum that is written as one word.
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

fn mend(expected: &str, found: &str) -> String {
    match expected {
        "a mapping" => "write it as `key: value` lines, indented, or as { key: value }".to_owned(),
        "a list" if found == "a mapping" => "put `- ` in front of each item".to_owned(),
        "a list" if found == "nothing" => {
            "write the list, [] where it is meant to be empty, or remove the key".to_owned()
        }
        "a list" => format!("write it as a list: [{found}]"),
        "a text" if !found.starts_with("a ") && found != "nothing" => {
            format!("put it in quotes: \"{found}\"")
        }
        _ => format!("write {expected}"),
    }
}

/// `a name` of `expected a name, found ""`.
fn expectation(what: &str) -> Option<&str> {
    let (expected, _) = what.strip_prefix("expected ")?.split_once(", found ")?;
    Some(expected)
}

fn shown(text: &str) -> String {
    if text.chars().count() <= MAX_SHOWN {
        return text.to_owned();
    }
    let start: String = text.chars().take(MAX_SHOWN).collect();
    format!("{start}…")
}
