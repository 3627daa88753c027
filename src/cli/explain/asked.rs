//! The imagined request to explain.

use crate::{proxy::ImaginedHead, source::TokenNeedle, token::RawToken};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use std::{
    fs,
    io::{self, Read},
    path::Path,
};
use thiserror::Error;

/// An imagined request. Its `Debug` output shows no value that may be a token.
#[derive(Debug, Clone)]
pub struct ImaginedRequest {
    head: ImaginedHead,
    host: String,
    needle: Option<TokenNeedle>,
}

/// Why the arguments do not describe a request. Never contains a token.
#[derive(Debug, Error)]
pub enum ImaginedRequestError {
    /// The method is invalid.
    #[error("--method: expected a method such as GET, found {found:?}")]
    Method {
        /// The given text.
        found: String,
    },
    /// The URL is invalid.
    #[error("--url: expected what a client calls, e.g. https://api.example.com/orders/7")]
    Url,
    /// A field has no colon, or an invalid name or value.
    #[error("--header: expected a field such as 'Origin: https://app.example.com'")]
    Header,
    /// The file with the token cannot be read.
    #[error("--token-file {file}: {error}")]
    TokenFile {
        /// The name of the file.
        file: String,
        /// Why it cannot be read.
        error: io::Error,
    },
    /// The token contains a byte that is not permitted in a header field.
    #[error(
        "--token-file: it contains a character that header fields cannot contain, such as a line break"
    )]
    Token,
}

impl ImaginedRequest {
    /// Creates a request with `method` for `url`, whose path and query are used as they are written.
    ///
    /// # Errors
    /// [`ImaginedRequestError::Method`] and [`ImaginedRequestError::Url`].
    pub fn new(method: &str, url: &str) -> Result<Self, ImaginedRequestError> {
        let method =
            Method::from_bytes(method.as_bytes()).map_err(|_| ImaginedRequestError::Method {
                found: method.to_owned(),
            })?;
        let (host, target) = split(url).ok_or(ImaginedRequestError::Url)?;
        let mut fields = HeaderMap::new();
        let value = HeaderValue::from_str(host).map_err(|_| ImaginedRequestError::Url)?;
        fields.insert(header::HOST, value);
        Ok(Self {
            head: ImaginedHead {
                method,
                target: target.into_bytes(),
                fields,
            },
            host: host.to_owned(),
            needle: None,
        })
    }

    /// Adds a field, written `Name: value`. A `Host` field replaces the host of the URL.
    ///
    /// # Errors
    /// [`ImaginedRequestError::Header`].
    pub fn header(mut self, field: &str) -> Result<Self, ImaginedRequestError> {
        let (name, value) = field.split_once(':').ok_or(ImaginedRequestError::Header)?;
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| ImaginedRequestError::Header)?;
        let mut value =
            HeaderValue::from_str(value.trim()).map_err(|_| ImaginedRequestError::Header)?;
        if name == header::HOST {
            self.host = String::from_utf8_lossy(value.as_bytes()).into_owned();
            self.head.fields.insert(name, value);
            return Ok(self);
        }
        if name == header::AUTHORIZATION {
            let words = value.as_bytes().rsplit(|byte| *byte == b' ');
            self.needle = words
                .take(1)
                .find_map(TokenNeedle::of_bytes)
                .or(self.needle);
        }
        value.set_sensitive(true);
        self.head.fields.append(name, value);
        Ok(self)
    }

    /// Adds `Authorization: Bearer` with `token`.
    ///
    /// # Errors
    /// [`ImaginedRequestError::Token`].
    pub fn bearer(mut self, token: &RawToken) -> Result<Self, ImaginedRequestError> {
        // the only place that needs the token's text: the field that a client would send
        let field = [b"Bearer ", token.expose()].concat();
        let mut value = HeaderValue::from_bytes(&field).map_err(|_| ImaginedRequestError::Token)?;
        value.set_sensitive(true);
        self.head.fields.append(header::AUTHORIZATION, value);
        self.needle = TokenNeedle::of(token);
        Ok(self)
    }

    /// Adds the token in `file`; `-` is standard input. Surrounding white space is ignored.
    pub(super) fn bearer_in(self, file: &Path) -> Result<Self, ImaginedRequestError> {
        let read = if file == Path::new("-") {
            let mut text = Vec::new();
            io::stdin().read_to_end(&mut text).map(|_| text)
        } else {
            fs::read(file)
        };
        let text = read.map_err(|error| ImaginedRequestError::TokenFile {
            file: file.display().to_string(),
            error,
        })?;
        self.bearer(&RawToken::new(Bytes::copy_from_slice(text.trim_ascii())))
    }

    pub(super) fn head(&self) -> &ImaginedHead {
        &self.head
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Returns the path without the query, which may contain confidential data.
    pub(super) fn path(&self) -> String {
        let path = self.head.target.split(|byte| *byte == b'?').next();
        String::from_utf8_lossy(path.unwrap_or_default()).into_owned()
    }

    /// Returns `text` for display, or a placeholder if it contains the token.
    pub(super) fn shown(&self, text: &str) -> String {
        let holds = self
            .needle
            .is_some_and(|needle| needle.is_in(text.as_bytes()));
        if holds {
            return "(contains the token)".to_owned();
        }
        text.to_owned()
    }
}

/// Splits a URL into host and target without changing a byte: a library would fix what the gateway refuses.
fn split(url: &str) -> Option<(&str, String)> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))?;
    // clients do not send the fragment
    let rest = rest.split('#').next()?;
    let ends = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, target) = rest.split_at_checked(ends)?;
    let fits = |byte: u8| byte > b' ' && byte != 0x7f;
    if host.is_empty() || host.contains('@') || !target.bytes().all(fits) {
        return None;
    }
    let slash = if target.starts_with('/') { "" } else { "/" };
    Some((host, format!("{slash}{target}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_url_is_taken_as_it_is_written() {
        for (url, host, target) in [
            ("https://a.example", "a.example", "/"),
            (
                "http://a.example:8080/x/../y?z=1#f",
                "a.example:8080",
                "/x/../y?z=1",
            ),
            ("http://[::1]:1//x", "[::1]:1", "//x"),
            ("http://a?x", "a", "/?x"),
        ] {
            assert_eq!(split(url), Some((host, target.to_owned())));
        }
    }

    #[test]
    fn what_no_client_would_send_is_no_url() {
        for url in [
            "",
            "/orders",
            "ftp://a/",
            "http:///x",
            "http://u@a/x",
            "http://a/x y",
        ] {
            assert!(ImaginedRequest::new("GET", url).is_err(), "{url}");
        }
        assert!(ImaginedRequest::new("G ET", "http://a").is_err());
    }

    #[test]
    fn a_copy_of_the_token_is_not_shown() {
        let token = RawToken::from("0123456789abcdef0123456789abcdef".to_owned());
        let asked = ImaginedRequest::new("GET", "http://a/")
            .unwrap()
            .bearer(&token)
            .unwrap();
        assert_eq!(
            asked.shown("/x/0123456789abcdef0123456789abcdef"),
            "(contains the token)"
        );
        assert_eq!(asked.shown("/x"), "/x");
        assert!(!format!("{asked:?}").contains("0123456789abcdef"));
    }
}
