//! Error responses (RFC 6749 §5.2, RFC 8693 §2.2.2).

use super::{
    Unread,
    response::{json, unstored},
};
use crate::telemetry::Reason;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json as value};
use std::time::Duration;

/// A refusal. Its texts are fixed and contain nothing of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OAuthError {
    status: StatusCode,
    /// The code and the description; `None` for a response without a body.
    shown: Option<(&'static str, &'static str)>,
    extra: Option<(header::HeaderName, HeaderValue)>,
    reason: Reason,
}

/// How a client tried to authenticate. If it used a field, the response has a challenge for it (RFC 6749 §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tried {
    /// With an Authorization field.
    Field,
    /// In another way, or not at all.
    Otherwise,
}

const BASIC: HeaderValue =
    HeaderValue::from_static(r#"Basic realm="obo-gateway", charset="UTF-8""#);
/// Retry-After in seconds, for temporary errors with no better value.
const RETRY_AFTER: u16 = 5;

impl OAuthError {
    /// 400 with this code and description.
    pub(super) fn bad_request(
        code: &'static str,
        description: &'static str,
        reason: Reason,
    ) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            shown: Some((code, description)),
            extra: None,
            reason,
        }
    }

    /// A request that cannot be understood.
    pub(super) fn invalid_request(description: &'static str) -> Self {
        Self::bad_request("invalid_request", description, Reason::MalformedForm)
    }

    /// The client could not be authenticated; all reasons have the same description.
    pub(super) fn invalid_client(tried: Tried) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            shown: Some(("invalid_client", "the client could not be authenticated")),
            extra: (tried == Tried::Field).then_some((header::WWW_AUTHENTICATE, BASIC)),
            reason: Reason::ClientAuthentication,
        }
    }

    /// A grant that this gateway does not offer.
    pub(super) fn unsupported_grant_type() -> Self {
        Self::bad_request(
            "unsupported_grant_type",
            "this grant type is not offered",
            Reason::GrantNotOffered,
        )
    }

    /// This gateway has no sign-in.
    pub(super) fn unsupported_response_type() -> Self {
        Self::bad_request(
            "unsupported_response_type",
            "this service has no sign-in",
            Reason::GrantNotOffered,
        )
    }

    /// Something that the response needs is unavailable: a fault, not a decision.
    pub(super) fn unavailable(reason: Reason) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            shown: Some((
                "temporarily_unavailable",
                "the request cannot be processed at the moment",
            )),
            extra: Some((header::RETRY_AFTER, RETRY_AFTER.into())),
            reason,
        }
    }

    /// Too many requests; the next one may come after `wait`.
    pub(super) fn too_many_requests(wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            shown: Some(("rate_limited", "too many requests")),
            extra: Some((header::RETRY_AFTER, seconds.max(1).into())),
            reason: Reason::RateLimited,
        }
    }

    /// A method that the endpoint does not accept (RFC 9110 §15.5.6).
    pub(super) fn method_not_allowed(allow: &'static str) -> Self {
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            shown: None,
            extra: Some((header::ALLOW, HeaderValue::from_static(allow))),
            reason: Reason::MalformedForm,
        }
    }

    /// The body was not read.
    pub(super) fn unread(why: Unread) -> Self {
        let (status, description) = match why {
            Unread::TooLong => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body is longer than 64 KiB",
            ),
            Unread::TooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "the body was not received in time",
            ),
        };
        Self {
            status,
            shown: Some(("invalid_request", description)),
            extra: None,
            reason: Reason::BodyRefused,
        }
    }

    /// Returns the reason for logs and metrics.
    pub(super) fn reason(&self) -> Reason {
        self.reason
    }

    /// Returns the error with another code, if it is a 400.
    pub(super) fn with_code(self, code: &'static str) -> Self {
        let shown = match self.shown {
            Some((_, description)) if self.status == StatusCode::BAD_REQUEST => {
                Some((code, description))
            }
            shown => shown,
        };
        Self { shown, ..self }
    }

    /// Returns the HTTP response; its extensions contain the [`Reason`].
    pub(super) fn response(self) -> Response<Bytes> {
        self.response_with(
            |code, description| value!({ "error": code, "error_description": description }),
        )
    }

    /// Returns the HTTP response with the body that `body` creates from code and description.
    pub(super) fn response_with(
        self,
        body: impl FnOnce(&'static str, &'static str) -> Value,
    ) -> Response<Bytes> {
        let mut response = match self.shown {
            None => unstored(self.status),
            Some((code, description)) => json(self.status, body(code, description).to_string()),
        };
        if let Some((name, value)) = self.extra {
            response.headers_mut().insert(name, value);
        }
        response.extensions_mut().insert(self.reason);
        response
    }
}
