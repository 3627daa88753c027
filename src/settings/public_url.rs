//! The origin under which clients reach a listener.

use std::{fmt, net::SocketAddr};
use url::Url;

/// Scheme, host and port, as clients write them (RFC 6454 §4).
#[derive(Clone, PartialEq, Eq)]
pub struct PublicUrl(Url);

impl PublicUrl {
    /// Parses an http or https URL without path, query, fragment and credentials.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        plain.then_some(Self(url))
    }

    /// Returns the URL of a listener that clients reach directly. Returns `None` if the address does not determine it:
    /// the port is chosen at the start, or it is a wildcard address.
    pub fn of_listener(address: SocketAddr, encrypted: bool) -> Option<Self> {
        if address.port() == 0 || address.ip().is_unspecified() {
            return None;
        }
        let scheme = if encrypted { "https" } else { "http" };
        Self::parse(&format!("{scheme}://{address}"))
    }

    /// Returns the host, an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Returns the URL with another host, or an unchanged URL if `host` is invalid.
    #[must_use]
    pub fn at_host(&self, host: &str) -> Self {
        let mut url = self.0.clone();
        // names that were matched against Host fields are valid hosts; otherwise the URL is unchanged
        let _ = url.set_host(Some(host));
        Self(url)
    }
}

impl fmt::Display for PublicUrl {
    /// Writes the URL without a slash at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.origin().ascii_serialization())
    }
}

impl fmt::Debug for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_an_origin() {
        for (text, origin) in [
            ("https://api.example.com", "https://api.example.com"),
            ("https://api.example.com/", "https://api.example.com"),
            ("http://localhost:8080", "http://localhost:8080"),
        ] {
            assert_eq!(PublicUrl::parse(text).unwrap().to_string(), origin);
        }
        for wrong in [
            "api.example.com",
            "https://api.example.com/v1",
            "https://api.example.com?x",
            "https://a@api.example.com",
            "ftp://api.example.com",
        ] {
            assert!(PublicUrl::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn an_address_that_says_too_little_gives_no_url() {
        let of = |text: &str, encrypted| {
            PublicUrl::of_listener(text.parse().unwrap(), encrypted).map(|url| url.to_string())
        };
        assert_eq!(of("0.0.0.0:8443", true), None);
        assert_eq!(of("127.0.0.1:0", false), None);
        assert_eq!(
            of("127.0.0.1:8080", false).unwrap(),
            "http://127.0.0.1:8080"
        );
        assert_eq!(of("[::1]:443", true).unwrap(), "https://[::1]");
    }
}
