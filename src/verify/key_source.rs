//! The sources from which an issuer's keys are fetched.

use crate::{
    egress::{Egress, EgressError, Reach},
    jose::{JwkSet, JwkSetError, SkippedKey},
    settings::{OutboundUrl, UrlError},
    token::{Claims, Limits},
};
use std::{io, path::PathBuf, time::Duration};
use thiserror::Error;

/// One source of keys.
#[derive(Debug)]
pub(super) enum KeySource {
    File(PathBuf),
    Uri(OutboundUrl),
    Discovery(Discovery),
    /// The gateway's own keys, as it publishes them.
    Published(Vec<u8>),
}

/// The issuer's metadata documents, in the order in which they are tried.
#[derive(Debug)]
pub(super) struct Discovery {
    issuer: Box<str>,
    base: OutboundUrl,
    /// `{issuer}/.well-known/openid-configuration` (OpenID Connect Discovery §4)
    openid: OutboundUrl,
    /// `/.well-known/oauth-authorization-server` inserted before the path (RFC 8414 §3)
    oauth: OutboundUrl,
}

/// The result of a fetch.
#[derive(Debug)]
pub(super) struct FetchedKeys {
    pub(super) set: JwkSet,
    pub(super) skipped: Vec<SkippedKey>,
    /// How long the keys may be cached according to the provider.
    pub(super) max_age: Option<Duration>,
}

/// The reason why no keys were fetched.
#[derive(Debug, Error)]
pub(super) enum SourceError {
    #[error("{document} could not be fetched from {url}")]
    Fetch {
        document: &'static str,
        /// The URL without its query.
        url: Box<str>,
        #[source]
        error: EgressError,
    },
    #[error("the key file {} could not be read", path.display())]
    File {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    #[error("the key set at {at} is not acceptable")]
    KeySet {
        /// The URL or path of the key set.
        at: Box<str>,
        #[source]
        error: JwkSetError,
    },
    #[error("the metadata at {url} is not a JSON object with an issuer and a jwks_uri")]
    Metadata { url: Box<str> },
    #[error("the metadata at {url} is that of the issuer {found:?}, expected {expected:?}")]
    OtherIssuer {
        url: Box<str>,
        expected: Box<str>,
        /// At most the first 200 characters.
        found: Box<str>,
    },
    #[error("the metadata at {url} names a jwks_uri that the gateway does not fetch")]
    JwksUri {
        url: Box<str>,
        #[source]
        error: UrlError,
    },
    #[error(
        "the metadata at {url} belongs to an issuer on another machine, but names a jwks_uri on this machine"
    )]
    LoopbackJwksUri { url: Box<str> },
}

const METADATA: &str = "the metadata";
const KEY_SET: &str = "the key set";

impl KeySource {
    /// The metadata documents of `issuer`, whose URL is `base`. Plain http to a host other than loopback is allowed if
    /// the operator allowed it for `base`.
    pub(super) fn discovery(issuer: &str, base: &OutboundUrl) -> Option<Self> {
        let url = base.url();
        let path = url.path().trim_end_matches('/');
        let at = |path: &str| {
            let mut url = url.clone();
            url.set_path(path);
            // `base` has already passed this check; only the rest of the URL is checked here
            OutboundUrl::parse_insecure(url.as_str()).ok()
        };
        Some(Self::Discovery(Discovery {
            issuer: issuer.into(),
            base: base.clone(),
            openid: at(&format!("{path}/.well-known/openid-configuration"))?,
            oauth: at(&format!("/.well-known/oauth-authorization-server{path}"))?,
        }))
    }

    /// Fetches the current keys. Invalid data and a set without a usable key are errors.
    pub(super) async fn fetch(&self, egress: &Egress) -> Result<FetchedKeys, SourceError> {
        match self {
            Self::File(path) => {
                let json = tokio::fs::read(path).await;
                let json = json.map_err(|error| SourceError::File {
                    path: path.clone(),
                    error,
                })?;
                FetchedKeys::parse_at(&path.display().to_string(), &json, None)
            }
            Self::Uri(url) => fetch_set(egress, url, Reach::Named).await,
            Self::Discovery(discovery) => {
                let (jwks_uri, reach) = discovery.jwks_uri(egress).await?;
                fetch_set(egress, &jwks_uri, reach).await
            }
            Self::Published(json) => FetchedKeys::parse_at("issuer.url", json, None),
        }
    }
}

impl FetchedKeys {
    pub(super) fn parse(json: &[u8], max_age: Option<Duration>) -> Result<Self, JwkSetError> {
        let (set, skipped) = JwkSet::parse(json)?;
        Ok(Self {
            set,
            skipped,
            max_age,
        })
    }

    /// Parses a key set that came from `at`, which errors name.
    fn parse_at(at: &str, json: &[u8], max_age: Option<Duration>) -> Result<Self, SourceError> {
        Self::parse(json, max_age).map_err(|error| SourceError::KeySet {
            at: at.into(),
            error,
        })
    }
}

async fn fetch_set(
    egress: &Egress,
    url: &OutboundUrl,
    reach: Reach,
) -> Result<FetchedKeys, SourceError> {
    let fetched = get(egress, url, reach, KEY_SET).await?;
    FetchedKeys::parse_at(&shown(url), &fetched.body, fetched.max_age)
}

async fn get(
    egress: &Egress,
    url: &OutboundUrl,
    reach: Reach,
    document: &'static str,
) -> Result<crate::egress::Fetched, SourceError> {
    let fetched = egress.get(url, reach).await;
    fetched.map_err(|error| SourceError::Fetch {
        document,
        url: shown(url),
        error,
    })
}

