//! How findings describe values of the file.

use crate::settings::Findings;
use serde_yaml::Value;

/// Longer texts are cut when they are repeated.
const MAX_SHOWN: usize = 60;

/// Reports that `key`, the current place, is missing.
pub(super) fn missing(key: &str, findings: &mut Findings) {
    findings.error("required, and missing", format!("write `{key}: …` here"));
}

/// Returns a value for a finding: scalars themselves, and only the kind of other values.
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

/// Returns the kind of a value, without its contents.
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

pub(super) fn shown(text: &str) -> String {
    if text.chars().count() <= MAX_SHOWN {
        return text.to_owned();
    }
    let start: String = text.chars().take(MAX_SHOWN).collect();
    format!("{start}…")
}
