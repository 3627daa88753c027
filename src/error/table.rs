//! The one table that maps a refusal to an HTTP response.

use super::{Challenge, ErrorResponse, Refusal, UpstreamFault};
use crate::{
    error_class::ErrorClass,
    gate::{GateError, HostFault, wire::HeadFault},
    source::SourceError,
    token::ScopeSet,
};
use http::StatusCode;

/// Returns the response to the client.
pub(super) fn response(refusal: &Refusal) -> ErrorResponse {
    match refusal {
        Refusal::Gate(error) => gate(error),
        Refusal::Source(error) => source(*error),
        Refusal::NoRoute => ErrorResponse::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "no route serves this request",
        ),
        Refusal::TokenInTarget => invalid_request("the request target must not contain a token"),
        Refusal::Verify(error) => of_class(error.class()),
        Refusal::Policy(error) => match error.required_scope() {
            Some(required) => insufficient_scope(required),
            None => of_class(error.class()),
        },
        Refusal::Exchange(error) => of_class(error.class()),
        Refusal::Audit | Refusal::WaitedTooLong | Refusal::Fault => unavailable(),
        Refusal::Leak(_) => bad_gateway(),
        Refusal::Upstream(fault) => upstream(*fault),
    }
}

fn gate(error: &GateError) -> ErrorResponse {
    match error {
        GateError::TargetTooLong { .. } => ErrorResponse::new(
            StatusCode::URI_TOO_LONG,
            "invalid_request",
            "the request target is too long",
        ),
        GateError::HeadersTooLarge { .. } | GateError::TooManyFields => ErrorResponse::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "invalid_request",
            "the header fields are too large",
        ),
        GateError::MalformedHead(HeadFault::Expectation) => ErrorResponse::new(
            StatusCode::EXPECTATION_FAILED,
            "invalid_request",
            head_text(HeadFault::Expectation),
        )
        .closing(),
        GateError::MalformedHead(fault) => malformed(head_text(*fault)),
        GateError::MalformedBody(_) => malformed("the chunks of the body are malformed"),
        GateError::Host(HostFault::Missing) => malformed("the Host field is missing or empty"),
        GateError::Host(HostFault::Several) => malformed("there is more than one Host field"),
        GateError::Host(HostFault::Malformed) => malformed("the Host field is malformed"),
        GateError::AmbiguousPath(_) => ErrorResponse::new(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "the path is ambiguous",
        )
        .closing(),
        GateError::AuthorityMismatch => ErrorResponse::new(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "the request names two hosts",
        )
        .closing(),
        GateError::MethodNotForwarded => ErrorResponse::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "invalid_request",
            "this method is not forwarded",
        )
        .closing(),
    }
}

/// Closes the connection, because the start of the next request is unknown.
fn malformed(description: &'static str) -> ErrorResponse {
    ErrorResponse::new(StatusCode::BAD_REQUEST, "invalid_request", description).closing()
}

fn head_text(fault: HeadFault) -> &'static str {
    match fault {
        HeadFault::RequestLine => "the request line is malformed",
        HeadFault::Target => {
            "the request target is neither a path nor an http URL, or has a fragment"
        }
        HeadFault::TargetCharacter => {
            "the request target has a character that must be percent-encoded"
        }
        HeadFault::LineEnd => "a line of the head does not end in CR LF",
        HeadFault::Folded | HeadFault::FieldName | HeadFault::Control => {
            "a header field is malformed"
        }
        HeadFault::ContentLength => "Content-Length is not one decimal number",
        HeadFault::LengthAndCoding => "Content-Length and Transfer-Encoding are both present",
        HeadFault::TransferCoding => "Transfer-Encoding is not exactly chunked",
        HeadFault::Expectation => "Expect is not exactly 100-continue",
        HeadFault::Connection => "the Connection field names a field that it must not name",
        HeadFault::Stream => "the HTTP/2 request is malformed",
    }
}

fn source(error: SourceError) -> ErrorResponse {
    match error {
        // RFC 6750 §3.1: no error code if the request contains no credentials
        SourceError::NoCredentials => ErrorResponse::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "a bearer token is required",
        )
        .challenge(Challenge::Plain),
        SourceError::Malformed => invalid_request("the Authorization field is malformed"),
        SourceError::Several => invalid_request("the request presents more than one credential"),
        SourceError::InQuery => invalid_request("the query must not contain a token"),
        SourceError::TooLong { .. } => ErrorResponse::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "invalid_request",
            "the token is too long",
        ),
    }
}

