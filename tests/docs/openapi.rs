//! The OpenAPI description of the token service has no broken references and valid schemas.

use super::files::text;
use crate::json_schema::Validator;
use serde_json::Value;

fn description() -> Value {
    serde_json::from_str(&text("docs/openapi.json")).unwrap()
}

/// Every `$ref` below `value`.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_reference_of_the_description_leads_somewhere() {
    let description = description();
    let mut found = Vec::new();
    references(&description, &mut found);
    assert!(found.len() > 20);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(description.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn every_schema_of_the_description_is_a_schema() {
    let description = description();
    let schemas = description["components"]["schemas"].as_object().unwrap();
    assert!(schemas.len() > 10);
    let meta = Validator::meta();
    for (name, schema) in schemas {
        let valid = meta.validate(schema);
        assert!(valid.is_ok(), "{name}: {:?}", valid.err());
    }
}

#[test]
fn the_description_speaks_of_this_version() {
    assert_eq!(description()["info"]["version"], env!("CARGO_PKG_VERSION"));
}
