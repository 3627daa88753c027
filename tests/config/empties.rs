//! A key without a value is never treated like an absent key.

use super::gateway;
use obo_gateway::{
    cli::{Paint, render},
    config::{Document, schema},
    settings::{Finding, Findings, Severity},
};
use serde_json::Value as Json;
use serde_yaml::Value;
use std::collections::{BTreeMap, BTreeSet};

const GOOD: &str = include_str!("../fixtures/config/valid/complete.yaml");

/// Lists that may be empty, and why: a shorter list permits less, or the reference describes the empty list.
const MAY_BE_EMPTY: [(&str, &str); 15] = [
    ("clients[].impersonation.may_act_for", "no user"),
    ("clients[].introspects", "no tokens"),
    ("clients[].resources", "no names for audiences"),
    ("clients[].scope.allow", "tokens without scope"),
    ("clients[].subjects_of", "no others' subjects"),
    ("routes[].cors.headers", "no field that scripts may set"),
    ("routes[].exchange.scope.allow", "no scopes"),
    ("routes[].exchange.scope.map.*", "the scope is dropped"),
    ("routes[].exchange.scope.operations[].scope", "no scopes"),
    ("routes[].exchange.token.claims.copy", "no claim"),
    ("routes[].request.cookies", "no cookie"),
    ("routes[].request.headers.remove", "no field removed"),
    ("routes[].request.headers.set", "no field set"),
    ("routes[].response.pass_headers", "no field passes"),
    ("routes[].response.relay_challenges", "no challenge passes"),
];

/// Returns the findings about `file`.
fn errors(file: &Value) -> Vec<Finding> {
    let text = serde_yaml::to_string(file).unwrap();
    let mut findings = Findings::default();
    match Document::parse("gateway.yaml", &text) {
        Ok(document) => gateway::read(&document, &mut findings),
        Err(unreadable) => findings = unreadable.findings,
    }
    let is_error = |finding: &Finding| finding.severity == Severity::Error;
    findings.into_vec().into_iter().filter(is_error).collect()
}

fn told(errors: &[Finding]) -> String {
    let line = |finding: &Finding| format!("{}: {}", finding.path, finding.what);
    errors.iter().map(line).collect::<Vec<_>>().join("\n    ")
}

/// One step of a path in the file.
#[derive(Clone)]
enum Step {
    Key(String),
    Item(usize),
}

fn shown(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text += key,
            Step::Key(key) => text += &format!(".{key}"),
            Step::Item(index) => text += &format!("[{index}]"),
        }
    }
    text
}

/// The path with `[]` for every item, and `*` for names that the operator chooses.
fn pattern(path: &[Step]) -> String {
    let any = |step: &Step| match step {
        Step::Item(_) => "[]".to_owned(),
        Step::Key(key) => format!(".{key}"),
    };
    let text: String = path.iter().map(any).collect();
    let text = text.trim_start_matches('.').to_owned();
    match text.split_once("scope.map.") {
        Some((before, _)) => format!("{before}scope.map.*"),
        None => text,
    }
}

fn paths(value: &Value, at: &mut Vec<Step>, all: &mut Vec<Vec<Step>>) {
    let steps: Vec<(Step, &Value)> = match value {
        Value::Mapping(mapping) => (mapping.iter())
            .map(|(key, value)| (Step::Key(key.as_str().unwrap().to_owned()), value))
            .collect(),
        Value::Sequence(items) => (items.iter().enumerate())
            .map(|(index, item)| (Step::Item(index), item))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Tagged(_) => {
            return;
        }
    };
    for (step, value) in steps {
        at.push(step);
        all.push(at.clone());
        paths(value, at, all);
        at.pop();
    }
}

fn all_paths(file: &Value) -> Vec<Vec<Step>> {
    let mut all = Vec::new();
    paths(file, &mut Vec::new(), &mut all);
    all
}

fn place<'v>(file: &'v mut Value, path: &[Step]) -> &'v mut Value {
    path.iter().fold(file, |value, step| match step {
        Step::Key(key) => value.get_mut(key).unwrap(),
        Step::Item(index) => value.get_mut(index).unwrap(),
    })
}

fn with(file: &Value, path: &[Step], value: &Value) -> Value {
    let mut changed = file.clone();
    *place(&mut changed, path) = value.clone();
    changed
}

fn good() -> Value {
    serde_yaml::from_str(GOOD).unwrap()
}

