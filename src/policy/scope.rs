//! The scope rules of a route: subject ∩ client ∩ route ∩ operation, checked after all names are expanded.

use super::{
    Operation, OperationId, OperationSettings, Operations, PolicyError, RequestedScope, ScopeRule,
    client::ClientCeiling,
    requested::{UserScopes, check_names},
    scope_map::ScopeMap,
};
use crate::{
    settings::{Building, fingerprint},
    telemetry::{DecisionObserver, DecisionStep, Facts, ScopeSteps},
    token::ScopeSet,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap};

/// Which scopes the issued token may have: never more than the presented token has, and never more than `allow`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScopeSettings {
    /// The most scopes that this API ever gets. `[]` if the API uses no scopes: the issued token then has none.
    pub allow: ScopeSet,
    /// Scopes that the presented token must have. If one is missing, the request gets 403 `insufficient_scope`.
    #[serde(default)]
    pub require: ScopeSet,
    /// How `allow`, the subject's scopes and the client's scopes are combined.
    #[serde(default)]
    pub rule: ScopeRule,
    /// The prefix of the scopes that `user_only` applies to. Default: all scopes.
    pub rule_prefix: Option<String>,
    /// What to do if the presented token does not have all of `allow`. `refuse` returns 403 `insufficient_scope`.
    #[serde(default)]
    pub excess: Excess,
    /// Translates scope names: from the name in the presented token to the names that the API uses. Names that are
    /// not listed stay the same. All other settings use the API's names.
    #[serde(default)]
    pub map: BTreeMap<String, ScopeSet>,
    /// Narrower scopes for some methods and paths. If there are any, a request that matches none of them is refused.
    #[serde(default)]
    pub operations: Vec<OperationSettings>,
}

fingerprint!(ScopeSettings {
    fields: [allow, require, rule, rule_prefix, excess, map, operations],
});

/// What to do if the subject does not have all allowed scopes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Excess {
    /// Issue the scopes that the subject has, and omit the others.
    #[default]
    Drop,
    /// Refuse the request unless the subject has all scopes.
    Refuse,
}

fingerprint!(Excess = Drop | Refuse);

/// The scope rules of a route.
#[derive(Debug, Clone)]
pub struct ScopePolicy {
    map: ScopeMap,
    /// The ceiling in the names of the subject token.
    asked_for: ScopeSet,
    allow: ScopeSet,
    /// All of `allow`: the requested scope if the route has no operations.
    whole: RequestedScope,
    require: ScopeSet,
    excess: Excess,
    user_scopes: UserScopes,
    operations: Operations,
}

impl ScopePolicy {
    pub(super) fn build(settings: &ScopeSettings, building: &mut Building<'_>) -> Option<Self> {
        let before = building.findings.errors();
        building.within("allow", |b| check_names(&settings.allow, b));
        building.within("require", |b| check_names(&settings.require, b));
        let user_scopes =
            UserScopes::build(settings.rule, settings.rule_prefix.as_deref(), building);
        let operations = building.within("operations", |b| {
            Operations::build(&settings.operations, &settings.allow, b)
        });
        let spoken = settings
            .operations
            .iter()
            .fold(settings.allow.union(&settings.require), |all, operation| {
                all.union(&operation.require)
            });
        let map = building.within("map", |b| ScopeMap::build(&settings.map, &spoken, b));
        if user_scopes.is_some() && settings.require.is_empty() {
            building.within("rule", |b| {
                b.findings.warn(
                    "user_only, but no scope is required",
                    "any user's token with one allowed scope is accepted, regardless of the client's scopes",
                    "add require with a scope that users must have here",
                );
            });
        }
        let operations = operations?;
        (building.findings.errors() == before).then(|| Self {
            asked_for: map.sources(&settings.allow),
            map,
            allow: settings.allow.clone(),
            whole: RequestedScope::Named(settings.allow.clone()),
            require: settings.require.clone(),
            excess: settings.excess,
            user_scopes,
            operations,
        })
    }

    /// The scopes that users should request from their provider to get what the route allows: for mapped scopes the
    /// names that map to them, and all other scopes unchanged.
    pub fn asked_for(&self) -> &ScopeSet {
        &self.asked_for
    }

    /// The route's ceiling.
    pub fn allow(&self) -> &ScopeSet {
        &self.allow
    }

    /// The operations of the route.
    pub fn operations(&self) -> &Operations {
        &self.operations
    }

    /// Returns the operation that a request matches, or `None` if the route has no operations.
    ///
    /// # Errors
    /// [`PolicyError::NoOperation`] if the route has operations and the request matches none of them.
    pub(super) fn operation(
        &self,
        id: Option<OperationId>,
    ) -> Result<Option<&Operation>, PolicyError> {
        match id {
            None if self.operations.is_empty() => Ok(None),
            None => Err(PolicyError::NoOperation),
            Some(id) => self
                .operations
                .get(id)
                .map(Some)
                .ok_or(PolicyError::NoOperation),
        }
    }

    /// Returns the issued scopes for a subject token with the scopes `held`.
    ///
    /// # Errors
    /// [`PolicyError::ScopeNotHeld`] and [`PolicyError::NoScopeLeft`]. An empty result is refused, because an API might
    /// take a token without scopes for an unlimited one. The exception is a route whose API is configured to use no
    /// scopes.
    pub(super) fn narrow(
        &self,
        held: &ScopeSet,
        operation: Option<&Operation>,
        client: Option<&ClientCeiling>,
        observer: &mut impl DecisionObserver,
    ) -> Result<ScopeSet, PolicyError> {
        let mapped = self.map.apply(held);
        let limited = match client {
            None => Cow::Borrowed(&*mapped),
            Some(client) => Cow::Owned(client.limit(&mapped, &self.user_scopes)),
        };
        let (requested, required) = match operation {
            None => (&self.whole, Cow::Borrowed(&self.require)),
            Some(operation) => (
                &operation.requested,
                Cow::Owned(self.require.union(&operation.require)),
            ),
        };
        let wanted = match self.excess {
            Excess::Drop => required,
            Excess::Refuse => Cow::Owned(required.union(requested.named())),
        };
        observer.scopes(|| ScopeSteps {
            held: held.clone(),
            replaced: self.map.replaced(held),
            mapped: ScopeSet::clone(&mapped),
            within_client: ScopeSet::clone(&limited),
            allowed: self.allow.clone(),
            requested: requested.named().clone(),
            required: ScopeSet::clone(&wanted),
        });
        observer.begin(DecisionStep::RequiredScope, || {
            Facts::new(wanted.intersection(&limited), &*wanted)
        });
        let missing = wanted.difference(&limited);
        if !missing.is_empty() {
            let wanted = wanted.into_owned();
            let held = ScopeSet::clone(&mapped);
            return Err(PolicyError::ScopeNotHeld {
                wanted,
                missing,
                held,
            });
        }
        let granted = requested.within(&self.allow, &limited);
        observer.begin(DecisionStep::ScopeLeft, || {
            Facts::new(&granted, requested.named())
        });
        if granted.is_empty() && !self.allow.is_empty() {
            return Err(PolicyError::NoScopeLeft {
                allowed: requested.named().clone(),
                held: ScopeSet::clone(&mapped),
            });
        }
        Ok(granted)
    }
}

#[cfg(test)]
mod tests;
