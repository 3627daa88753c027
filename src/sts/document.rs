//! A public document: its media type and its content, written once.

use bytes::Bytes;
use http::HeaderValue;
use serde_json::{Map, Value};

/// A public document.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) content_type: HeaderValue,
    pub(super) body: Bytes,
}

impl Document {
    /// Creates a JSON document.
    pub(super) fn json(members: Map<String, Value>) -> Self {
        Self::new("application/json", Value::Object(members).to_string())
    }

    pub(super) fn new(content_type: &'static str, body: String) -> Self {
        Self {
            content_type: HeaderValue::from_static(content_type),
            body: Bytes::from(body),
        }
    }
}