#[test]
fn nothing_an_empty_text_and_an_empty_collection_are_findings_at_every_key() {
    let good = good();
    assert_eq!(told(&errors(&good)), "");
    let mut accepted: BTreeMap<String, &str> = BTreeMap::new();
    for path in all_paths(&good) {
        // the empty values that can be read in this place, and one that cannot
        let empties = match place(&mut good.clone(), &path) {
            Value::Sequence(_) => ["[]", "''"],
            Value::Mapping(_) => ["{}", "[]"],
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Tagged(_) => ["''", "' \t'"],
        };
        for empty in empties {
            let changed = with(&good, &path, &serde_yaml::from_str(empty).unwrap());
            let (pattern, at) = (pattern(&path), shown(&path));
            let found = errors(&changed);
            if found.is_empty() {
                accepted.insert(pattern, empty);
                continue;
            }
            let here = |finding: &Finding| {
                let found = finding.path.to_string();
                found.starts_with(&at) || at.starts_with(&found)
            };
            let may_be = MAY_BE_EMPTY.iter().any(|(listed, _)| *listed == pattern);
            assert!(
                may_be || found.iter().any(here),
                "{at}: {empty}\n    {}",
                told(&found)
            );
        }
    }
    let listed: BTreeSet<&str> = MAY_BE_EMPTY.iter().map(|(path, _)| *path).collect();
    for (path, empty) in accepted {
        assert!(
            listed.contains(path.as_str()) && empty == "[]",
            "{path}: {empty} is accepted"
        );
    }
}

#[test]
fn a_key_with_nothing_behind_it_is_one_finding_and_leads_to_no_other() {
    let good = good();
    let mut wrong = Vec::new();
    for path in all_paths(&good) {
        let at = shown(&path);
        let found = errors(&with(&good, &path, &Value::Null));
        if found.len() != 1 || found[0].path.to_string() != at {
            wrong.push(format!("{at}:\n    {}", told(&found)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_key_that_nobody_knows_is_one_finding_in_every_mapping() {
    let good = good();
    let mut wrong = Vec::new();
    for path in std::iter::once(Vec::new()).chain(all_paths(&good)) {
        let mut changed = good.clone();
        let Value::Mapping(mapping) = place(&mut changed, &path) else {
            continue;
        };
        // these contain names that the operator chooses
        let at = shown(&path);
        if ["required_claims", "map", "set"]
            .iter()
            .any(|end| at.ends_with(end))
        {
            continue;
        }
        for key in ["zzz_one", "zzz_two", "zzz_three"] {
            mapping.insert(key.into(), 1.into());
        }
        let found = errors(&changed);
        let all = found.iter().all(|finding| {
            finding.what == "unknown key" && finding.path.parent().to_string() == at
        });
        if found.len() != 3 || !all {
            wrong.push(format!("{at}:\n    {}", told(&found)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_value_of_a_wrong_kind_leads_to_findings_about_itself_alone() {
    let good = good();
    let mut wrong = Vec::new();
    for path in all_paths(&good) {
        let at = shown(&path);
        // any value is valid if the operator chooses it
        if at.contains("required_claims") || at.contains("claims.set") {
            continue;
        }
        let nonsense = serde_yaml::from_str("[ [ { nonsense: true } ] ]").unwrap();
        let found = errors(&with(&good, &path, &nonsense));
        let below = |finding: &Finding| finding.path.to_string().starts_with(&at);
        if found.is_empty() || !found.iter().all(below) {
            wrong.push(format!("{at}:\n    {}", told(&found)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_misspelt_key_leads_to_no_finding_about_what_is_missing_without_it() {
    let good = good();
    let mut wrong = Vec::new();
    for path in all_paths(&good) {
        let Some((Step::Key(key), parent)) = path.split_last() else {
            continue;
        };
        let above = shown(parent);
        if key.len() < 4
            || ["required_claims", "map", "set"]
                .iter()
                .any(|end| above.ends_with(end))
        {
            continue;
        }
        let mut changed = good.clone();
        let mapping = place(&mut changed, parent).as_mapping_mut().unwrap();
        let value = mapping.remove(key.as_str()).unwrap();
        mapping.insert(format!("{key}x").into(), value);
        let found = errors(&changed);
        if found.len() != 1 || found[0].what != "unknown key" {
            wrong.push(format!("{}:\n    {}", shown(&path), told(&found)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Asserts that every key of the schema is in the file that the tests above change, or in one of these lines.
#[test]
fn an_editor_is_told_that_no_key_may_be_null() {
    fn nulls(schema: &Json, at: &str, found: &mut Vec<String>) {
        match schema {
            Json::Object(members) => {
                let null = |kind: &Json| kind == "null";
                let kinds = members.get("type");
                if kinds.is_some_and(|kinds| {
                    null(kinds) || kinds.as_array().is_some_and(|k| k.iter().any(null))
                }) {
                    found.push(at.to_owned());
                }
                for (key, member) in members {
                    nulls(member, &format!("{at}/{key}"), found);
                }
            }
            Json::Array(items) => items.iter().for_each(|item| nulls(item, at, found)),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }
    let mut found = Vec::new();
    nulls(&schema(), "", &mut found);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn a_finding_says_why_an_empty_value_is_none() {
    let document = Document::parse(
        "gateway.yaml",
        &GOOD.replace(
            "match: { exact: /status }",
            "match: { exact: /status, methods: }",
        ),
    )
    .unwrap();
    let mut findings = Findings::default();
    gateway::read(&document, &mut findings);
    let mut out = Vec::new();
    render(
        &findings.into_vec(),
        document.marks(),
        Paint::Plain,
        &mut out,
    )
    .unwrap();
    let report = String::from_utf8(out).unwrap();
    assert!(
        report.contains(".match.methods: expected a value, found nothing"),
        "{report}"
    );
    assert!(report.contains("fix: write "), "{report}");
}
