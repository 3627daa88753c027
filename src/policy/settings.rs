//! `routes[].exchange` as it is written, and how it becomes an [`ExchangePolicy`].

use super::{
    ClaimPolicy, ClientCeilings, DetailsRule, Excess, ExchangePolicy, GatewayIdentity,
    OperationSettings, OutgoingActor, ScopePolicy, ScopeRule, naming::SubjectNaming,
};
use crate::{
    jose::HmacKey,
    settings::{Building, HumanDuration, written_list},
    token::{AccessTokenType, ActorChain, Audience, ScopeSet, TokenFormat},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// What a route does with the token of a request: whose tokens it takes, and the most that the issued one may hold.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExchangeSettings {
    /// Whose tokens the route takes; required where several issuers are trusted, else that one.
    #[serde(default)]
    pub accepts: Vec<AcceptSettings>,
    /// The calling applications that are admitted, by their client id; others get 403. Any where absent.
    #[schemars(inner(length(min = 1)), length(min = 1))]
    #[serde(default, deserialize_with = "written_list")]
    pub clients: Option<Vec<String>>,
    /// Whether tokens that an application got for itself are taken.
    #[serde(default)]
    pub subjects: SubjectKinds,
    /// Tokens that carry `authorization_details` (RFC 9396): `refuse` them, or `copy` the details unchanged into the issued
    /// token.
    #[serde(default)]
    pub authorization_details: DetailsRule,
    /// `aud` of the issued token: exactly one. What the API expects there.
    pub audience: Audience,
    /// Which scopes the issued token may hold.
    pub scope: ScopeSettings,
    /// The shape of the issued token.
    #[serde(default)]
    pub token: TokenSettings,
    /// Whom the issued token names as acting for the subject (`act`).
    #[serde(default)]
    pub actor: ActorSettings,
    /// Tokens that already were exchanged elsewhere and name actors.
    #[serde(default)]
    pub chain: ChainSettings,
}

/// One issuer whose tokens a route takes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptSettings {
    /// The `name` of one of `trusted_issuers`.
    pub issuer: String,
    /// Its tokens must be addressed to one of these, a part of the issuer's own list; to any of that list where absent.
    #[serde(default, deserialize_with = "written_list")]
    #[schemars(length(min = 1))]
    pub audiences: Option<Vec<Audience>>,
}

/// Which kinds of subject a route serves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SubjectKinds {
    /// People; tokens that an application got for itself are refused.
    #[default]
    Users,
    /// People and applications.
    Any,
}

/// Which scopes the issued token may hold: never more than the subject's and never more than `allow`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScopeSettings {
    /// The most that this API ever gets. The empty list says that it uses no scopes: the token then carries none.
    pub allow: ScopeSet,
    /// Scopes that the presented token must hold; without one of them 403 `insufficient_scope`.
    #[serde(default)]
    pub require: ScopeSet,
    /// How `allow` and the subject's scopes combine.
    #[serde(default)]
    pub rule: ScopeRule,
    /// How the scopes begin that `user_only` is about; all where absent.
    pub rule_prefix: Option<String>,
    /// What happens where the subject lacks a part of `allow`.
    #[serde(default)]
    pub excess: Excess,
    /// The downstream's names for scopes of the subject's; names that are not in it stay. Everything else here speaks
    /// the downstream's names.
    #[serde(default)]
    pub map: BTreeMap<String, ScopeSet>,
    /// Narrower rules for some methods and paths; where there are any, a request that is none of them is refused.
    #[serde(default)]
    pub operations: Vec<OperationSettings>,
}

/// The shape of the issued token.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TokenSettings {
    /// The form of the issued token.
    pub format: AccessTokenForm,
    /// `typ` in the header of an issued JWT; `at+jwt` where absent. `JWT` is for APIs that know no other, such as those that
    /// use Spring Boot's default resource server.
    pub typ: Option<AccessTokenType>,
    /// The longest life of an issued token, 2s to 24h; default `issuer.lifetime`. It never outlives the presented one.
    pub lifetime: Option<HumanDuration>,
    /// How the issued token names the subject; `same` where absent, which is legal only with one accepted issuer.
    pub subject: Option<SubjectForm>,
    /// Claims beyond those that every issued token has.
    pub claims: ClaimSettings,
}

/// The form of an issued access token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccessTokenForm {
    /// Signed: the API verifies it with the gateway's published keys (RFC 9068).
    #[default]
    Jwt,
    /// Encrypted: the API learns what it says by introspection alone (RFC 7662); needs `issuer.opaque_keys`.
    Opaque,
}

impl From<AccessTokenForm> for TokenFormat {
    fn from(form: AccessTokenForm) -> Self {
        match form {
            AccessTokenForm::Jwt => Self::Jwt,
            AccessTokenForm::Opaque => Self::Opaque,
        }
    }
}

/// How an issued token names its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SubjectForm {
    /// As the presented token does. Only with one accepted issuer: two may know different people by one name.
    Same,
    /// `<issuer name>:<sub>`, e.g. `corp:alice`.
    Qualified,
    /// A pseudonym for this audience alone; needs `issuer.pairwise_salt`.
    Pairwise,
}

/// Claims beyond those that every issued token has. Registered claims of the gateway's own (`iss`, `sub`, `aud` …)
/// cannot be named.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClaimSettings {
    /// Claims taken over from the presented token where it has them, e.g. `[email]`.
    pub copy: Vec<String>,
    /// Claims with a fixed value, e.g. `{ tenant: acme }`.
    pub set: BTreeMap<String, Value>,
}

