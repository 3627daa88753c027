//! The match of one route: hosts, a path prefix or an exact path, and methods.

use crate::settings::{Building, exactly_one, fingerprint};
use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt;

/// Which requests a route serves: exactly one of `prefix` and `exact`, optionally restricted by `hosts` and
/// `methods`. The most specific route wins. Two equal routes are an error.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = exactly_one(&["prefix", "exact"]))]
pub struct MatchSettings {
    /// Host names without a port: full names, or names with `*` as the first label (`*.example.com`). Default: any
    /// host.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// A path and everything below it, on segment boundaries: `/orders` matches `/orders` and `/orders/7`, not
    /// `/orders2`.
    #[schemars(regex(pattern = "^/"))]
    pub prefix: Option<String>,
    /// A single path.
    #[schemars(regex(pattern = "^/"))]
    pub exact: Option<String>,
    /// HTTP methods, for example `[GET, HEAD]`. Default: any method. A method that no route accepts gets 404.
    #[serde(default)]
    pub methods: Vec<String>,
}

fingerprint!(MatchSettings {
    fields: [hosts, prefix, exact, methods],
});

/// A compiled match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) hosts: Vec<HostPattern>,
    pub(super) path: PathPattern,
    /// Empty means any method.
    pub(super) methods: Vec<Method>,
}

/// The hosts that a route matches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum HostPattern {
    /// One name, in lower case.
    Exact(Box<str>),
    /// Any single label before this parent, which is in lower case and without its leading dot.
    AnyLabel(Box<str>),
    /// Any host.
    Any,
}

/// The paths that a route matches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum PathPattern {
    /// One path.
    Exact(Box<str>),
    /// A path without trailing slash, and all paths below it. Empty for every path.
    Prefix(Box<str>),
}

impl PathPattern {
    pub(super) fn is_at_or_below(&self, path: &str) -> bool {
        let (Self::Exact(own) | Self::Prefix(own)) = self;
        own.strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl Match {
    /// Returns the rest of a matching path: empty, or the part after the prefix.
    pub(super) fn below<'a>(&self, path: &'a str) -> &'a str {
        match &self.path {
            PathPattern::Exact(_) => "",
            // most routes have the prefix `/`; a comparison of zero bytes at a dangling address can cost hundreds of
            // cycles
            PathPattern::Prefix(prefix) if prefix.is_empty() => path,
            PathPattern::Prefix(prefix) => path.strip_prefix(prefix.as_ref()).unwrap_or_default(),
        }
    }

    /// Replaces the matched part by `replacement`, joined to the rest with one slash.
    pub(super) fn rewrite(&self, path: &str, replacement: &str) -> String {
        let rest = self.below(path);
        if rest.is_empty() {
            return replacement.to_owned();
        }
        format!(
            "{}/{}",
            replacement.trim_end_matches('/'),
            rest.trim_start_matches('/')
        )
    }

    /// Reverses [`Self::rewrite`]: returns the path that becomes `path`, if there is one.
    pub(super) fn restore(&self, path: &str, replacement: &str) -> Option<String> {
        match &self.path {
            PathPattern::Exact(own) => (path == replacement).then(|| own.to_string()),
            PathPattern::Prefix(prefix) => {
                let rest = path.strip_prefix(replacement.trim_end_matches('/'))?;
                let whole_segments = rest.is_empty() || rest.starts_with('/');
                let restored = format!("{prefix}{rest}");
                whole_segments.then(|| {
                    if restored.is_empty() {
                        "/".to_owned()
                    } else {
                        restored
                    }
                })
            }
        }
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<String> = self.hosts.iter().map(HostPattern::to_string).collect();
        let methods: Vec<&str> = self.methods.iter().map(Method::as_str).collect();
        match &self.path {
            PathPattern::Exact(path) => write!(f, "exact {path}")?,
            PathPattern::Prefix(prefix) if prefix.is_empty() => f.write_str("prefix /")?,
            PathPattern::Prefix(prefix) => write!(f, "prefix {prefix}")?,
        }
        write!(f, ", host {}, method ", hosts.join(" or "))?;
        match methods.as_slice() {
            [] => f.write_str("any"),
            methods => f.write_str(&methods.join(" or ")),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::AnyLabel(parent) => write!(f, "*.{parent}"),
            Self::Any => f.write_str("any"),
        }
    }
}

