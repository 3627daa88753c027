//! The scope rule `intersection`: subject ∩ route, checked after everything is expanded.

use super::PolicyError;
use crate::token::ScopeSet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to scopes of the ceiling that the subject does not hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Excess {
    /// What the subject holds of it is issued.
    #[default]
    Drop,
    /// The request is refused unless the subject holds all of it: 403 `insufficient_scope`.
    Refuse,
}

/// The scope rules of a route.
#[derive(Debug, Clone)]
pub struct ScopePolicy {
    allow: ScopeSet,
    require: ScopeSet,
    excess: Excess,
}

impl ScopePolicy {
    pub(super) fn new(allow: ScopeSet, require: ScopeSet, excess: Excess) -> Self {
        Self {
            allow,
            require,
            excess,
        }
    }

    /// The route's ceiling.
    pub fn allow(&self) -> &ScopeSet {
        &self.allow
    }

    /// What is issued to a subject that holds `held`.
    ///
    /// # Errors
    /// [`PolicyError::ScopeNotHeld`] and [`PolicyError::NoScopeLeft`]. An empty result is a refusal, not a token that
    /// some API might take for unlimited, unless the route says that its API uses no scopes.
    pub fn narrow(&self, held: &ScopeSet) -> Result<ScopeSet, PolicyError> {
        let wanted = match self.excess {
            Excess::Drop => self.require.clone(),
            Excess::Refuse => self.require.union(&self.allow),
        };
        let missing = wanted.difference(held);
        if !missing.is_empty() {
            return Err(PolicyError::ScopeNotHeld { wanted, missing });
        }
        let granted = held.intersection(&self.allow);
        if granted.is_empty() && !self.allow.is_empty() {
            return Err(PolicyError::NoScopeLeft {
                allowed: self.allow.clone(),
            });
        }
        Ok(granted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> ScopeSet {
        ScopeSet::parse(text).unwrap()
    }

    #[test]
    fn what_the_subject_lacks_is_dropped_or_refused_as_the_route_says() {
        let allow = set("orders.read orders.write");
        let lenient = ScopePolicy::new(allow.clone(), ScopeSet::empty(), Excess::Drop);
        assert_eq!(
            lenient.narrow(&set("orders.read mail")),
            Ok(set("orders.read"))
        );
        let strict = ScopePolicy::new(allow.clone(), ScopeSet::empty(), Excess::Refuse);
        assert_eq!(
            strict.narrow(&set("orders.read mail")),
            Err(PolicyError::ScopeNotHeld {
                wanted: allow,
                missing: set("orders.write")
            })
        );
    }

    #[test]
    fn nothing_left_is_a_refusal_unless_the_api_uses_no_scopes() {
        let scoped = ScopePolicy::new(set("a"), ScopeSet::empty(), Excess::Drop);
        assert!(matches!(
            scoped.narrow(&ScopeSet::empty()),
            Err(PolicyError::NoScopeLeft { .. })
        ));
        let unscoped = ScopePolicy::new(ScopeSet::empty(), ScopeSet::empty(), Excess::Drop);
        assert_eq!(unscoped.narrow(&set("everything")), Ok(ScopeSet::empty()));
    }

    #[test]
    fn a_required_scope_need_not_be_one_that_is_issued() {
        let policy = ScopePolicy::new(set("orders.read"), set("gateway.use"), Excess::Drop);
        assert!(policy.narrow(&set("orders.read")).is_err());
        assert_eq!(
            policy.narrow(&set("orders.read gateway.use")),
            Ok(set("orders.read"))
        );
    }
}
