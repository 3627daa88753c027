use super::*;
use crate::{
    policy::{ClientCeilings, ClientSettings},
    settings::{BaseDir, Effects, Findings},
};
use http::Method;
use serde_json::{Value, json};
use std::path::Path;

fn set(text: &str) -> ScopeSet {
    ScopeSet::parse(text).unwrap()
}

fn compile<T>(build: impl FnOnce(&mut Building<'_>) -> T) -> (T, Findings) {
    let (base, mut findings) = (BaseDir::of_file(Path::new("x")), Findings::default());
    let mut building = Building {
        base: &base,
        effects: Effects::None,
        findings: &mut findings,
    };
    let built = build(&mut building);
    (built, findings)
}

fn policy(settings: Value) -> ScopePolicy {
    let settings: ScopeSettings = serde_json::from_value(settings).unwrap();
    let (policy, findings) = compile(|b| ScopePolicy::build(&settings, b));
    policy.unwrap_or_else(|| panic!("{:?}", findings.into_vec()))
}

fn mistakes(settings: Value) -> Vec<String> {
    let settings: ScopeSettings = serde_json::from_value(settings).unwrap();
    let (_, findings) = compile(|b| ScopePolicy::build(&settings, b));
    let paths = findings.into_vec().into_iter();
    paths.map(|finding| finding.path.to_string()).collect()
}

fn client(settings: Value) -> ClientCeilings {
    let settings: ClientSettings = serde_json::from_value(settings).unwrap();
    let (ceilings, findings) = compile(|b| ClientCeilings::build(&[(0, settings)], b));
    assert_eq!(findings.into_vec(), []);
    ceilings
}

fn narrow(policy: &ScopePolicy, held: &str) -> Result<ScopeSet, PolicyError> {
    policy.narrow(&set(held), None, None, &mut ())
}

#[test]
fn what_the_subject_lacks_is_dropped_or_refused_as_the_route_says() {
    let allow = ["orders.read", "orders.write"];
    let lenient = policy(json!({ "allow": allow }));
    assert_eq!(narrow(&lenient, "orders.read mail"), Ok(set("orders.read")));
    let strict = policy(json!({ "allow": allow, "excess": "refuse" }));
    assert_eq!(
        narrow(&strict, "orders.read mail"),
        Err(PolicyError::ScopeNotHeld {
            wanted: set("orders.read orders.write"),
            missing: set("orders.write"),
            held: set("orders.read mail"),
        })
    );
}

#[test]
fn nothing_left_is_a_refusal_unless_the_api_uses_no_scopes() {
    assert!(matches!(
        narrow(&policy(json!({ "allow": ["a"] })), ""),
        Err(PolicyError::NoScopeLeft { .. })
    ));
    let unscoped = policy(json!({ "allow": [] }));
    assert_eq!(narrow(&unscoped, "everything"), Ok(ScopeSet::empty()));
}

#[test]
fn a_required_scope_need_not_be_one_that_is_issued() {
    let policy = policy(json!({ "allow": ["orders.read"], "require": ["gateway.use"] }));
    assert!(narrow(&policy, "orders.read").is_err());
    assert_eq!(
        narrow(&policy, "orders.read gateway.use"),
        Ok(set("orders.read"))
    );
}

#[test]
fn what_is_required_and_allowed_speaks_the_mapped_names() {
    let policy = policy(json!({
        "allow": ["read", "write"], "require": ["read"], "map": { "portal.orders": ["read"] },
    }));
    assert_eq!(
        narrow(&policy, "portal.orders write"),
        Ok(set("read write"))
    );
    assert!(narrow(&policy, "write").is_err());
}

#[test]
fn an_operation_asks_for_less_and_may_require_more() {
    let policy = policy(json!({
        "allow": ["read", "write", "purge"], "require": ["use"],
        "operations": [
            { "methods": ["GET"], "scope": ["read"] },
            { "methods": ["POST"], "prefix": "/bulk", "scope": ["write"], "require": ["bulk"] },
        ],
    }));
    let narrow = |method: Method, rest: &str, held: &str| {
        let id = policy.operations().find(&method, rest);
        policy
            .operation(id)
            .and_then(|operation| policy.narrow(&set(held), operation, None, &mut ()))
    };
    let all = "read write purge use bulk";
    assert_eq!(narrow(Method::GET, "/bulk/1", all), Ok(set("read")));
    assert_eq!(narrow(Method::POST, "/bulk", all), Ok(set("write")));
    assert!(narrow(Method::POST, "/bulk", "read write use").is_err());
    assert!(
        narrow(Method::GET, "", "read bulk").is_err(),
        "the route's own"
    );
    for (method, rest) in [
        (Method::POST, ""),
        (Method::POST, "/bulks"),
        (Method::PUT, "/bulk"),
    ] {
        assert_eq!(narrow(method, rest, all), Err(PolicyError::NoOperation));
    }
}

#[test]
fn an_operation_of_another_route_opens_nothing() {
    let with = policy(json!({ "allow": ["a"], "operations": [{ "scope": ["a"] }] }));
    let id = with.operations().find(&Method::GET, "");
    assert!(id.is_some());
    let without = policy(json!({ "allow": ["a"] }));
    assert_eq!(without.operation(id).unwrap_err(), PolicyError::NoOperation);
    assert_eq!(with.operation(None).unwrap_err(), PolicyError::NoOperation);
    assert!(without.operation(None).unwrap().is_none());
}

#[test]
fn a_clients_ceiling_counts_unless_both_leave_the_scope_to_the_user() {
    let route = |rule: Value| {
        let mut settings = json!({ "allow": ["u.a", "u.b", "c"], "require": ["u.a"] });
        settings
            .as_object_mut()
            .unwrap()
            .extend(rule.as_object().unwrap().clone());
        policy(settings)
    };
    let portal = |scope: Value| client(json!({ "id": "portal", "scope": scope }));
    let narrow = |policy: &ScopePolicy, clients: &ClientCeilings| {
        let client = clients.of(Some("portal")).unwrap();
        policy.narrow(&set("u.a u.b c d"), None, Some(client), &mut ())
    };
    let user_only = json!({ "rule": "user_only" });
    let prefixed = json!({ "rule": "user_only", "rule_prefix": "u." });
    let plain = portal(json!({ "allow": ["u.a"] }));
    let lenient = portal(json!({ "allow": ["u.a"], "rule": "user_only" }));
    let partly = portal(json!({ "allow": ["u.a"], "rule": "user_only", "rule_prefix": "u." }));

    assert_eq!(narrow(&route(json!({})), &plain), Ok(set("u.a")));
    assert_eq!(narrow(&route(user_only.clone()), &plain), Ok(set("u.a")));
    assert_eq!(narrow(&route(json!({})), &lenient), Ok(set("u.a")));
    let all = set("u.a u.b c");
    assert_eq!(narrow(&route(user_only.clone()), &lenient), Ok(all));
    for (rule, client) in [(&prefixed, &lenient), (&user_only, &partly)] {
        assert_eq!(narrow(&route(rule.clone()), client), Ok(set("u.a u.b")));
    }
    let nothing = portal(json!({ "allow": [] }));
    assert!(narrow(&route(json!({})), &nothing).is_err());
}

#[test]
fn mistakes_are_reported_where_they_stand() {
    let of = |operations: Value| mistakes(json!({ "allow": ["a", "b"], "operations": operations }));
    assert_eq!(
        of(json!([{ "scope": ["a", "c"] }])),
        ["operations[0].scope"]
    );
    assert_eq!(of(json!([{ "scope": [] }])), ["operations[0].scope"]);
    assert_eq!(
        of(json!([{ "scope": ["a"], "methods": ["get", "TRACE"] }])),
        ["operations[0].methods[0]", "operations[0].methods[1]"]
    );
    for prefix in [
        "",
        "bulk",
        "/",
        "/bulk/",
        "/a/../b",
        "/a!b",
        "/caf%C3%A9",
        "/a b",
    ] {
        assert_eq!(
            of(json!([{ "scope": ["a"], "prefix": prefix }])),
            ["operations[0].prefix"],
            "{prefix}"
        );
    }
    for (one, other) in [
        (json!({}), json!({})),
        (json!({ "prefix": "/a" }), json!({ "prefix": "/a" })),
        (
            json!({ "methods": ["GET", "PUT"] }),
            json!({ "methods": ["PUT", "POST"] }),
        ),
    ] {
        let operations: Vec<Value> = [one, other]
            .into_iter()
            .map(|mut item| {
                item["scope"] = json!(["a"]);
                item
            })
            .collect();
        assert_eq!(of(json!(operations)), ["operations[1]"]);
    }
    assert_eq!(mistakes(json!({ "allow": ["__myscopes__"] })), ["allow"]);
    assert_eq!(
        mistakes(json!({ "allow": ["a"], "rule_prefix": "a" })),
        ["rule_prefix"]
    );
    assert_eq!(
        mistakes(json!({ "allow": ["a"], "rule": "user_only" })),
        ["rule"],
        "a warning"
    );
}
