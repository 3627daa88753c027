//! Outbound URLs: absolute, without credentials, encrypted unless they stay on this machine.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::{borrow::Cow, fmt};
use thiserror::Error;
use url::{Host, Url};

/// An absolute http or https URL that the gateway may call.
///
/// Plain http is accepted for loopback hosts only.
#[derive(Clone, PartialEq, Eq)]
pub struct OutboundUrl(Url);

/// Why a text is no [`OutboundUrl`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UrlError {
    /// It does not parse as an absolute http or https URL with a host.
    #[error("expected an absolute http or https URL, found {0:?}")]
    NotHttp(String),
    /// It carries a user name or password.
    #[error("a URL must not carry credentials")]
    Credentials,
    /// It has a fragment, which no request carries.
    #[error("a URL that is called has no fragment")]
    Fragment,
    /// Plain http to a host that is not loopback.
    #[error("plain http reaches {0:?} unencrypted")]
    Unencrypted(String),
}

impl OutboundUrl {
    /// Reads and checks `text`.
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

    /// Reads `text` where the operator said that plain http over a network is meant.
    ///
    /// # Errors
    /// As [`Self::parse`], but for [`UrlError::Unencrypted`].
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

    /// Whether the scheme is http.
    pub fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// Whether the host is `localhost` or a loopback address (RFC 6761 §6.3, RFC 1122 §3.2.1.3).
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            // an IPv4 address in the form of IPv6 (RFC 4291 §2.5.5.2) is that address
            Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
            None => false,
        }
    }

    /// The host as written in a `Host` field, an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The port, the scheme's own where none is written.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(443)
    }

    /// `host` or `host:port` where the port is not the scheme's own.
    pub fn authority(&self) -> String {
        match self.0.port() {
            Some(port) => format!("{}:{port}", self.host()),
            None => self.host().to_owned(),
        }
    }

    /// The parsed URL.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

/// For settings that hold the text of one: `#[schemars(with = "OutboundUrl")]`.
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
