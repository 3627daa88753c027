//! The schema, evaluated by an independent validator.

use super::files::{fixtures, generated, path, shown, yaml};
use crate::json_schema::Validator;
use serde_json::{Value, json};
use std::path::Path;

const SCHEMA: &str = "docs/gateway.schema.json";

/// Invalid files that a schema cannot refuse, and why.
const BEYOND_A_SCHEMA: [(&str, &str); 56] = [
    ("accepts_twice", "compares two items of a list"),
    ("accepts_wider_audience", "compares two parts of the file"),
    ("admin_at_a_listener", "compares two parts of the file"),
    ("admin_within_a_listener", "compares two parts of the file"),
    ("admin_without_tls", "is about the kind of an address"),
    ("anchor", "is resolved before a schema sees it"),
    ("client_cannot_authenticate", "compares two keys of an item"),
    ("client_does_not_exchange", "compares two keys of an item"),
    ("client_grants_need", "compares two parts of the file"),
    (
        "client_introspects_unknown",
        "compares two parts of the file",
    ),
    ("client_jwt_without_keys", "compares two keys of an item"),
    ("client_lifetime", "a length of time is a text"),
    ("client_public_exchanges", "legal, and a warning"),
    ("client_refresh", "compares two keys of an item"),
    (
        "client_refresh_without_both",
        "depends on other sections of the file",
    ),
    (
        "client_refresh_without_keys",
        "depends on other sections of the file",
    ),
    (
        "client_refresh_without_store",
        "depends on other sections of the file",
    ),
    ("client_resources", "compares two keys of an item"),
    ("client_twice", "compares two items of a list"),
    (
        "client_users_without_issuer",
        "legal, and a warning, and depends on another file",
    ),
    (
        "client_without_scope",
        "depends on the other keys of the item",
    ),
    ("cors_without_authorization", "legal, and a warning"),
    ("directory_absent", "is in another file"),
    ("directory_wrong", "is in another file"),
    (
        "duplicate_inner_key",
        "one of the two is gone before a schema sees it",
    ),
    ("listener_within_listener", "compares two items of a list"),
    ("map_of_no_scope", "is the name of a key"),
    ("my_scopes_allowed", "a scope like any other by its form"),
    ("opaque_keys", "stand in other files"),
    ("operation_below_one_path", "compares two parts of the file"),
    ("operation_beyond_allow", "compares two parts of the file"),
    (
        "operation_method_not_served",
        "compares two parts of the file",
    ),
    ("operations_equal", "compares two items of a list"),
    ("pairwise_salt_too_short", "is in another file"),
    ("pairwise_without_salt", "compares two parts of the file"),
    ("passed_headers_needlessly", "legal, and a warning"),
    (
        "passed_underscore_aliases",
        "compares names as servers read them",
    ),
    ("passed_underscores", "compares names as servers read them"),
    (
        "removed_headers",
        "names of fields like any other by their form",
    ),
    ("removed_headers_needlessly", "legal, and a warning"),
    (
        "resource_of_a_public_route",
        "compares two parts of the file",
    ),
    ("role_twice", "compares two items of a list"),
    (
        "route_at_resource_metadata",
        "compares two parts of the file",
    ),
    ("rule_prefix_without_rule", "compares two parts of the file"),
    ("set_header_written_secret", "legal, and a warning"),
    ("store_no_store", "is in another file"),
    (
        "store_redis_both",
        "compares two keys of which each is optional",
    ),
    (
        "store_redis_half_a_certificate",
        "compares two optional keys",
    ),
    ("store_redis_several", "is in another file"),
    ("store_redis_without_keys", "compares two parts of the file"),
    ("syntax_error", "no YAML"),
    ("tab", "no YAML"),
    ("tag", "is gone before a schema sees it"),
    ("two_documents", "a schema describes one"),
    ("upgrade_over_http2", "compares two parts of the file"),
    ("upstream_is_a_listener", "compares two parts of the file"),
];

fn validator() -> Validator {
    let schema = obo_gateway::config::schema();
    Validator::meta().validate(&schema).expect("a JSON Schema");
    Validator::new(&schema)
}

#[test]
fn the_schema_in_the_repository_is_the_one_that_the_program_prints() {
    generated(SCHEMA, &format!("{:#}\n", obo_gateway::config::schema()));
}

