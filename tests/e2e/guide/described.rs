//! Answers are as `docs/openapi.json` describes them, which is the same text that the gateway serves.

use jsonschema::Validator;
use serde_json::{Value, json};
use std::sync::LazyLock;

static DESCRIPTION: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../docs/openapi.json")).unwrap());

/// Holds `body` against the schema of this name.
#[track_caller]
pub(super) fn assert_described(schema: &str, body: &Value) {
    let whole = json!({
        "$ref": format!("#/components/schemas/{schema}"),
        "components": DESCRIPTION["components"],
    });
    let validator: Validator = jsonschema::validator_for(&whole).unwrap();
    let errors: Vec<_> = validator
        .iter_errors(body)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{schema}: {errors:?} in {body}");
}
