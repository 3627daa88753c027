//! Names of kinds and values.

use serde_json::Value;

/// Returns the kind of value that a schema describes.
pub(super) fn kind_of(schema: &Value) -> &'static str {
    let kinds = match schema.get("type") {
        Some(Value::Array(kinds)) => names_of(kinds),
        Some(Value::String(kind)) => vec![kind.as_str()],
        _ => Vec::new(),
    };
    match kinds.first().copied() {
        Some("string") => "text",
        Some("boolean") => "`true`, `false`",
        Some("integer" | "number") => "number",
        Some("object") => "mapping",
        Some("array") => "list",
        _ => "any value",
    }
}

/// Returns the plural of a kind.
pub(super) fn plural(kind: &str) -> String {
    match kind {
        "text" | "number" | "mapping" => format!("{kind}s"),
        _ => kind.to_owned(),
    }
}

/// Returns a value as it is written in the file.
pub(super) fn shown(value: &Value) -> String {
    format!("`{}`", yaml(value))
}

fn yaml(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(yaml).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| format!("{key}: {}", yaml(value));
            let members: Vec<String> = members.iter().map(member).collect();
            format!("{{ {} }}", members.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// Returns the texts of a list.
pub(super) fn names_of(list: &[Value]) -> Vec<&str> {
    list.iter().filter_map(Value::as_str).collect()
}
