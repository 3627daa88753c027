//! Narrower scopes for some methods and paths of a route (`exchange.scope.operations`).
//!
//! The method and the path below the route's prefix select one operation. If a route has operations and none matches,
//! the request is refused. The most specific operation wins, as with routes: the longest prefix, and then operations
//! with methods before those without. Two equal operations are refused at load.

use super::RequestedScope;
use crate::{
    settings::{Building, fingerprint},
    token::ScopeSet,
};
use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

/// One operation of an API: a narrower scope for some methods and paths of a route.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationSettings {
    /// The HTTP methods of this operation. Default: any method.
    #[serde(default)]
    pub methods: Vec<String>,
    /// A path relative to the route's prefix. It matches this path and everything below it, on segment boundaries.
    /// Default: the whole route.
    #[schemars(regex(pattern = "^(/[^/?#]+)+$"))]
    pub prefix: Option<String>,
    /// The scopes of tokens issued for this operation. They must be part of the route's `allow`.
    pub scope: ScopeSet,
    /// Scopes that the presented token must have, in addition to those that the route requires.
    #[serde(default)]
    pub require: ScopeSet,
}

fingerprint!(OperationSettings {
    fields: [methods, prefix, scope, require],
});

/// One compiled operation.
#[derive(Debug, Clone)]
pub struct Operation {
    label: Box<str>,
    /// Empty means any method.
    methods: Vec<Method>,
    /// Without a trailing slash. Empty for the whole route.
    prefix: Box<str>,
    pub(super) requested: RequestedScope,
    pub(super) require: ScopeSet,
}

/// The operation of a route's policy that a request matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationId(usize);

/// The operations of one route, the most specific first.
#[derive(Debug, Clone, Default)]
pub struct Operations(Vec<Operation>);

impl OperationId {
    /// The position among the operations of the route, the most specific first, from 0.
    pub fn position(self) -> usize {
        self.0
    }
}

impl Operations {
    /// Compiles the operations. `allow` is the route's ceiling.
    pub(super) fn build(
        settings: &[OperationSettings],
        allow: &ScopeSet,
        building: &mut Building<'_>,
    ) -> Option<Self> {
        let before = building.findings.errors();
        let mut operations: Vec<Operation> = Vec::new();
        for (position, item) in settings.iter().enumerate() {
            building.within(position, |b| {
                item.check_scope(allow, b);
                let Some(operation) = item.compile(b) else {
                    return;
                };
                if let Some(other) = operations.iter().find(|other| operation.equals(other)) {
                    b.findings.error(
                        format!("matches the same requests as {:?}", other.label),
                        "write another prefix or other methods for one of them",
                    );
                }
                operations.push(operation);
            });
        }
        operations.sort_by_key(|operation| {
            let specific = (operation.prefix.len(), !operation.methods.is_empty());
            std::cmp::Reverse(specific)
        });
        (building.findings.errors() == before).then_some(Self(operations))
    }

    /// Returns `true` if the route has no operations.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the operation of a request with `method`. `rest` is its path below the route's prefix: empty, or with a
    /// leading slash.
    pub fn find(&self, method: &Method, rest: &str) -> Option<OperationId> {
        self.0
            .iter()
            .position(|operation| operation.serves(method, rest))
            .map(OperationId)
    }

    /// All operations, the most specific first.
    pub fn iter(&self) -> impl Iterator<Item = &Operation> {
        self.0.iter()
    }

    /// Returns the operation that [`Self::find`] returned.
    pub fn get(&self, id: OperationId) -> Option<&Operation> {
        self.0.get(id.0)
    }
}

impl Operation {
    /// The operation as text, for example `GET,POST /bulk`. Labels are unique within a route.
    pub fn label(&self) -> &str {
        &self.label
    }

    fn serves(&self, method: &Method, rest: &str) -> bool {
        let below = rest
            .strip_prefix(&*self.prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        below && (self.methods.is_empty() || self.methods.contains(method))
    }

    /// Returns `true` if a request can match both and neither is more specific.
    fn equals(&self, other: &Self) -> bool {
        let both_any = self.methods.is_empty() && other.methods.is_empty();
        self.prefix == other.prefix
            && (both_any || self.methods.iter().any(|m| other.methods.contains(m)))
    }
}

impl OperationSettings {
    fn check_scope(&self, allow: &ScopeSet, building: &mut Building<'_>) {
        let beyond = self.scope.difference(allow);
        building.within("scope", |b| {
            if !beyond.is_empty() {
                b.findings.error_because(
                    format!("not allowed by the route: {beyond}"),
                    "an operation cannot have more scopes than its route",
                    "add it to scope.allow, or remove it here",
                );
            } else if self.scope.is_empty() && !allow.is_empty() {
                b.findings.error_because(
                    "expected at least one scope, found none",
                    "an API could treat a token without scope as unrestricted",
                    "list the scopes of scope.allow that this operation needs",
                );
            }
        });
        building.within("require", |b| {
            super::requested::check_names(&self.require, b)
        });
    }

    fn compile(&self, building: &mut Building<'_>) -> Option<Operation> {
        let before = building.findings.errors();
        let methods = building.within("methods", |b| compile_methods(&self.methods, b));
        let prefix = self.prefix.as_deref().unwrap_or_default();
        if self.prefix.is_some() {
            building.within("prefix", |b| check_prefix(prefix, b));
        }
        let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
        let names = if names.is_empty() {
            "*".to_owned()
        } else {
            names.join(",")
        };
        let shown = if prefix.is_empty() { "/" } else { prefix };
        (building.findings.errors() == before).then(|| Operation {
            label: format!("{names} {shown}").into(),
            methods,
            prefix: prefix.into(),
            requested: RequestedScope::Named(self.scope.clone()),
            require: self.require.clone(),
        })
    }
}

fn compile_methods(names: &[String], building: &mut Building<'_>) -> Vec<Method> {
    let mut methods = Vec::new();
    for (position, name) in names.iter().enumerate() {
        let method = Method::from_bytes(name.as_bytes()).ok().filter(|method| {
            *method == name.to_ascii_uppercase().as_str()
                && !matches!(*method, Method::TRACE | Method::CONNECT)
        });
        match method {
            Some(method) if methods.contains(&method) => {}
            Some(method) => methods.push(method),
            None => building.within(position, |b| {
                b.findings.error(
                    format!("expected a method in capitals, found {name:?}"),
                    "write e.g. GET; TRACE and CONNECT are never forwarded",
                );
            }),
        }
    }
    methods.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    methods
}

/// Requires a prefix with only one spelling. A character that can also be percent-encoded would allow the same path to
/// match a different operation.
fn check_prefix(prefix: &str, building: &mut Building<'_>) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    if let Err(error) = crate::gate::check_path(prefix) {
        building.findings.error_because(
            format!("{prefix:?} is not a valid path: {error}"),
            "requests with such a path are refused",
            "write a path below the route's prefix, e.g. /bulk",
        );
    } else if prefix.ends_with('/') {
        building.findings.error(
            "a prefix must not end with a slash",
            "write e.g. /bulk, or remove prefix for the whole route",
        );
    } else if !prefix.bytes().all(plain) {
        building.findings.error_because(
            format!("{prefix:?} can be written in more than one way"),
            "a request that percent-encodes a character would match another operation",
            "use letters, digits and - . _ ~ only, e.g. by ending the prefix one segment earlier",
        );
    }
}

#[cfg(test)]
mod tests;
