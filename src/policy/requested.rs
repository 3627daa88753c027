//! The requested scope, and the rule that decides whose permissions limit it.

use crate::{
    settings::{Building, fingerprint},
    token::ScopeSet,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names that request all scopes that the user has within the ceiling. They are never scopes themselves. The last one
/// is the spelling of the first in some printed documentation.
pub const MY_SCOPES: [&str; 3] = [
    "urn:opc:idm:__myscopes__",
    "__myscopes__",
    "urn:opc:idm:_myscopes_",
];

/// A requested scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestedScope {
    /// Only these scopes.
    Named(ScopeSet),
    /// All scopes of the user within the ceiling. The contained scopes were requested explicitly in addition.
    AllHeld(ScopeSet),
}

impl RequestedScope {
    /// Parses a request. If one of [`MY_SCOPES`] is among the names, it requests all scopes.
    pub fn of(names: &ScopeSet) -> Self {
        let named = names.filtered(|name| !MY_SCOPES.contains(&name));
        if named.len() < names.len() {
            Self::AllHeld(named)
        } else {
            Self::Named(named)
        }
    }

    /// The scopes that are requested by name.
    pub fn named(&self) -> &ScopeSet {
        match self {
            Self::Named(named) | Self::AllHeld(named) => named,
        }
    }

    /// Returns the requested scopes that a subject with the scopes `held` gets within `ceiling`.
    #[must_use]
    pub fn within(&self, ceiling: &ScopeSet, held: &ScopeSet) -> ScopeSet {
        let most = ceiling.intersection(held);
        match self {
            Self::Named(named) => most.intersection(named),
            Self::AllHeld(_) => most,
        }
    }
}

/// How the issued scope is computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScopeRule {
    /// The scopes that the subject has, the route allows and the calling client may get.
    #[default]
    Intersection,
    /// The scopes that the subject has and the route allows. The calling client's `allow` does not limit them if the
    /// client has `user_only` too.
    UserOnly,
}

fingerprint!(ScopeRule = Intersection | UserOnly);

/// A compiled [`ScopeRule`]: the scopes that only the user's permissions limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct UserScopes(Option<Box<str>>);

impl UserScopes {
    /// Compiles `rule` and `rule_prefix`, which belong together.
    pub(super) fn build(
        rule: ScopeRule,
        prefix: Option<&str>,
        building: &mut Building<'_>,
    ) -> Self {
        match (rule, prefix) {
            (ScopeRule::Intersection, None) => Self(None),
            (ScopeRule::Intersection, Some(_)) => {
                building.within("rule_prefix", |b| {
                    b.findings.error(
                        "there is no rule for scopes with a prefix",
                        "add rule: user_only, or remove it",
                    );
                });
                Self(None)
            }
            (ScopeRule::UserOnly, None) => Self(Some("".into())),
            (ScopeRule::UserOnly, Some(prefix)) => {
                if prefix.is_empty() {
                    building.within("rule_prefix", |b| {
                        b.findings.error(
                            "expected the prefix of the scopes that the rule applies to",
                            "write the prefix, or remove rule_prefix to apply the rule to all scopes",
                        );
                    });
                }
                Self(Some(prefix.into()))
            }
        }
    }

    /// Compiles settings that [`Self::build`] has already checked.
    pub(super) fn of(rule: ScopeRule, prefix: Option<&str>) -> Self {
        match rule {
            ScopeRule::Intersection => Self(None),
            ScopeRule::UserOnly => Self(Some(prefix.unwrap_or_default().into())),
        }
    }

    /// Returns `true` if `scope` is limited only by the user's permissions.
    pub(super) fn include(&self, scope: &str) -> bool {
        self.0
            .as_deref()
            .is_some_and(|prefix| scope.starts_with(prefix))
    }

    /// Returns `true` if there are any such scopes.
    pub(super) fn is_some(&self) -> bool {
        self.0.is_some()
    }
}

/// Reports names that request all scopes. They cannot be configured as scopes.
pub(super) fn check_names(names: &ScopeSet, building: &mut Building<'_>) {
    for name in MY_SCOPES.iter().filter(|name| names.contains(name)) {
        building.findings.error_because(
            format!("{name} is not a scope"),
            "it requests all scopes of a user, but no user has a scope of this name",
            "list the scopes themselves",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> ScopeSet {
        ScopeSet::parse(text).unwrap()
    }

    #[test]
    fn my_scopes_ask_for_all_that_is_held_within_the_ceiling_and_for_no_more() {
        let (ceiling, held) = (set("a b c"), set("b c d"));
        for name in MY_SCOPES {
            let requested = RequestedScope::of(&set(&format!("{name} a x")));
            assert_eq!(requested, RequestedScope::AllHeld(set("a x")));
            assert_eq!(requested.within(&ceiling, &held), set("b c"));
        }
        for other in [
            "__myscopes",
            "_myscopes_",
            "urn:opc:idm:_myscopes",
            "urn:opc:idm:_MyScopes_",
        ] {
            let names = set(&format!("a b d x {other}"));
            let requested = RequestedScope::of(&names);
            assert_eq!(requested.within(&ceiling, &held), set("b"), "{other}");
            assert_eq!(requested.named(), &names);
        }
    }
}
