//! The gateway's own error responses, as HTTP.

use crate::token::ScopeSet;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};

/// A response of the gateway itself to a client, instead of the upstream's.
///
/// The body is JSON with a fixed text, smaller than 1 KiB. It contains nothing of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorResponse {
    /// The status.
    pub status: StatusCode,
    /// `error` of the body.
    pub error: &'static str,
    /// `error_description` of the body.
    pub description: &'static str,
    /// The challenge, if any.
    pub challenge: Option<Challenge>,
    /// `Retry-After` in seconds.
    pub retry_after: Option<u16>,
    /// `true` if the connection is closed after the response.
    pub closes: bool,
}

/// A `WWW-Authenticate` challenge (RFC 6750 §3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// Without an error code.
    Plain,
    /// With an error code.
    Coded(&'static str),
    /// `insufficient_scope` with the required scopes.
    InsufficientScope(ScopeSet),
}

/// The protection space of every route (RFC 9110 §11.5).
const REALM: &str = "obo-gateway";

impl ErrorResponse {
    pub(super) fn new(status: StatusCode, error: &'static str, description: &'static str) -> Self {
        Self {
            status,
            error,
            description,
            challenge: None,
            retry_after: None,
            closes: false,
        }
    }

    pub(super) fn challenge(mut self, challenge: Challenge) -> Self {
        self.challenge = Some(challenge);
        self
    }

    pub(super) fn retry_after(mut self, seconds: u16) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub(super) fn closing(mut self) -> Self {
        self.closes = true;
        self
    }

    /// The response body.
    pub fn body(&self) -> Bytes {
        // both texts are constants without characters that JSON escapes; a test checks this
        Bytes::from(format!(
            r#"{{"error":"{}","error_description":"{}"}}"#,
            self.error, self.description
        ))
    }

    /// The header fields except Content-Length.
    ///
    /// `resource_metadata` is the URL of the protected resource metadata. It is added to the challenge (RFC 9728 §5.1).
    pub fn headers(&self, resource_metadata: Option<&str>) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = vec![
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            ),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        // scope tokens are visible ASCII, so this is always a valid value
        if let Some(Ok(value)) = self
            .challenge
            .as_ref()
            .map(|c| HeaderValue::from_str(&c.to_value(resource_metadata)))
        {
            headers.push((header::WWW_AUTHENTICATE, value));
        }
        if let Some(seconds) = self.retry_after {
            headers.push((header::RETRY_AFTER, HeaderValue::from(seconds)));
        }
        headers
    }
}

impl Challenge {
    fn to_value(&self, resource_metadata: Option<&str>) -> String {
        let mut value = format!(r#"Bearer realm="{REALM}""#);
        if let Some(url) = resource_metadata {
            value += &format!(r#", resource_metadata="{url}""#);
        }
        match self {
            Self::Plain => {}
            Self::Coded(code) => value += &format!(r#", error="{code}""#),
            Self::InsufficientScope(scope) => {
                value += &format!(r#", error="insufficient_scope", scope="{scope}""#);
            }
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_names_the_scope_that_is_needed() {
        let scope = ScopeSet::parse("orders.read orders.write").unwrap();
        let response = ErrorResponse::new(StatusCode::FORBIDDEN, "insufficient_scope", "x")
            .challenge(Challenge::InsufficientScope(scope));
        let value = response
            .headers(None)
            .into_iter()
            .find(|(name, _)| name == header::WWW_AUTHENTICATE)
            .unwrap()
            .1;
        assert_eq!(
            value,
            r#"Bearer realm="obo-gateway", error="insufficient_scope", scope="orders.read orders.write""#
        );
    }

    #[test]
    fn a_request_without_credentials_gets_a_challenge_without_an_error() {
        assert_eq!(
            Challenge::Plain.to_value(None),
            r#"Bearer realm="obo-gateway""#
        );
    }

    #[test]
    fn a_challenge_names_the_document_about_the_resource_where_there_is_one() {
        assert_eq!(
            Challenge::Coded("invalid_token").to_value(Some("https://a.example/m")),
            r#"Bearer realm="obo-gateway", resource_metadata="https://a.example/m", error="invalid_token""#
        );
    }
}