#[test]
fn every_valid_file_satisfies_the_schema() {
    let validator = validator();
    for file in fixtures("tests/fixtures/config/valid")
        .into_iter()
        .chain(shown())
    {
        let value = yaml(&file).unwrap();
        if let Err(errors) = validator.validate(&value) {
            panic!("{}: {errors}", file.display());
        }
    }
}

#[test]
fn every_invalid_file_is_refused_by_the_schema_unless_the_list_says_that_it_cannot_be() {
    let validator = validator();
    let refuses = |file: &Path| yaml(file).is_ok_and(|value| !validator.is_valid(&value));
    let passed: Vec<String> = fixtures("tests/fixtures/config/invalid")
        .iter()
        .filter(|file| !refuses(file))
        .map(|file| file.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let listed: Vec<&str> = BEYOND_A_SCHEMA.iter().map(|(name, _)| *name).collect();
    assert_eq!(passed, listed, "BEYOND_A_SCHEMA is wrong");
}

#[test]
fn every_file_that_is_shown_says_where_its_schema_is() {
    for file in shown() {
        let text = std::fs::read_to_string(&file).unwrap();
        let named = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# yaml-language-server: $schema="))
            .unwrap_or_else(|| panic!("{} has no modeline", file.display()));
        let named = file.with_file_name(named).canonicalize().unwrap();
        assert_eq!(named, path(SCHEMA).canonicalize().unwrap());
    }
}

#[test]
fn a_choice_is_made_exactly_once() {
    let validator = validator();
    let valid = yaml(&path("examples/shortest/gateway.yaml")).unwrap();
    let with = |at: &str, value: Value| {
        let mut file = valid.clone();
        *file.pointer_mut(at).unwrap() = value;
        validator.is_valid(&file)
    };
    let keys = "/trusted_issuers/0/keys";
    assert!(with(keys, json!({ "jwks_file": "keys.json" })));
    assert!(with(
        keys,
        json!({ "discovery": false, "jwks_file": "keys.json" })
    ));
    assert!(!with(keys, json!({ "discovery": false })));
    assert!(!with(
        keys,
        json!({ "discovery": true, "jwks_file": "keys.json" })
    ));
    let matches = "/routes/0/match";
    assert!(with(matches, json!({ "exact": "/orders" })));
    assert!(!with(
        matches,
        json!({ "exact": "/orders", "prefix": "/orders" })
    ));
    assert!(!with(matches, json!({ "hosts": ["api.example.com"] })));
    assert!(!with("/routes/0/exchange", Value::Null), "nor public");
}

#[test]
fn a_secret_is_named_and_never_written() {
    let validator = validator();
    let mut file = yaml(&path("examples/shortest/gateway.yaml")).unwrap();
    let mut with = |token: Value| {
        file["admin"] = json!({ "token": token });
        validator.is_valid(&file)
    };
    assert!(with(json!({ "env": "ADMIN_TOKEN" })));
    assert!(with(json!({ "file": "admin.token" })));
    assert!(!with(
        json!({ "env": "ADMIN_TOKEN", "file": "admin.token" })
    ));
    assert!(!with(json!({})));
    assert!(!with(json!("hunter2")));
}

#[test]
fn no_mapping_takes_a_key_that_it_does_not_describe() {
    let schema = obo_gateway::config::schema();
    visit("", &schema, &mut |at, schema| {
        // the branches of a choice restrict the keys next to them
        if schema.get("properties").is_some() && !at.contains("/oneOf/") {
            assert_eq!(
                schema.get("additionalProperties"),
                Some(&json!(false)),
                "{at}"
            );
        }
    });
}

#[test]
fn every_key_says_what_it_means() {
    let schema = obo_gateway::config::schema();
    let described = |property: &Value| {
        let definition = property
            .pointer("/anyOf/0/$ref")
            .or_else(|| property.get("$ref"))
            .or_else(|| property.pointer("/items/$ref"))
            .and_then(|target| schema.pointer(target.as_str()?.strip_prefix('#')?));
        property.get("description").is_some()
            || definition.is_some_and(|definition| definition.get("description").is_some())
    };
    visit("", &schema, &mut |at, schema| {
        if at.contains("/oneOf/") {
            return;
        }
        for (key, property) in schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            assert!(described(property), "{at}: {key} has no doc comment");
        }
    });
}

fn visit(at: &str, value: &Value, look: &mut impl FnMut(&str, &Value)) {
    look(at, value);
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(key, member)| visit(&format!("{at}/{key}"), member, look)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(position, item)| visit(&format!("{at}/{position}"), item, look)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
