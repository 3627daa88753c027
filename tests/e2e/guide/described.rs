//! Responses match `docs/openapi.json`, which is the same text that the gateway serves.

use crate::json_schema::Validator;
use serde_json::{Value, json};
use std::sync::LazyLock;

static DESCRIPTION: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../docs/openapi.json")).unwrap());

/// Validates `body` against the schema of this name.
#[track_caller]
pub(super) fn assert_described(schema: &str, body: &Value) {
    let whole = json!({
        "$ref": format!("#/components/schemas/{schema}"),
        "components": DESCRIPTION["components"],
    });
    if let Err(errors) = Validator::new(&whole).validate(body) {
        panic!("{schema}: {errors} in {body}");
    }
}
