//! Outbound URLs: absolute, without credentials, and https unless the host is this machine.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::{borrow::Cow, fmt};
use thiserror::Error;
use url::{Host, Url};

/// An absolute http or https URL that the gateway may call.
///
/// Plain http is accepted for loopback hosts only.
#[derive(Clone, PartialEq, Eq)]
pub struct OutboundUrl(Url);

/// Why a text is not an [`OutboundUrl`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UrlError {
    /// It is not an absolute http or https URL with a host.
    #[error("expected an absolute http or https URL, found {0:?}")]
    NotHttp(String),
    /// It contains a user name or password.
    #[error("a URL must not contain credentials")]
    Credentials,
    /// It has a fragment, which requests never contain.
    #[error("a URL must not have a fragment")]
    Fragment,
    /// Plain http to a host that is not loopback.
    #[error("plain http to {0:?} is not encrypted")]
    Unencrypted(String),
}

impl OutboundUrl {
    /// Parses and checks `text`.
    ///
    /// # Errors
    /// A [`UrlError`] that says what to change.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let checked = Self::parse_insecure(text)?;
        if checked.is_plain() && !checked.is_loopback() {
            return Err(UrlError::Unencrypted(checked.host().to_owned()));
        }
        Ok(checked)
    }

    /// Parses `text` if the operator has permitted plain http over a network.
    ///
    /// # Errors
    /// The same as [`Self::parse`], except for [`UrlError::Unencrypted`].
    pub fn parse_insecure(text: &str) -> Result<Self, UrlError> {
        let url = Url::parse(text).map_err(|_| UrlError::NotHttp(text.to_owned()))?;
        let has_host = url.host_str().is_some_and(|host| !host.is_empty());
        if !matches!(url.scheme(), "http" | "https") || !has_host {
            return Err(UrlError::NotHttp(text.to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::Credentials);
        }
        if url.fragment().is_some() {
            return Err(UrlError::Fragment);
        }
        Ok(Self(url))
    }

    /// Returns `true` if the scheme is http.
    pub fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// Returns `true` if the host is `localhost` or a loopback address (RFC 6761 §6.3, RFC 1122 §3.2.1.3).
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            // an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) is the IPv4 address
            Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
            None => false,
        }
    }

    /// Returns the host as written in a `Host` field, an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Returns the port, or the default port of the scheme.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(443)
    }

    /// Returns `host`, or `host:port` if the port is not the default of the scheme.
    pub fn authority(&self) -> String {
        match self.0.port() {
            Some(port) => format!("{}:{port}", self.host()),
            None => self.host().to_owned(),
        }
    }

    /// Returns the parsed URL.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

/// For settings that contain such a URL as text: `#[schemars(with = "OutboundUrl")]`.
impl JsonSchema for OutboundUrl {
    fn schema_name() -> Cow<'static, str> {
        "Url".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "An absolute https URL without credentials or fragment. Plain http is accepted only for loopback hosts.",
            "type": "string",
            "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://",
            "examples": ["https://idp.example.com"],
        })
    }
}

impl fmt::Display for OutboundUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for OutboundUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OutboundUrl({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_only() {
        assert!(OutboundUrl::parse("http://127.0.0.1:9000/keys").is_ok());
        assert!(OutboundUrl::parse("http://[::1]:9000/keys").is_ok());
        assert!(OutboundUrl::parse("http://localhost/keys").is_ok());
        assert!(OutboundUrl::parse("http://[::ffff:127.0.0.1]/keys").is_ok());
        assert!(OutboundUrl::parse("http://[::ffff:192.0.2.1]/keys").is_err());
        assert_eq!(
            OutboundUrl::parse("http://idp.example.com/keys"),
            Err(UrlError::Unencrypted("idp.example.com".into()))
        );
        assert!(OutboundUrl::parse("http://127.0.0.1.example.com/").is_err());
        assert!(OutboundUrl::parse("http://localhost.example.com/").is_err());
    }

    #[test]
    fn a_url_with_credentials_or_a_fragment_is_refused() {
        assert_eq!(
            OutboundUrl::parse("https://a:b@x.example/"),
            Err(UrlError::Credentials)
        );
        assert_eq!(
            OutboundUrl::parse("https://x.example/#a"),
            Err(UrlError::Fragment)
        );
        assert!(matches!(
            OutboundUrl::parse("ftp://x.example/"),
            Err(UrlError::NotHttp(_))
        ));
        assert!(matches!(
            OutboundUrl::parse("x.example"),
            Err(UrlError::NotHttp(_))
        ));
    }

    #[test]
    fn the_authority_names_the_port_only_where_it_is_unusual() {
        assert_eq!(
            OutboundUrl::parse("https://x.example:443/")
                .unwrap()
                .authority(),
            "x.example"
        );
        assert_eq!(
            OutboundUrl::parse("https://x.example:8443/")
                .unwrap()
                .authority(),
            "x.example:8443"
        );
    }
}
