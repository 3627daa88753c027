//! Errors in the format of Microsoft Entra: the standard code, and a number and a trace id that its clients know.

use crate::{
    clock::UnixTime,
    sts::error::OAuthError,
    telemetry::{Reason, RequestId},
};
use bytes::Bytes;
use http::Response;
use serde_json::json;

/// Returns the response for `error` to the request `id`.
pub(in crate::sts::grants) fn response(
    error: OAuthError,
    id: RequestId,
    now: UnixTime,
) -> Response<Bytes> {
    let reason = error.reason();
    error.response_with(|code, description| {
        let number = number(code, reason);
        let (trace, at) = (uuid(id), timestamp(now));
        json!({
            "error": code,
            "error_description": format!(
                "AADSTS{number}: {description}. Trace ID: {trace} Correlation ID: {trace} Timestamp: {at}"
            ),
            "error_codes": [number],
            "timestamp": at,
            "trace_id": trace,
            "correlation_id": trace,
        })
    })
}

/// Returns the number under which Entra documents the most similar error.
fn number(code: &str, reason: Reason) -> u32 {
    match code {
        "invalid_scope" => 70_011,
        "invalid_target" => 500_011,
        "invalid_request" => 90_014,
        "unauthorized_client" => 70_001,
        "unsupported_grant_type" => 70_003,
        "temporarily_unavailable" => 90_033,
        _ => of_grant(reason),
    }
}

#[allow(clippy::wildcard_enum_match_arm)] // all other errors of an assertion have one number
fn of_grant(reason: Reason) -> u32 {
    match reason {
        Reason::Expired | Reason::NotYetValid | Reason::NoLifetimeLeft => 500_133,
        Reason::Audience | Reason::NotThisClientsToken => 500_131,
        Reason::AppOnlySubject => 7_000_114,
        Reason::Revoked | Reason::RefreshTokenReused => 50_173,
        Reason::RefreshToken => 70_000,
        _ => 50_013,
    }
}

/// Returns the request's id in the form of a UUID; the logs have it without the dashes.
fn uuid(id: RequestId) -> String {
    let text = id.as_str();
    let part = |from, to| text.get(from..to).unwrap_or_default();
    [
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ]
    .join("-")
}

fn timestamp(now: UnixTime) -> String {
    now.to_rfc3339().unwrap_or_default().replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::SystemRandomness, telemetry::IdSource};
    use serde_json::Value;

    #[test]
    fn a_refusal_has_the_members_that_entras_clients_read() {
        let id = IdSource::new(&SystemRandomness).unwrap().request_id();
        let error = OAuthError::bad_request("invalid_grant", "too old", Reason::Expired);
        let response = response(error, id, UnixTime::from_secs(1_763_734_662));
        assert_eq!(response.status(), 400);
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body["error"], "invalid_grant");
        assert_eq!(body["error_codes"], json!([500_133]));
        assert_eq!(body["timestamp"], "2025-11-21 14:17:42Z");
        assert_eq!(
            body["trace_id"].as_str().unwrap().replace('-', ""),
            id.as_str()
        );
        assert_eq!(body["correlation_id"], body["trace_id"]);
        let description = body["error_description"].as_str().unwrap();
        assert!(
            description.starts_with("AADSTS500133: too old. Trace ID: "),
            "{description}"
        );
    }
}
