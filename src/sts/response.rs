//! Responses to successful requests.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value};

/// The members of a successful response of the token endpoint (RFC 6749 §5.1, RFC 8693 §2.2.1).
pub struct TokenEndpointResponse(Map<String, Value>);

impl TokenEndpointResponse {
    /// Creates a response with these members, which include tokens.
    pub fn new(members: Map<String, Value>) -> Self {
        Self(members)
    }

    /// Returns the HTTP response.
    pub(super) fn response(self) -> Response<Bytes> {
        json(StatusCode::OK, Value::Object(self.0).to_string())
    }
}

/// Redacted, because the members include tokens.
impl std::fmt::Debug for TokenEndpointResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenEndpointResponse(redacted)")
    }
}

/// Returns a JSON document that must not be stored (RFC 6749 §5.1).
pub(super) fn json(status: StatusCode, body: String) -> Response<Bytes> {
    let mut response = unstored(status);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    *response.body_mut() = Bytes::from(body);
    response
}

/// Returns an empty response that must not be stored.
pub(super) fn unstored(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