/// Whom the issued token names as acting for the subject (`act`, RFC 8693 §4.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActorSettings {
    /// The kind of actor.
    #[serde(rename = "type", default)]
    pub kind: OutgoingActor,
}

/// Tokens that already were exchanged elsewhere and name actors.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChainSettings {
    /// Whether tokens that the gateway issued itself are taken as subject tokens, where they are addressed to
    /// `issuer.url` or to the route's `resource`.
    pub accept_own: bool,
    /// The most actors that an issued token may name, the gateway included: 1 to 8.
    #[schemars(range(min = 1, max = 8))]
    pub max_depth: usize,
}

impl Default for ChainSettings {
    fn default() -> Self {
        Self {
            accept_own: false,
            max_depth: ActorChain::MAX_DEPTH,
        }
    }
}

/// The shortest life that leaves a token usable.
pub(super) const SHORTEST_LIFETIME: Duration = Duration::from_secs(2);
/// The longest life that still deserves the name "short".
const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// What the rules of a route are compiled with.
#[derive(Debug, Clone, Copy)]
pub struct PolicyParts<'a> {
    /// Who the gateway is in an `act` claim.
    pub gateway: &'a GatewayIdentity,
    /// How long an issued token lives where the route does not say.
    pub lifetime: Duration,
    /// How many issuers the route accepts in the end.
    pub issuers: usize,
    /// What pseudonyms are made with.
    pub salt: Salt<'a>,
    /// What the calling applications may have.
    pub clients: &'a Arc<ClientCeilings>,
}

/// `issuer.pairwise_salt`.
#[derive(Debug, Clone, Copy)]
pub enum Salt<'a> {
    /// It is there.
    Key(&'a Arc<HmacKey>),
    /// It is not written.
    Absent,
    /// `issuer` has a mistake, which was reported.
    Unknown,
}

impl ExchangeSettings {
    /// Compiles the rules.
    pub fn build(
        &self,
        building: &mut Building<'_>,
        parts: &PolicyParts<'_>,
    ) -> Option<ExchangePolicy> {
        let before = building.findings.errors();
        let lifetime = building.within("token", |b| self.token.build_lifetime(b, parts.lifetime));
        building.within("token", |b| self.token.check_typ(b));
        let naming = building.within("token", |b| {
            b.within("subject", |b| self.token.build_naming(b, parts))
        });
        let claims = building.within("token", |b| {
            b.within("claims", |b| ClaimPolicy::build(&self.token.claims, b))
        });
        building.within("chain", |b| self.chain.check(b));
        let scope = building.within("scope", |b| self.scope.build(b));
        building.within("clients", |b| check_clients(self.clients.as_deref(), b));
        if building.findings.errors() > before {
            return None;
        }
        Some(ExchangePolicy {
            audience: self.audience.clone(),
            scope: scope?,
            clients: self
                .clients
                .as_ref()
                .map(|clients| clients.iter().cloned().collect()),
            subjects: self.subjects,
            details: self.authorization_details,
            naming: naming?,
            format: self.token.format.into(),
            typ: self.token.typ.unwrap_or_default(),
            lifetime,
            claims: claims?,
            actor: self.actor.kind,
            max_depth: self.chain.max_depth,
            gateway: parts.gateway.clone(),
            ceilings: Arc::clone(parts.clients),
        })
    }
}

impl TokenSettings {
    fn build_naming(
        &self,
        building: &mut Building<'_>,
        parts: &PolicyParts<'_>,
    ) -> Option<SubjectNaming> {
        match (self.subject.unwrap_or(SubjectForm::Same), parts.salt) {
            (SubjectForm::Same, _) => {
                let issuers = parts.issuers;
                if issuers > 1 {
                    building.findings.error_because(
                        format!("the subject keeps its name, and {issuers} issuers are accepted"),
                        "two issuers may know different people by one name",
                        "write subject: qualified, or accept one issuer",
                    );
                }
                Some(SubjectNaming::Same)
            }
            (SubjectForm::Qualified, _) => Some(SubjectNaming::Qualified),
            (SubjectForm::Pairwise, Salt::Key(salt)) => {
                Some(SubjectNaming::Pairwise(Arc::clone(salt)))
            }
            (SubjectForm::Pairwise, Salt::Absent) => {
                building.findings.error_because(
                    "pairwise needs issuer.pairwise_salt",
                    "without a secret anybody could work out whose pseudonym it is",
                    "write pairwise_salt: { file: PATH } or { env: NAME } in issuer, with 32 random bytes or more",
                );
                None
            }
            (SubjectForm::Pairwise, Salt::Unknown) => None,
        }
    }

    fn check_typ(&self, building: &mut Building<'_>) {
        if self.typ.is_some() && self.format == AccessTokenForm::Opaque {
            building.within("typ", |b| {
                b.findings.error(
                    "an opaque token has no header",
                    "remove typ, or write format: jwt",
                );
            });
        }
    }

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
    fn build(&self, building: &mut Building<'_>) -> Option<ScopePolicy> {
        if self.excess == Excess::Refuse && self.allow.is_empty() {
            building.within("excess", |b| {
                b.findings.error(
                    "there is nothing to exceed where allow is empty",
                    "remove excess, or list scopes in allow",
                );
            });
        }
        ScopePolicy::build(self, building)
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
