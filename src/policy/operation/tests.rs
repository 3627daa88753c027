use super::*;
use crate::settings::{BaseDir, Effects, Findings};
use serde_json::{Value, json};
use std::path::Path;

fn operations(items: Value) -> Operations {
    let items: Vec<OperationSettings> = serde_json::from_value(items).unwrap();
    let (base, mut findings) = (BaseDir::of_file(Path::new("x")), Findings::default());
    let mut building = Building {
        base: &base,
        effects: Effects::None,
        findings: &mut findings,
    };
    let allow = ScopeSet::parse("a").unwrap();
    let built = Operations::build(&items, &allow, &mut building);
    built.unwrap_or_else(|| panic!("{:?}", findings.into_vec()))
}

#[test]
fn the_longest_prefix_that_serves_the_method_wins_and_methods_come_before_none() {
    let operations = operations(json!([
        { "scope": ["a"] },
        { "scope": ["a"], "methods": ["GET"] },
        { "scope": ["a"], "prefix": "/x", "methods": ["POST", "PUT"] },
        { "scope": ["a"], "prefix": "/x/y" },
        { "scope": ["a"], "prefix": "/x/y", "methods": ["GET"] },
    ]));
    let found = |method: Method, rest: &str| {
        let id = operations.find(&method, rest)?;
        operations
            .get(id)
            .map(|operation| operation.label().to_owned())
    };
    for (method, rest, label) in [
        (Method::GET, "", "GET /"),
        (Method::GET, "/", "GET /"),
        (Method::DELETE, "/z", "* /"),
        (Method::PUT, "/x", "POST,PUT /x"),
        (Method::PUT, "/x/", "POST,PUT /x"),
        (Method::PUT, "/xy", "* /"),
        (Method::GET, "/x/1", "GET /"),
        (Method::GET, "/x/y/1", "GET /x/y"),
        (Method::PUT, "/x/y/1", "* /x/y"),
        (Method::PUT, "/X/y", "* /"),
    ] {
        assert_eq!(
            found(method.clone(), rest).as_deref(),
            Some(label),
            "{method} {rest}"
        );
    }
}

#[test]
fn a_request_that_is_none_of_them_is_none() {
    let operations = operations(json!([{ "scope": ["a"], "prefix": "/x", "methods": ["GET"] }]));
    for (method, rest) in [
        (Method::GET, ""),
        (Method::POST, "/x"),
        (Method::HEAD, "/x"),
    ] {
        assert_eq!(operations.find(&method, rest), None);
    }
}