/// Returns the URL without its query, which may contain a secret.
fn shown(url: &OutboundUrl) -> Box<str> {
    let text = url.to_string();
    text.split(['?', '#']).next().unwrap_or_default().into()
}

impl Discovery {
    async fn jwks_uri(&self, egress: &Egress) -> Result<(OutboundUrl, Reach), SourceError> {
        const LIMITS: Limits = Limits {
            bytes: 1 << 20,
            depth: 16,
        };
        let mut asked = &self.openid;
        let fetched = match get(egress, asked, Reach::Named, METADATA).await {
            // servers with only RFC 8414 metadata respond to unknown paths in many ways: 400, 401, 403, 405
            Err(SourceError::Fetch {
                error: EgressError::Status(400..=499),
                ..
            }) => {
                asked = &self.oauth;
                get(egress, asked, Reach::Named, METADATA).await?
            }
            other => other?,
        };
        let malformed = || SourceError::Metadata { url: shown(asked) };
        let metadata = Claims::parse(&fetched.body, LIMITS).map_err(|_| malformed())?;
        let text = |name| metadata.required_text(name).map_err(|_| malformed());
        // RFC 8414 §3.3: the values must be identical, otherwise the document must not be used.
        let found = text("issuer")?;
        if found != &*self.issuer {
            return Err(SourceError::OtherIssuer {
                url: shown(asked),
                expected: self.issuer.clone(),
                found: found.chars().take(200).collect(),
            });
        }
        let named = text("jwks_uri")?;
        let url = self.checked(named).map_err(|error| SourceError::JwksUri {
            url: shown(asked),
            error,
        })?;
        let reach = self
            .reach(&url)
            .ok_or_else(|| SourceError::LoopbackJwksUri { url: shown(asked) })?;
        Ok((url, reach))
    }

    /// Allows plain http to a host other than loopback only for the issuer's own host, if the operator allowed it
    /// there.
    fn checked(&self, jwks_uri: &str) -> Result<OutboundUrl, UrlError> {
        let refused = match OutboundUrl::parse(jwks_uri) {
            Ok(url) => return Ok(url),
            Err(error) => error,
        };
        let insecure = OutboundUrl::parse_insecure(jwks_uri).ok();
        insecure
            .filter(|url| self.base.is_plain() && url.host() == self.base.host())
            .ok_or(refused)
    }

    /// The operator configured only the issuer's host. Any other host that a document names must have a public address.
    /// Returns `None` if the URL is loopback, but the issuer is on another machine.
    fn reach(&self, jwks_uri: &OutboundUrl) -> Option<Reach> {
        if jwks_uri.is_loopback() && !self.base.is_loopback() {
            return None;
        }
        let named = jwks_uri.is_loopback() || jwks_uri.host() == self.base.host();
        Some(if named { Reach::Named } else { Reach::Public })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discovery(issuer: &str) -> Discovery {
        let base = OutboundUrl::parse(issuer).unwrap();
        match KeySource::discovery(issuer, &base) {
            Some(KeySource::Discovery(discovery)) => discovery,
            _ => unreachable!(),
        }
    }

    #[test]
    fn the_well_known_documents_of_an_issuer_with_a_path() {
        for issuer in ["https://idp.example/t/1", "https://idp.example/t/1/"] {
            let documents = discovery(issuer);
            assert_eq!(
                documents.openid.to_string(),
                "https://idp.example/t/1/.well-known/openid-configuration"
            );
            assert_eq!(
                documents.oauth.to_string(),
                "https://idp.example/.well-known/oauth-authorization-server/t/1"
            );
        }
        assert_eq!(
            discovery("https://idp.example").oauth.to_string(),
            "https://idp.example/.well-known/oauth-authorization-server"
        );
    }

    #[test]
    fn plain_http_leads_to_the_issuers_own_host_alone_and_only_where_the_issuer_is_reached_so() {
        let insecure = |issuer: &str| {
            let base = OutboundUrl::parse_insecure(issuer).unwrap();
            match KeySource::discovery(issuer, &base) {
                Some(KeySource::Discovery(discovery)) => discovery,
                _ => unreachable!(),
            }
        };
        let keycloak = insecure("http://keycloak:8080/realms/x");
        assert_eq!(
            keycloak.openid.to_string(),
            "http://keycloak:8080/realms/x/.well-known/openid-configuration"
        );
        for url in [
            "http://keycloak:8080/keys",
            "http://keycloak/keys",
            "https://keys.example/",
        ] {
            assert!(keycloak.checked(url).is_ok(), "{url}");
        }
        for url in [
            "http://keys.example/",
            "http://keycloak.example/",
            "http://a@keycloak/",
        ] {
            assert!(keycloak.checked(url).is_err(), "{url}");
        }
        let https = discovery("https://idp.example");
        assert!(https.checked("http://idp.example/keys").is_err());
        assert!(https.checked("https://idp.example/keys").is_ok());
    }

    #[test]
    fn a_discovered_url_reaches_inside_only_where_the_issuer_does() {
        let reach =
            |issuer: &str, url: &str| discovery(issuer).reach(&OutboundUrl::parse(url).unwrap());
        let public = "https://idp.example";
        assert!(reach(public, "http://127.0.0.1:9000/keys").is_none());
        assert!(reach(public, "https://localhost/keys").is_none());
        assert_eq!(
            reach(public, "https://keys.example/").unwrap(),
            Reach::Public
        );
        assert_eq!(
            reach(public, "https://idp.example/keys").unwrap(),
            Reach::Named
        );
        let local = reach("http://127.0.0.1:1", "http://localhost:2/keys");
        assert_eq!(local.unwrap(), Reach::Named);
    }
}
