//! A route as a protected resource: its name, and the URL of its metadata (RFC 9728).

use super::matcher::{HostPattern, Match, PathPattern};
use crate::settings::{Building, PublicUrl};
use url::Url;

/// The path prefix of all protected resource metadata. The resource's own path follows (RFC 9728 §3).
pub const RESOURCE_METADATA_PATH: &str = "/.well-known/oauth-protected-resource";

/// The name of a protected resource (RFC 9728 §1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceName {
    name: Box<str>,
    authority: Box<str>,
    document_path: Box<str>,
    metadata_url: Box<str>,
}

impl ResourceName {
    /// The name itself, as clients compare it.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// Host and port of the name.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path under which the metadata is served.
    pub fn document_path(&self) -> &str {
        &self.document_path
    }

    /// The URL of the metadata, for challenges (RFC 9728 §5.1).
    pub fn metadata_url(&self) -> &str {
        &self.metadata_url
    }

    /// Parses a configured name.
    pub(super) fn read(text: &str, building: &mut Building<'_>) -> Option<Self> {
        let resource = Self::parse(text);
        if resource.is_none() {
            building.findings.error_because(
                format!("expected the URL of the API as clients call it, found {text:?}"),
                "clients compare it with the URL that they call, and read its metadata on its host (RFC 9728)",
                "write e.g. https://api.example.com/orders, without query and fragment",
            );
        }
        resource
    }

    /// Returns the default name: `public_url` with the path that the route matches. A host that the route matches
    /// replaces the host of `public_url`.
    pub(super) fn of_match(public_url: &PublicUrl, matches: &Match) -> Option<Self> {
        let mut names = matches.hosts.iter().filter_map(|host| match host {
            HostPattern::Exact(name) => Some(name.as_ref()),
            HostPattern::AnyLabel(_) | HostPattern::Any => None,
        });
        let origin = match names.clone().any(|name| name == public_url.host()) {
            true => public_url.clone(),
            false => names
                .next()
                .map_or_else(|| public_url.clone(), |name| public_url.at_host(name)),
        };
        let (PathPattern::Exact(path) | PathPattern::Prefix(path)) = &matches.path;
        Self::parse(&format!("{origin}{path}"))
    }

    fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        plain.then_some(())?;
        let origin = url.origin().ascii_serialization();
        let (_, authority) = origin.split_once("://")?;
        // RFC 9728 §3.1: the well-known part is between host and path; a path of one slash is dropped
        let path = if url.path() == "/" { "" } else { url.path() };
        let document_path = format!("{RESOURCE_METADATA_PATH}{path}");
        let metadata_url = format!("{origin}{document_path}");
        // the URL must be valid within the quotes of a challenge
        (!metadata_url.contains(['"', '\\'])).then_some(())?;
        Some(Self {
            name: text.into(),
            authority: authority.into(),
            document_path: document_path.into(),
            metadata_url: metadata_url.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_stands_between_the_host_and_the_path() {
        for (name, document) in [
            (
                "https://a.example",
                "https://a.example/.well-known/oauth-protected-resource",
            ),
            (
                "https://a.example/",
                "https://a.example/.well-known/oauth-protected-resource",
            ),
            (
                "https://a.example:8443/v1/orders",
                "https://a.example:8443/.well-known/oauth-protected-resource/v1/orders",
            ),
        ] {
            let resource = ResourceName::parse(name).unwrap();
            assert_eq!(resource.metadata_url(), document);
            assert_eq!(resource.as_str(), name);
        }
    }

    #[test]
    fn what_clients_could_not_call_is_no_name() {
        for wrong in [
            "orders",
            "urn:example:orders",
            "https://a.example/x?y",
            "https://a.example/x#y",
            "https://u:p@a.example/x",
        ] {
            assert!(ResourceName::parse(wrong).is_none(), "{wrong}");
        }
    }
}
