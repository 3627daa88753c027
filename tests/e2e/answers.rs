//! The response to the client, for every situation that the gateway distinguishes.

mod credentials;
mod documents;
mod downstream;
mod framing;
mod locations;
mod paths;
mod policy;
mod repeat;
mod routes;
mod streams;
mod tokens;
mod wire;

use crate::e2e::support::{Answer, Lab};

/// Checks what all of the gateway's own responses have in common.
#[track_caller]
pub fn assert_own(answer: &Answer, status: u16, error: &str, presented: &[&str]) {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status(), status, "{text}");
    assert_eq!(answer.field("content-type"), Some("application/json"));
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    assert!(answer.body.len() < 1024, "{text}");
    assert_eq!(answer.error(), error, "{text}");
    let members = answer.json();
    let members = members.as_object().unwrap();
    assert!(members["error_description"].is_string());
    assert_eq!(members.len(), 2, "{text}");
    let head = format!("{:?}", answer.fields);
    for echo in presented {
        assert!(
            !text.contains(echo) && !head.contains(echo),
            "echoes {echo}"
        );
    }
}

/// Asserts that nothing of any request reached the upstream.
#[track_caller]
pub fn assert_untouched(lab: &Lab) {
    let bytes = lab.origin.bytes();
    assert!(bytes.is_empty(), "{}", String::from_utf8_lossy(&bytes));
}
