//! The ceilings of calling applications (`clients`).

mod checks;
mod issuers;
mod registry;
mod settings;

pub use registry::{ClientParts, ClientPolicy, Clients, RefreshTerms};
pub use settings::{
    AudienceRule, ClientChainSettings, ClientScopeSettings, ClientSettings, ClientSubject, Grant,
    ImpersonatedSubject, ImpersonationSettings, Names, RefreshSettings, ResourceSettings,
};

use super::requested::{UserScopes, check_names};
use crate::{
    settings::{Building, HumanDuration},
    token::{Audience, ScopeSet},
};
use std::{collections::BTreeMap, time::Duration};

/// The most that one application may get.
#[derive(Debug, Clone)]
pub(super) struct ClientCeiling {
    pub(super) audiences: Option<Vec<Audience>>,
    pub(super) allow: ScopeSet,
    pub(super) user_scopes: UserScopes,
    pub(super) lifetime: Option<Duration>,
}

/// The ceilings of all configured applications.
#[derive(Debug, Clone, Default)]
pub struct ClientCeilings(BTreeMap<Box<str>, ClientCeiling>);

impl ClientCeilings {
    /// Compiles `clients`, which are passed with their positions.
    pub fn build(settings: &[(usize, ClientSettings)], building: &mut Building<'_>) -> Self {
        let mut ceilings = BTreeMap::new();
        for (position, client) in settings {
            building.within(*position, |b| {
                let ceiling = client.build(b);
                if ceilings
                    .insert(client.id.as_str().into(), ceiling)
                    .is_some()
                {
                    b.within("id", |b| {
                        b.findings.error(
                            format!("a second client with the id {:?}", client.id),
                            "merge the two entries",
                        );
                    });
                }
            });
        }
        Self(ceilings)
    }

    /// Returns the ceiling of one client.
    pub(super) fn of(&self, client: Option<&str>) -> Option<&ClientCeiling> {
        self.0.get(client?)
    }
}

impl ClientSettings {
    fn build(&self, building: &mut Building<'_>) -> ClientCeiling {
        if self.id.is_empty() {
            building.within("id", |b| {
                b.findings.error(
                    "expected the id of a client",
                    "write the client_id in its tokens, e.g. portal",
                );
            });
        }
        if self.audiences.as_ref().is_some_and(Vec::is_empty) {
            building.within("audiences", |b| {
                b.findings.error_because(
                    "expected at least one audience, found none",
                    "the client could use no route",
                    "name the audiences it may get tokens for, or remove audiences",
                );
            });
        }
        let lifetime = self.lifetime.map(HumanDuration::get);
        if lifetime.is_some_and(|lifetime| lifetime < super::lifetime::SHORTEST_LIFETIME) {
            building.within("lifetime", |b| {
                b.findings.error(
                    "expected at least 2s",
                    "write the maximum lifetime of tokens issued for it, e.g. 2m",
                );
            });
        }
        let scope = self.scope.as_ref();
        // a client without `scope` may get no scopes
        let user_scopes = scope.map_or_else(UserScopes::default, |scope| {
            building.within("scope", |b| {
                b.within("allow", |b| check_names(&scope.allow, b));
                UserScopes::build(scope.rule, scope.rule_prefix.as_deref(), b)
            })
        });
        ClientCeiling {
            audiences: self.audiences.clone(),
            allow: scope.map_or_else(ScopeSet::empty, |scope| scope.allow.clone()),
            user_scopes,
            lifetime,
        }
    }
}

impl ClientCeiling {
    /// Describes the audiences that the client may get tokens for.
    pub(super) fn observed_audiences(&self) -> String {
        match &self.audiences {
            None => "any".to_owned(),
            Some(audiences) => {
                let names: Vec<&str> = audiences.iter().map(Audience::as_str).collect();
                names.join(", ")
            }
        }
    }

    /// Returns `true` if the client may get tokens for `audience`.
    pub(super) fn admits(&self, audience: &Audience) -> bool {
        self.audiences
            .as_ref()
            .is_none_or(|audiences| audiences.contains(audience))
    }

    /// Returns the scopes of the subject that the client may use. The client's `allow` does not limit scopes for which
    /// both the route and the client have the rule `user_only`.
    pub(super) fn limit(&self, held: &ScopeSet, route: &UserScopes) -> ScopeSet {
        held.filtered(|scope| {
            self.allow.contains(scope) || (route.include(scope) && self.user_scopes.include(scope))
        })
    }
}