/// The response to a failure of this kind.
fn of_class(class: ErrorClass) -> ErrorResponse {
    match class {
        ErrorClass::Unacceptable => invalid_token(),
        // RFC 6750 §3.1 has no error code for refusals by a policy
        ErrorClass::Scope | ErrorClass::Target | ErrorClass::Denied => ErrorResponse::new(
            StatusCode::FORBIDDEN,
            "access_denied",
            "the policy of this route refuses the request",
        )
        .challenge(Challenge::Plain),
        ErrorClass::Unavailable | ErrorClass::OperatorFault | ErrorClass::Fault => unavailable(),
        ErrorClass::ClientRefused | ErrorClass::UnusableResponse => ErrorResponse::new(
            StatusCode::BAD_GATEWAY,
            "bad_gateway",
            "the identity provider returned no usable response",
        ),
    }
}

fn upstream(fault: UpstreamFault) -> ErrorResponse {
    match fault {
        UpstreamFault::Timeout => ErrorResponse::new(
            StatusCode::GATEWAY_TIMEOUT,
            "gateway_timeout",
            "the upstream API did not respond in time",
        ),
        UpstreamFault::Unreachable
        | UpstreamFault::Framing
        | UpstreamFault::Unauthorized
        | UpstreamFault::NotRepeatable
        | UpstreamFault::Upgrade => bad_gateway(),
    }
}

fn invalid_token() -> ErrorResponse {
    ErrorResponse::new(
        StatusCode::UNAUTHORIZED,
        "invalid_token",
        "the token is not acceptable",
    )
    .challenge(Challenge::Coded("invalid_token"))
}

fn invalid_request(description: &'static str) -> ErrorResponse {
    ErrorResponse::new(StatusCode::BAD_REQUEST, "invalid_request", description)
        .challenge(Challenge::Coded("invalid_request"))
}

fn insufficient_scope(required: &ScopeSet) -> ErrorResponse {
    ErrorResponse::new(
        StatusCode::FORBIDDEN,
        "insufficient_scope",
        "the token does not have the required scope",
    )
    .challenge(Challenge::InsufficientScope(required.clone()))
}

/// Seconds after which a client may retry.
const RETRY_AFTER: u16 = 5;

fn unavailable() -> ErrorResponse {
    ErrorResponse::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "temporarily_unavailable",
        "the token cannot be exchanged at the moment",
    )
    .retry_after(RETRY_AFTER)
}

