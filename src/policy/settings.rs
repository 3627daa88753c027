//! The `routes[].exchange` section of the configuration, and how it becomes an [`ExchangePolicy`].

use super::{
    ClaimPolicy, ClaimSettings, ClientCeilings, DetailsRule, Excess, ExchangePolicy,
    GatewayIdentity, OutgoingActor, ScopePolicy, ScopeSettings, exchange_policy::SubjectKinds,
    lifetime::SHORTEST_LIFETIME, naming::SubjectNaming,
};
use crate::{
    jose::HmacKey,
    settings::{Building, HumanDuration, fingerprint, written_list},
    token::{AccessTokenType, ActorChain, Audience, TokenFormat},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// Which tokens a route accepts, and the most that the issued token may contain.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExchangeSettings {
    /// The issuers whose tokens the route accepts. Required if several issuers are trusted. Default: the only trusted
    /// issuer.
    #[serde(default)]
    pub accepts: Vec<AcceptSettings>,
    /// The client ids of the applications that may call the route. Others get 403. Default: any application.
    #[schemars(inner(length(min = 1)), length(min = 1))]
    #[serde(default, deserialize_with = "written_list")]
    pub clients: Option<Vec<String>>,
    /// Whether the route accepts tokens that an application obtained for itself, without a user.
    #[serde(default)]
    pub subjects: SubjectKinds,
    /// What to do with tokens that carry `authorization_details` (RFC 9396): `refuse` the token, or `copy` the
    /// details unchanged into the issued token.
    #[serde(default)]
    pub authorization_details: DetailsRule,
    /// `aud` of the issued token, always a single value. Use the name that the API expects.
    pub audience: Audience,
    /// Which scopes the issued token may have.
    pub scope: ScopeSettings,
    /// Format, lifetime and claims of the issued token.
    #[serde(default)]
    pub token: TokenSettings,
    /// The actor that the issued token names (`act`).
    #[serde(default)]
    pub actor: ActorSettings,
    /// How the route treats tokens that were already exchanged and name actors.
    #[serde(default)]
    pub chain: ChainSettings,
}

fingerprint!(ExchangeSettings {
    fields: [
        accepts,
        clients,
        subjects,
        authorization_details,
        audience,
        scope,
        token,
        actor,
        chain
    ],
});

/// One issuer whose tokens a route accepts.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptSettings {
    /// The `name` of an item of `trusted_issuers`.
    pub issuer: String,
    /// The token's `aud` must contain one of these. They must be part of the issuer's `audiences`. Default: all of
    /// the issuer's `audiences`.
    #[serde(default, deserialize_with = "written_list")]
    #[schemars(length(min = 1))]
    pub audiences: Option<Vec<Audience>>,
}

fingerprint!(AcceptSettings {
    fields: [issuer, audiences],
});

/// Format, lifetime and claims of the issued token.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TokenSettings {
    /// The format of the issued token.
    pub format: AccessTokenForm,
    /// `typ` in the header of an issued JWT. Default: `at+jwt`. Use `JWT` for APIs that support no other value, such
    /// as Spring Boot's default resource server.
    pub typ: Option<AccessTokenType>,
    /// Maximum lifetime of issued tokens, 2s to 24h. Default: `issuer.lifetime`. A token never outlives the presented
    /// one.
    pub lifetime: Option<HumanDuration>,
    /// How the issued token names the subject. Default: `same`, which is accepted only if the route accepts exactly
    /// one issuer.
    pub subject: Option<SubjectForm>,
    /// Additional claims of the issued token.
    pub claims: ClaimSettings,
}

fingerprint!(TokenSettings {
    fields: [format, typ, lifetime, subject, claims],
});

/// The format of an issued access token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccessTokenForm {
    /// A signed JWT (RFC 9068). The API verifies it with the gateway's published keys.
    #[default]
    Jwt,
    /// An encrypted token. The API can read it only by introspection (RFC 7662). Requires `issuer.opaque_keys`.
    Opaque,
}

fingerprint!(AccessTokenForm = Jwt | Opaque);

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
    /// `sub` unchanged. Only with exactly one accepted issuer, because two issuers may use the same `sub` for
    /// different users.
    Same,
    /// `<issuer name>:<sub>`, for example `corp:alice`.
    Qualified,
    /// A pseudonym that is different for each audience. Requires `issuer.pairwise_salt`.
    Pairwise,
}

fingerprint!(SubjectForm = Same | Qualified | Pairwise);

/// The actor that the issued token names (`act`, RFC 8693 §4.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActorSettings {
    /// The kind of actor.
    #[serde(rename = "type", default)]
    pub kind: OutgoingActor,
}

fingerprint!(ActorSettings { fields: [kind] });

/// How a route treats tokens that were already exchanged and name actors.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChainSettings {
    /// Accepts tokens that this gateway issued, if their audience is `issuer.url` or the route's `resource`. Without
    /// it they are refused.
    pub accept_own: bool,
    /// Maximum number of actors in an issued token, including the gateway: 1 to 8. Longer chains get 403.
    #[schemars(range(min = 1, max = 8))]
    pub max_depth: usize,
}

fingerprint!(ChainSettings {
    fields: [accept_own, max_depth],
});

impl Default for ChainSettings {
    fn default() -> Self {
        Self {
            accept_own: false,
            max_depth: ActorChain::MAX_DEPTH,
        }
    }
}

/// The longest lifetime that can be configured.
const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// The inputs for compiling the rules of a route.
#[derive(Debug, Clone, Copy)]
pub struct PolicyParts<'a> {
    /// The gateway's name in an `act` claim.
    pub gateway: &'a GatewayIdentity,
    /// The default lifetime of issued tokens.
    pub lifetime: Duration,
    /// The number of issuers that the route accepts.
    pub issuers: usize,
    /// The key from which pseudonyms are derived.
    pub salt: Salt<'a>,
    /// The ceilings of the calling applications.
    pub clients: &'a Arc<ClientCeilings>,
}

/// The state of `issuer.pairwise_salt`.
#[derive(Debug, Clone, Copy)]
pub enum Salt<'a> {
    /// It is configured.
    Key(&'a Arc<HmacKey>),
    /// It is not configured.
    Absent,
    /// `issuer` has an error, which was reported.
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
                        format!("subjects keep their names, but {issuers} issuers are accepted"),
                        "two issuers may use one name for different people",
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
                    "without a secret salt, anyone could resolve the pseudonyms",
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
                    "write the lifetime of issued tokens, e.g. 5m",
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
                    "write the maximum number of actors in an issued token",
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
                    "excess has no effect if allow is empty",
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
            "an empty list would refuse every client",
            "list the clients, or remove clients to accept any",
        );
    }
}