impl MatchSettings {
    pub(super) fn build(&self, building: &mut Building<'_>) -> Option<Match> {
        let before = building.findings.errors();
        let path = self.path(building);
        let hosts = self.hosts(building);
        let methods = self.methods(building);
        (building.findings.errors() == before).then_some(Match {
            hosts,
            path: path?,
            methods,
        })
    }

    fn path(&self, building: &mut Building<'_>) -> Option<PathPattern> {
        let (key, text) = match (&self.prefix, &self.exact) {
            (Some(prefix), None) => ("prefix", prefix),
            (None, Some(exact)) => ("exact", exact),
            (None, None) | (Some(_), Some(_)) => {
                building.findings.error(
                    "expected exactly one of prefix and exact",
                    "write prefix: /orders, or exact: /orders",
                );
                return None;
            }
        };
        building.within(key, |b| {
            if let Err(error) = crate::gate::check_path(text) {
                b.findings.error_because(
                    format!("{text:?} is not a valid path: {error}"),
                    "requests with such a path are refused",
                    "write a path that starts with one slash and has no dot segments, e.g. /orders",
                );
                return None;
            }
            if key == "exact" {
                return Some(PathPattern::Exact(text.as_str().into()));
            }
            let prefix = text.strip_suffix('/').unwrap_or(text);
            if prefix.len() < text.len() && !prefix.is_empty() {
                b.findings.error(
                    "a prefix must not end with a slash",
                    format!("write {prefix}: it matches {prefix} and everything below it"),
                );
                return None;
            }
            Some(PathPattern::Prefix(prefix.into()))
        })
    }

    fn hosts(&self, building: &mut Building<'_>) -> Vec<HostPattern> {
        if self.hosts.is_empty() {
            return vec![HostPattern::Any];
        }
        let patterns = self.hosts.iter().enumerate().map(|(position, host)| {
            let host = host.to_ascii_lowercase();
            let (pattern, name) = match host.strip_prefix("*.") {
                Some(parent) => (HostPattern::AnyLabel(parent.into()), parent),
                None => (HostPattern::Exact(host.as_str().into()), host.as_str()),
            };
            if !is_host(name) {
                building.within("hosts", |b| {
                    b.within(position, |b| {
                        b.findings.error(
                            format!("expected a host name without scheme and port, found {host:?}"),
                            "write api.example.com, or *.example.com for any one label",
                        );
                    });
                });
            }
            pattern
        });
        patterns.collect()
    }

    fn methods(&self, building: &mut Building<'_>) -> Vec<Method> {
        let methods = self
            .methods
            .iter()
            .enumerate()
            .filter_map(|(position, name)| {
                let method = Method::from_bytes(name.as_bytes()).ok().filter(|method| {
                    *method == name.to_ascii_uppercase().as_str()
                        && !matches!(*method, Method::TRACE | Method::CONNECT)
                });
                if method.is_none() {
                    building.within("methods", |b| {
                        b.within(position, |b| {
                            b.findings.error(
                                format!("expected a method in capitals, found {name:?}"),
                                "write e.g. GET; TRACE and CONNECT are never forwarded",
                            );
                        });
                    });
                }
                method
            });
        methods.collect()
    }
}

/// Returns `true` for a host name or an address literal, as in a Host field without port.
fn is_host(name: &str) -> bool {
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let of_literal = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    match name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(literal) => !literal.is_empty() && literal.bytes().all(of_literal),
        None => !name.is_empty() && !name.starts_with('.') && name.bytes().all(of_name),
    }
}
