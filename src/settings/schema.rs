//! Parts of the JSON Schema that cannot be derived: choices between keys, and texts with a format of their own.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// Requires that exactly one of `keys` is written, for `#[schemars(transform = exactly_one(&["env", "file"]))]`. This
/// is the equivalent in the schema of [`Findings::exactly_one`](super::Findings::exactly_one). A switch that is `false`
/// counts as not written.
pub fn exactly_one(keys: &'static [&'static str]) -> impl FnMut(&mut Schema) {
    move |schema| {
        let choices: Vec<Value> = keys
            .iter()
            .map(|key| {
                if is_switch(schema, key) {
                    json!({ "required": [key], "properties": { *key: { "const": true } } })
                } else {
                    json!({ "required": [key] })
                }
            })
            .collect();
        schema.insert("oneOf".to_owned(), Value::Array(choices));
    }
}

/// Requires that a list contains at least one item, for `#[schemars(transform = not_empty)]`.
pub fn not_empty(schema: &mut Schema) {
    schema.insert("minItems".to_owned(), json!(1));
}

/// Describes an address and port to listen on, for `#[schemars(schema_with = "listen_address")]`.
pub fn listen_address(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": r"^([0-9.]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$",
        "examples": ["127.0.0.1:8080", "[::]:8443"],
    })
}

/// Returns `true` if the values of `key` are `true` and `false`.
fn is_switch(schema: &Schema, key: &str) -> bool {
    match schema.pointer(&format!("/properties/{key}/type")) {
        Some(Value::String(kind)) => kind == "boolean",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "boolean"),
        _ => false,
    }
}
