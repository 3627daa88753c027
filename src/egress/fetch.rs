//! One request, bounded in time and size.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use reqwest::{Client, Response};
use std::{error::Error, time::Duration};
use thiserror::Error;
use url::Url;

use super::address::AddressRefused;
use crate::clock::with_dates;

/// The maximum time of a request, from name resolution to the last byte.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// The maximum size of a body, in bytes.
pub const MAX_BODY: usize = 1 << 20;

/// A fetched document.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The body.
    pub body: Bytes,
    /// How long it may be cached (RFC 9111 §5.2.2.1). Zero for `no-store` and `no-cache`.
    pub max_age: Option<Duration>,
}

/// The reason why nothing was fetched.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EgressError {
    /// The host is, or resolves to, an address that is not allowed.
    #[error("the host resolves to an address that the gateway does not connect to")]
    AddressRefused,
    /// There is no connection, or its certificate could not be verified.
    #[error("no connection: {0}")]
    Connect(String),
    /// The status is not 200. This includes redirects.
    #[error("the response has the status {0}, expected 200")]
    Status(u16),
    /// The body is larger than [`MAX_BODY`].
    #[error("the response is larger than 1 MiB")]
    TooLarge,
    /// The connection was closed within the response.
    #[error("the response ended early")]
    BrokeOff,
    /// The request was not complete within [`DEADLINE`].
    #[error("no response within 5 s")]
    Deadline,
    /// No TLS library was installed at start.
    #[error("TLS is not set up")]
    NoTls,
    /// The runtime of the requests is shutting down.
    #[error("the gateway is shutting down")]
    Stopped,
}

pub(super) async fn fetch(client: Client, url: Url) -> Result<Fetched, EgressError> {
    tokio::time::timeout(DEADLINE, async {
        let response = client
            .get(url)
            .header(header::ACCEPT, "application/json")
            .send()
            .await
            .map_err(|error| explain(&error))?;
        if response.status() != StatusCode::OK {
            return Err(EgressError::Status(response.status().as_u16()));
        }
        let max_age = max_age(response.headers());
        let body = body(response).await?;
        Ok(Fetched { body, max_age })
    })
    .await
    .unwrap_or(Err(EgressError::Deadline))
}

async fn body(mut response: Response) -> Result<Bytes, EgressError> {
    let announced = response.content_length().unwrap_or(0);
    if usize::try_from(announced).map_or(true, |length| length > MAX_BODY) {
        return Err(EgressError::TooLarge);
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| EgressError::BrokeOff)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(EgressError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Finds the innermost cause, which says what happened ("connection refused", "invalid peer certificate"). The outer
/// errors only repeat the URL.
fn explain(error: &reqwest::Error) -> EgressError {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        if inner.is::<AddressRefused>() {
            return EgressError::AddressRefused;
        }
        cause = inner;
    }
    EgressError::Connect(with_dates(&cause.to_string()))
}

fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let directives = headers
        .get_all(header::CACHE_CONTROL)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|directive| directive.trim().to_ascii_lowercase());
    let mut age = None;
    for directive in directives {
        if directive == "no-store" || directive.starts_with("no-cache") {
            return Some(Duration::ZERO);
        }
        if let Some(seconds) = directive.strip_prefix("max-age=") {
            age = seconds
                .trim_matches('"')
                .parse()
                .ok()
                .map(Duration::from_secs);
        }
    }
    age
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_is_the_providers_word() {
        let age = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CACHE_CONTROL, text.parse().unwrap());
            max_age(&headers)
        };
        assert_eq!(age("public, max-age=300"), Some(Duration::from_secs(300)));
        assert_eq!(age("Max-Age=\"60\""), Some(Duration::from_secs(60)));
        assert_eq!(age("max-age=300, no-store"), Some(Duration::ZERO));
        assert_eq!(age("max-age=soon"), None);
        assert_eq!(age("private"), None);
    }
}
