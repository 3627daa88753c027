//! `routes[].exchange` as it is written, and how it becomes an [`ExchangePolicy`].

use super::{ClaimPolicy, Excess, ExchangePolicy, GatewayIdentity, OutgoingActor, ScopePolicy};
use crate::{
    settings::{Building, HumanDuration},
    token::{ActorChain, Audience, ScopeSet},
};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

/// What a route does with the token of a request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExchangeSettings {
    /// Whose tokens the route takes; may be absent where one issuer is trusted.
    #[serde(default)]
    pub accepts: Vec<AcceptSettings>,
    /// The calling clients that are admitted; any where absent.
    pub clients: Option<Vec<String>>,
    /// Whether app-only tokens are taken.
    #[serde(default)]
    pub subjects: SubjectKinds,
    /// The one audience of the issued token.
    pub audience: Audience,
    /// The scope rules.
    pub scope: ScopeSettings,
    /// The shape of the issued token.
    #[serde(default)]
    pub token: TokenSettings,
    /// Who acts.
    #[serde(default)]
    pub actor: ActorSettings,
    /// How long a chain of actors may get.
    #[serde(default)]
    pub chain: ChainSettings,
}

/// One issuer that a route accepts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptSettings {
    /// The name of one of `trusted_issuers`.
    pub issuer: String,
}

/// Which kinds of subject a route serves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectKinds {
    /// People; tokens that an application got for itself are refused.
    #[default]
    Users,
    /// People and applications.
    Any,
}

/// `exchange.scope`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeSettings {
    /// The ceiling of the route. The empty list says that this API uses no scopes.
    pub allow: ScopeSet,
    /// Scopes that the subject must hold.
    #[serde(default)]
    pub require: ScopeSet,
    /// How the ceiling and the subject's scopes combine.
    #[serde(default)]
    pub rule: ScopeRule,
    /// What happens when the subject lacks a part of the ceiling.
    #[serde(default)]
    pub excess: Excess,
}

/// How an issued scope is computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScopeRule {
    /// What the subject holds of what the route allows.
    #[default]
    Intersection,
}

/// `exchange.token`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenSettings {
    /// The longest life of an issued token; the issuer's default where absent.
    pub lifetime: Option<HumanDuration>,
    /// How the issued token names the subject; `same` where absent.
    pub subject: Option<SubjectForm>,
    /// Claims beyond those that every token has.
    pub claims: ClaimSettings,
}

/// How an issued token names its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectForm {
    /// As the subject token does. Only sound where one issuer is accepted: two may know different people by one name.
    Same,
    /// `<issuer name>:<sub>`.
    Qualified,
}

/// `exchange.token.claims`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClaimSettings {
    /// Claims taken over from the subject token where it has them.
    pub copy: Vec<String>,
    /// Constants.
    pub set: BTreeMap<String, Value>,
}

/// `exchange.actor`: who is named as acting for the subject.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActorSettings {
    /// The kind of actor.
    #[serde(rename = "type", default)]
    pub kind: OutgoingActor,
}

/// `exchange.chain`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChainSettings {
    /// The most actors that an issued token may name, 1 to 8.
    pub max_depth: usize,
}

impl Default for ChainSettings {
    fn default() -> Self {
        Self {
            max_depth: ActorChain::MAX_DEPTH,
        }
    }
}

/// The shortest life that leaves a token usable.
const SHORTEST_LIFETIME: Duration = Duration::from_secs(2);
/// The longest life that still deserves the name "short".
const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 3600);

impl ExchangeSettings {
    /// Compiles the rules. `issuers` is how many issuers the route accepts in the end.
    pub fn build(
        &self,
        building: &mut Building<'_>,
        gateway: &GatewayIdentity,
        default_lifetime: Duration,
        issuers: usize,
    ) -> Option<ExchangePolicy> {
        let before = building.findings.errors();
        let lifetime = building.within("token", |b| self.token.build_lifetime(b, default_lifetime));
        let subject_form = self.token.subject.unwrap_or(SubjectForm::Same);
        if subject_form == SubjectForm::Same && issuers > 1 {
            building.within("token", |b| {
                b.within("subject", |b| {
                    b.findings.error_because(
                        format!("the subject keeps its name, and {issuers} issuers are accepted"),
                        "two issuers may know different people by one name",
                        "write subject: qualified, or accept one issuer",
                    );
                });
            });
        }
        let claims = building.within("token", |b| {
            b.within("claims", |b| ClaimPolicy::build(&self.token.claims, b))
        });
        building.within("chain", |b| self.chain.check(b));
        building.within("scope", |b| self.scope.check(b));
        building.within("clients", |b| check_clients(self.clients.as_deref(), b));
        if building.findings.errors() > before {
            return None;
        }
        Some(ExchangePolicy {
            audience: self.audience.clone(),
            scope: ScopePolicy::new(
                self.scope.allow.clone(),
                self.scope.require.clone(),
                self.scope.excess,
            ),
            clients: self
                .clients
                .as_ref()
                .map(|clients| clients.iter().cloned().collect()),
            subjects: self.subjects,
            subject_form,
            lifetime,
            claims: claims?,
            actor: self.actor.kind,
            max_depth: self.chain.max_depth,
            gateway: gateway.clone(),
        })
    }
}

impl TokenSettings {
    fn build_lifetime(&self, building: &mut Building<'_>, default: Duration) -> Duration {
        let lifetime = self.lifetime.map_or(default, HumanDuration::get);
        if !(SHORTEST_LIFETIME..=LONGEST_LIFETIME).contains(&lifetime) {
            building.within("lifetime", |b| {
                b.findings.error(
                    "expected a lifetime between 2s and 24h",
                    "write how long an issued token may live, e.g. 5m",
                );
            });
        }
        lifetime
    }
}

impl ChainSettings {
    fn check(&self, building: &mut Building<'_>) {
        if !(1..=ActorChain::MAX_DEPTH).contains(&self.max_depth) {
            building.within("max_depth", |b| {
                b.findings.error(
                    format!(
                        "expected a number from 1 to {}, found {}",
                        ActorChain::MAX_DEPTH,
                        self.max_depth
                    ),
                    "write how many actors an issued token may name at most",
                );
            });
        }
    }
}

impl ScopeSettings {
    fn check(&self, building: &mut Building<'_>) {
        if self.excess == Excess::Refuse && self.allow.is_empty() {
            building.within("excess", |b| {
                b.findings.error(
                    "there is nothing to exceed where allow is empty",
                    "remove excess, or list scopes in allow",
                );
            });
        }
    }
}

fn check_clients(clients: Option<&[String]>, building: &mut Building<'_>) {
    if clients.is_some_and(|clients| clients.is_empty() || clients.iter().any(String::is_empty)) {
        building.findings.error_because(
            "expected at least one client id",
            "an empty list would admit nobody",
            "name the callers, or remove clients to admit any",
        );
    }
}