fn bad_gateway() -> ErrorResponse {
    ErrorResponse::new(
        StatusCode::BAD_GATEWAY,
        "bad_gateway",
        "the upstream API returned no usable response",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::every,
        exchange::ExchangeError,
        gate::{ChunkFault, PathAmbiguity},
        policy::PolicyError,
        telemetry::LeakPlace,
        verify::VerifyError,
    };

    fn malformed_ones() -> Vec<(Refusal, u16)> {
        vec![
            (GateError::MalformedHead(HeadFault::RequestLine).into(), 400),
            (GateError::MalformedHead(HeadFault::Target).into(), 400),
            (
                GateError::MalformedHead(HeadFault::TargetCharacter).into(),
                400,
            ),
            (GateError::MalformedHead(HeadFault::LineEnd).into(), 400),
            (GateError::MalformedHead(HeadFault::Control).into(), 400),
            (
                GateError::MalformedHead(HeadFault::ContentLength).into(),
                400,
            ),
            (
                GateError::MalformedHead(HeadFault::LengthAndCoding).into(),
                400,
            ),
            (
                GateError::MalformedHead(HeadFault::TransferCoding).into(),
                400,
            ),
            (GateError::MalformedHead(HeadFault::Stream).into(), 400),
            (GateError::MalformedBody(ChunkFault).into(), 400),
            (GateError::Host(HostFault::Missing).into(), 400),
            (GateError::Host(HostFault::Several).into(), 400),
            (GateError::Host(HostFault::Malformed).into(), 400),
            (GateError::TooManyFields.into(), 431),
        ]
    }

    fn one_of_each() -> Vec<(Refusal, u16)> {
        vec![
            (GateError::TargetTooLong { limit: 1 }.into(), 414),
            (GateError::HeadersTooLarge { limit: 1 }.into(), 431),
            (
                GateError::AmbiguousPath(PathAmbiguity::DotSegment).into(),
                400,
            ),
            (GateError::AuthorityMismatch.into(), 400),
            (GateError::MethodNotForwarded.into(), 405),
            (SourceError::NoCredentials.into(), 401),
            (SourceError::Malformed.into(), 400),
            (SourceError::Several.into(), 400),
            (SourceError::InQuery.into(), 400),
            (SourceError::TooLong { limit: 1 }.into(), 431),
            (Refusal::NoRoute, 404),
            (Refusal::TokenInTarget, 400),
            (Refusal::Audit, 503),
            (Refusal::WaitedTooLong, 503),
            (Refusal::Fault, 503),
            (Refusal::Leak(LeakPlace::ResponseHead), 502),
            (UpstreamFault::Unreachable.into(), 502),
            (UpstreamFault::Timeout.into(), 504),
            (UpstreamFault::Framing.into(), 502),
            (UpstreamFault::Unauthorized.into(), 502),
            (UpstreamFault::NotRepeatable.into(), 502),
            (UpstreamFault::Upgrade.into(), 502),
        ]
    }

    /// Every error of the verifier, the policy and the exchange, with the status of its response.
    fn of_stages() -> Vec<(Refusal, u16)> {
        let verify = every::verify_errors().into_iter().map(|error| {
            let unavailable = matches!(error, VerifyError::KeysUnavailable { .. });
            (error.into(), if unavailable { 503 } else { 401 })
        });
        let policy = every::policy_errors().into_iter().map(|error| {
            let unacceptable =
                matches!(error, PolicyError::NoLifetimeLeft | PolicyError::Lineage(_));
            (error.into(), if unacceptable { 401 } else { 403 })
        });
        let exchange = every::exchange_errors().into_iter().map(|error| {
            let status = match error {
                ExchangeError::Signing(_)
                | ExchangeError::Randomness(_)
                | ExchangeError::NoOpaqueKeys
                | ExchangeError::Sealing(_)
                | ExchangeError::NotAsPermitted(_)
                | ExchangeError::Unavailable(_) => 503,
                ExchangeError::TokenRefused { .. } => 401,
                ExchangeError::TargetRefused { .. } => 403,
                ExchangeError::ClientRefused { .. }
                | ExchangeError::Unusable(_)
                | ExchangeError::WiderThanPermitted(_) => 502,
            };
            (error.into(), status)
        });
        verify.chain(policy).chain(exchange).collect()
    }

    fn all() -> impl Iterator<Item = (Refusal, u16)> {
        let rest = one_of_each().into_iter().chain(malformed_ones());
        rest.chain(of_stages())
    }

    #[test]
    fn every_refusal_has_its_status_and_a_short_body_that_parses() {
        for (refusal, status) in all() {
            let response = refusal.response();
            assert_eq!(response.status.as_u16(), status, "{refusal}");
            let body = response.body();
            assert!(body.len() < 1_024);
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["error"], response.error);
            assert_eq!(body["error_description"], response.description);
        }
    }

    #[test]
    fn what_is_temporary_says_when_to_come_back_and_what_is_401_carries_a_challenge() {
        for (refusal, _) in all() {
            let response = refusal.response();
            assert_eq!(
                response.retry_after.is_some(),
                response.status == StatusCode::SERVICE_UNAVAILABLE,
                "{refusal}"
            );
            if response.status == StatusCode::UNAUTHORIZED {
                assert!(response.challenge.is_some(), "{refusal}");
            }
        }
    }

    #[test]
    fn every_reason_why_a_token_is_not_acceptable_reads_the_same() {
        let same = Refusal::from(VerifyError::Expired).response();
        for error in every::verify_errors() {
            let response = Refusal::from(error.clone()).response();
            let unacceptable = error.class() == ErrorClass::Unacceptable;
            assert_eq!(response == same, unacceptable, "{error}");
        }
    }

    #[test]
    fn a_token_that_the_provider_refuses_reads_like_one_that_the_gateway_refuses() {
        let same = Refusal::from(VerifyError::Expired).response();
        for error in every::exchange_errors() {
            let unacceptable = matches!(error, ExchangeError::TokenRefused { .. });
            let response = Refusal::from(error.clone()).response();
            assert_eq!(response == same, unacceptable, "{error}");
        }
    }

    #[test]
    fn only_what_a_provider_decided_about_the_token_is_definitive() {
        for error in every::exchange_errors() {
            let decided = matches!(
                error,
                ExchangeError::TokenRefused { .. } | ExchangeError::TargetRefused { .. }
            );
            let refusal = Refusal::from(error);
            assert_eq!(refusal.is_definitive(), decided, "{refusal}");
        }
    }

    #[test]
    fn the_documentation_of_a_refusal_names_its_status_and_its_code() {
        let page = include_str!("../../docs/refusals.md");
        for (refusal, status) in all() {
            let reason = format!("| `{}` | ", refusal.reason().as_str());
            let row = page.lines().find_map(|line| line.strip_prefix(&reason));
            let response = row.and_then(|row| row.split(" | ").next()).unwrap();
            let code = format!("`{}`", refusal.response().error);
            // no route refuses for a reason that only the token endpoint has: its page row says 400 alone
            if response.starts_with("400 ") && matches!(status, 401 | 403) {
                continue;
            }
            assert!(response.contains(&status.to_string()), "{reason}{response}");
            assert!(response.contains(&code), "{reason}{response}");
        }
    }
}
