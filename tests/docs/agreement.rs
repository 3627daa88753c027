//! The schema and the gateway accept and refuse the same files: thousands of files with one change to a valid one.

use super::files::{path, yaml};
use crate::{config::gateway, json_schema::Validator};
use obo_gateway::{
    config::Document,
    settings::{Finding, Findings, Severity},
};
use serde_json::{Value, json};

#[test]
fn the_schema_refuses_nothing_that_the_gateway_takes_and_takes_nothing_of_a_wrong_shape() {
    let schema = obo_gateway::config::schema();
    let validator = Validator::new(&schema);
    let mut disagreements = String::new();
    for (change, file) in changed() {
        let mistakes = mistakes(&file);
        let accepted = validator.is_valid(&file);
        // the gateway treats a key without a value like an absent one, but an editor marks it
        if mistakes.is_empty() && !accepted && !change.ends_with(" = null") {
            disagreements += &format!("the schema alone refuses: {change}\n");
        }
        if let Some(mistake) = mistakes.iter().find(|mistake| is_about_shape(mistake))
            && accepted
        {
            disagreements += &format!("the gateway alone refuses: {change}: {}\n", mistake.what);
        }
    }
    assert!(disagreements.is_empty(), "{disagreements}");
}

/// Returns every valid file with one value replaced, one removed, or one key added, in every possible place.
fn changed() -> Vec<(String, Value)> {
    let mut changed = Vec::new();
    for name in ["complete", "shortest", "two_apis"] {
        let good = yaml(&path(&format!("tests/fixtures/config/valid/{name}.yaml"))).unwrap();
        assert!(mistakes(&good).is_empty(), "{name}");
        for place in places("", &good) {
            for other in replacements() {
                let mut file = good.clone();
                let change = format!("{name}{place} = {other}");
                *file.pointer_mut(&place).unwrap() = other;
                changed.push((change, file));
            }
            let mut file = good.clone();
            if let Some(members) = file.pointer_mut(&place).and_then(Value::as_object_mut) {
                members.insert("unheard_of".to_owned(), json!(1));
                changed.push((format!("{name}{place} + unheard_of"), file));
            }
            let (parent, key) = place.rsplit_once('/').unwrap_or_default();
            let mut file = good.clone();
            if let Some(members) = file.pointer_mut(parent).and_then(Value::as_object_mut) {
                members.remove(key);
                changed.push((format!("{name}{place} removed"), file));
            }
        }
    }
    assert!(changed.len() > 1_000);
    changed
}

fn replacements() -> [Value; 9] {
    [
        Value::Null,
        json!(true),
        json!(false),
        json!(3),
        json!("text"),
        json!(""),
        json!([]),
        json!(["text"]),
        json!({}),
    ]
}

/// Returns the place of every value, including the file itself, as JSON pointers.
fn places(at: &str, value: &Value) -> Vec<String> {
    let mut found = vec![at.to_owned()];
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(key, member)| found.extend(places(&format!("{at}/{key}"), member))),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(position, item)| found.extend(places(&format!("{at}/{position}"), item))),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    found
}

/// Returns the errors that prevent the gateway from starting with this file. JSON is YAML.
fn mistakes(file: &Value) -> Vec<Finding> {
    let findings = match Document::parse("gateway.yaml", &file.to_string()) {
        Ok(document) => {
            let mut findings = Findings::default();
            gateway::read(&document, &mut findings);
            findings
        }
        Err(unreadable) => unreadable.findings,
    };
    let mut findings = findings.into_vec();
    findings.retain(|finding| finding.severity == Severity::Error);
    findings
}

/// Returns `true` if a key or a type is wrong, as opposed to the meaning of a value.
fn is_about_shape(mistake: &Finding) -> bool {
    [
        "unknown key",
        "required, and missing",
        "expected exactly one of",
        "expected one of",
        "expected a text",
        "expected a path",
        "expected a list",
        "expected a mapping",
        "expected true or false",
        "expected a whole number",
        "expected a duration",
        "expected a size",
        "the list is empty",
    ]
    .iter()
    .any(|start| mistake.what.starts_with(start))
}
