//! Maps unacceptable tokens and requests to errors (RFC 6749 §5.2, RFC 8693 §2.2.2).
//!
//! All reasons why a token is not acceptable have the same text, so that a response does not tell which check failed.
//! The reason is recorded in the access log, the metric and the audit log.

use super::error::OAuthError;
use crate::{
    error::Refusal, error_class::ErrorClass, exchange::ExchangeError, policy::PolicyError,
    store::StoreError, telemetry::Reason, verify::VerifyError,
};

/// The code for an unacceptable token in an exchange (RFC 8693 §2.2.2).
pub(super) const INVALID_REQUEST: &str = "invalid_request";
/// The code for an unacceptable grant (RFC 6749 §5.2, RFC 7523 §3.1).
pub(super) const INVALID_GRANT: &str = "invalid_grant";

/// A presented token is not acceptable. `description` names its parameter.
pub(super) fn token(
    error: VerifyError,
    unacceptable: &'static str,
    description: &'static str,
) -> OAuthError {
    let unavailable = error.class() == ErrorClass::Unavailable;
    let reason = Refusal::from(error).reason();
    if unavailable {
        return OAuthError::unavailable(reason);
    }
    OAuthError::bad_request(unacceptable, description, reason)
}

/// The client's policy refuses the request.
pub(super) fn policy(error: PolicyError, unacceptable: &'static str) -> OAuthError {
    let (code, description) = match (error.class(), &error) {
        (_, PolicyError::NoScopeLeft { .. }) => (
            "invalid_scope",
            "the tokens contain no scope that the client may have",
        ),
        (_, PolicyError::ActorNeeded) => (
            unacceptable,
            "a subject token of this type requires an actor token",
        ),
        (_, PolicyError::FormatNotAllowed) => (
            INVALID_REQUEST,
            "the client may not get a token of this type",
        ),
        (ErrorClass::Scope, _) => (
            "invalid_scope",
            "the scope exceeds what the tokens contain or the client may have",
        ),
        (ErrorClass::Target, _) => (
            "invalid_target",
            "the client may not get a token for this target",
        ),
        (ErrorClass::Unacceptable, _) => (unacceptable, "the token is not acceptable"),
        (
            ErrorClass::Denied
            | ErrorClass::Unavailable
            | ErrorClass::OperatorFault
            | ErrorClass::ClientRefused
            | ErrorClass::UnusableResponse
            | ErrorClass::Fault,
            _,
        ) => (unacceptable, "the policy refuses the request"),
    };
    OAuthError::bad_request(code, description, Refusal::from(error).reason())
}

/// No token was issued although it was permitted.
pub(super) fn exchange(error: &ExchangeError, unacceptable: &'static str) -> OAuthError {
    let (code, description) = match error.class() {
        ErrorClass::Unacceptable => (unacceptable, "the token is not acceptable"),
        ErrorClass::Scope => ("invalid_scope", "the client may not get this scope"),
        ErrorClass::Target => (
            "invalid_target",
            "the client may not get a token for this target",
        ),
        ErrorClass::Denied => (unacceptable, "the policy refuses the request"),
        ErrorClass::Unavailable
        | ErrorClass::OperatorFault
        | ErrorClass::ClientRefused
        | ErrorClass::UnusableResponse
        | ErrorClass::Fault => {
            tracing::error!(%error, "a permitted token could not be issued");
            return OAuthError::unavailable(Refusal::from(error.clone()).reason());
        }
    };
    OAuthError::bad_request(code, description, Refusal::from(error.clone()).reason())
}

/// Something that the token is made from was revoked while the token was made.
pub(super) fn revoked(unacceptable: &'static str) -> OAuthError {
    OAuthError::bad_request(unacceptable, "the token is not acceptable", Reason::Revoked)
}

/// The store is required and does not work.
pub(super) fn store(error: &StoreError) -> OAuthError {
    tracing::error!(%error, "the store cannot be used");
    OAuthError::unavailable(Reason::StoreUnavailable)
}

/// The client requests a grant that it may not use.
pub(super) fn unauthorized_client() -> OAuthError {
    OAuthError::bad_request(
        "unauthorized_client",
        "the client may not use this grant",
        Reason::GrantNotOffered,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::every;
    use http::StatusCode;

    #[test]
    fn a_failed_exchange_has_the_code_of_its_class_and_only_a_decision_is_a_400() {
        for error in every::exchange_errors() {
            let code = match error.class() {
                ErrorClass::Unacceptable | ErrorClass::Denied => INVALID_GRANT,
                ErrorClass::Scope => "invalid_scope",
                ErrorClass::Target => "invalid_target",
                ErrorClass::Unavailable
                | ErrorClass::OperatorFault
                | ErrorClass::ClientRefused
                | ErrorClass::UnusableResponse
                | ErrorClass::Fault => "temporarily_unavailable",
            };
            let status = match code {
                "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::BAD_REQUEST,
            };
            let response = exchange(&error, INVALID_GRANT).response();
            assert_eq!(response.status(), status, "{error}");
            let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
            assert_eq!(body["error"], code, "{error}");
        }
    }
}
