//! `GET /decisions/{request id}`: the decision on a recent request.

use super::{Admin, JSON, error, not_allowed, response};
use crate::telemetry::{DecisionStep, Decisions, Found, TokenDecision};
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde_json::{Map, Value, json};

/// The prefix of the path.
pub(super) const PREFIX: &str = "/decisions/";

pub(super) fn respond(admin: &Admin, method: &Method, id: &str) -> Response<Bytes> {
    if method != Method::GET {
        return not_allowed("GET", "only GET is allowed");
    }
    if !Decisions::is_id(id) {
        return error(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "a request id has 32 hexadecimal digits: it is `request_id` in the access log",
        );
    }
    let Some(found) = admin.decisions.find(id) else {
        return error(
            StatusCode::NOT_FOUND,
            "not_found",
            "this gateway has no such request: another gateway handled it, it has not ended yet, or newer requests replaced it",
        );
    };
    response(StatusCode::OK, JSON, described(admin, &found).to_string())
}

fn described(admin: &Admin, found: &Found) -> Value {
    match found {
        Found::Recorded(recorded) => {
            let line: Value = serde_json::from_slice(&recorded.line).unwrap_or_default();
            let steps = recorded.decision.as_deref().map(steps);
            json!({"kept": "decision", "request": line, "steps": steps.unwrap_or_default()})
        }
        Found::Remembered(remembered) => {
            let clock = &admin.revoker.load().clock;
            let since = clock.instant().saturating_duration_since(remembered.ended);
            let ended = clock.now().minus(since);
            let mut request = match &remembered.decision {
                Some(decision) => decision.names(),
                None => Map::new(),
            };
            for (name, value) in [
                ("request_id", json!(remembered.id.as_str())),
                ("ended", json!(ended.as_secs())),
                ("status", json!(remembered.status)),
                ("outcome", json!("forwarded")),
                ("duration_us", json!(remembered.duration.as_micros() as u64)),
            ] {
                request.insert(name.to_owned(), value);
            }
            json!({"kept": "served_from_memory", "request": request, "steps": []})
        }
    }
}

/// Returns the checks that were made; the last one refused. A forwarded request has none: it passed all checks.
fn steps(decision: &TokenDecision) -> Vec<Value> {
    let last = decision.steps().len().saturating_sub(1);
    let steps = decision.steps().iter().enumerate();
    let described = |(position, step): (usize, &DecisionStep)| json!({"step": step.as_str(), "passed": position < last});
    steps.map(described).collect()
}
