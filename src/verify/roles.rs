//! The scopes that an issuer's roles grant (`trusted_issuers[].roles`).

use super::VerifyError;
use crate::{
    settings::{Building, fingerprint},
    telemetry::Facts,
    token::{Claims, ScopeSet},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The claim that contains roles, and the scopes that each role grants.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleSettings {
    /// The claim with the roles. For a nested claim, join the names with dots, for example `realm_access.roles`.
    pub claim: String,
    /// The scopes that each role grants. A role that is not listed grants nothing.
    #[schemars(length(min = 1))]
    pub grants: Vec<RoleGrantSettings>,
}

fingerprint!(RoleSettings {
    fields: [claim, grants],
});

/// The scopes that one role grants.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleGrantSettings {
    /// The role, compared exactly.
    pub role: String,
    /// The scopes that a user with this role has, in addition to the scopes in the token.
    pub scope: ScopeSet,
}

fingerprint!(RoleGrantSettings {
    fields: [role, scope],
});

/// The compiled map of roles to scopes.
#[derive(Debug)]
pub(super) struct RoleGrants {
    claim: Box<str>,
    grants: BTreeMap<Box<str>, ScopeSet>,
}

impl RoleSettings {
    pub(super) fn build(&self, building: &mut Building<'_>) -> Option<RoleGrants> {
        let before = building.findings.errors();
        if self.claim.is_empty() {
            building.within("claim", |b| {
                b.findings.error(
                    "expected the name of a claim",
                    "name the claim, e.g. realm_access.roles",
                );
            });
        }
        if self.grants.is_empty() {
            building.within("grants", |b| {
                b.findings.error(
                    "expected at least one grant, found none",
                    "write [ { role: admin, scope: [orders.write] } ], or remove roles",
                );
            });
        }
        let mut grants = BTreeMap::new();
        for (position, grant) in self.grants.iter().enumerate() {
            building.within("grants", |b| {
                b.within(position, |b| {
                    let again = grants
                        .insert(grant.role.as_str().into(), grant.scope.clone())
                        .is_some();
                    check_grant(grant, again, b);
                });
            });
        }
        (building.findings.errors() == before).then(|| RoleGrants {
            claim: self.claim.as_str().into(),
            grants,
        })
    }
}

fn check_grant(grant: &RoleGrantSettings, again: bool, building: &mut Building<'_>) {
    if grant.role.is_empty() {
        building.within("role", |b| {
            b.findings.error(
                "expected the name of a role",
                "write it as the provider spells it",
            );
        });
    } else if again {
        building.within("role", |b| {
            b.findings.error(
                format!("the role {:?} is listed twice", grant.role),
                "merge the two entries",
            );
        });
    }
    if grant.scope.is_empty() {
        building.within("scope", |b| {
            b.findings.error(
                "expected at least one scope, found none",
                "list the scopes that the role grants, or remove the entry",
            );
        });
    }
}

impl RoleGrants {
    /// Describes the scopes that the roles in `claims` grant, for `explain`. Roles that grant nothing are omitted,
    /// because provider tokens contain many roles of other applications.
    pub(super) fn facts(&self, claims: &Claims) -> Facts {
        let wanted = format!("roles in {}", self.claim);
        match self.granted(claims) {
            Ok(scope) if scope.is_empty() => Facts::new("they grant nothing", wanted),
            Ok(scope) => Facts::new(format!("they grant {scope}"), wanted),
            Err(_) => Facts::new("neither a text nor a list of texts", wanted),
        }
    }

    /// Returns the scopes that the roles in `claims` grant. They are empty if the claim is missing.
    ///
    /// # Errors
    /// [`VerifyError::Roles`] if the claim is neither a string, which is one role, nor a list of strings.
    pub(super) fn granted(&self, claims: &Claims) -> Result<ScopeSet, VerifyError> {
        let held = match claims.at_path(&self.claim) {
            None => return Ok(ScopeSet::empty()),
            Some(Value::String(role)) => vec![role.as_str()],
            Some(Value::Array(roles)) => roles
                .iter()
                .map(|role| role.as_str().ok_or(VerifyError::Roles))
                .collect::<Result<_, _>>()?,
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
                return Err(VerifyError::Roles);
            }
        };
        let granted = held.into_iter().filter_map(|role| self.grants.get(role));
        Ok(granted.fold(ScopeSet::empty(), |all, scope| all.union(scope)))
    }
}
