//! Logs and metrics of a request.

use crate::e2e::support::{Ask, Lab, PATIENCE};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs};

#[tokio::test]
async fn every_request_is_one_line_that_says_how_it_ended_and_why() {
    let lab = Lab::start().await;
    let (good, poor) = (lab.token(), lab.token_with(json!({"scope": "x"})));
    let mut ids = BTreeSet::new();
    for ask in [
        Ask::get("/orders/1?secret=1").bearer(&good),
        Ask::get("/orders/2").bearer(&good),
        Ask::get("/orders/1").bearer(&poor),
        Ask::get("/orders/1"),
        Ask::get("/nowhere"),
        Ask::get("/status"),
        Ask::get("/oauth/v2/keys"),
    ] {
        let answer = lab.ask(ask).await;
        let id = answer.field("x-request-id");
        ids.extend(id.map(str::to_owned));
    }
    let path = lab.file("access.jsonl");
    let Lab {
        gateway,
        origin,
        folder: _folder,
        ..
    } = lab;
    let drained = tokio::time::timeout(PATIENCE, gateway.drain()).await;
    assert_eq!(drained.unwrap().remaining, 0);

    let text = fs::read_to_string(path).unwrap();
    assert!(!text.contains("secret"), "{text}");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let member =
        |name: &str| -> Vec<Value> { lines.iter().map(|line| line[name].clone()).collect() };
    let expect = |name: &str, values: Value| {
        assert_eq!(Value::from(member(name)), values, "{name} in\n{text}")
    };
    expect("status", json!([200, 200, 403, 401, 404, 200, 200]));
    expect(
        "route",
        json!([
            "orders", "orders", "orders", "orders", "none", "status", "none"
        ]),
    );
    expect(
        "reason",
        json!([
            null,
            null,
            "scope_not_held",
            "no_credentials",
            "no_route",
            null,
            null
        ]),
    );
    expect(
        "cache",
        json!(["miss", "hit", "miss", null, null, null, null]),
    );
    let logged: BTreeSet<String> = member("request_id")
        .iter()
        .map(|id| id.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(logged.len(), 7);
    assert!(ids.is_subset(&logged));
    for request in origin.requests() {
        assert!(logged.contains(request.field("x-request-id").unwrap()));
    }
}

#[tokio::test]
async fn a_trace_goes_on_and_an_id_is_never_taken_from_a_client() {
    let lab = Lab::start().await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let ask = Ask::get("/orders/1")
        .bearer(&lab.token())
        .field("Traceparent", &format!("00-{trace}-b7ad6b7169203331-01"))
        .field("X-Request-Id", "chosen");
    let answer = lab.ask(ask).await;
    let request = lab.origin.request();
    let parent = request.field("traceparent").unwrap();
    assert!(parent.starts_with(&format!("00-{trace}-")) && !parent.contains("b7ad6b7169203331"));
    assert_ne!(request.field("x-request-id"), Some("chosen"));
    assert_eq!(request.field("x-request-id"), answer.field("x-request-id"));
}
