//! `clients[]` as it is written.

use crate::{
    policy::{DetailsRule, Excess, ScopeRule},
    settings::{HumanDuration, written_list},
    token::{Audience, ScopeSet, TokenFormat},
    verify::ClientAuthenticationSettings,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};
use std::{borrow::Cow, fmt};

/// One item of `clients`: an application, the ceiling of what it may have on whatever route it calls, and what it may do
/// at the token service.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    /// The `client_id`, as subject tokens name it.
    pub id: String,
    /// How it proves at the token service who it is; without it the client has no business there.
    pub authentication: Option<ClientAuthenticationSettings>,
    /// The names of the trusted issuers whose tokens it may exchange; all where absent. With one, `sub` stays as that
    /// issuer writes it, and another issuer's tokens are refused.
    #[serde(default, deserialize_with = "written_list")]
    #[schemars(length(min = 1))]
    pub accepts: Option<Vec<String>>,
    /// How the token service names the subject in tokens for it: `same`, which is the default where it accepts one issuer
    /// and refused where it accepts several, or `qualified`, which is the default there.
    pub subject: Option<ClientSubject>,
    /// What it may ask the token service for; nothing where absent.
    #[serde(default, deserialize_with = "written_list")]
    #[schemars(length(min = 1))]
    pub grants: Option<Vec<Grant>>,
    /// The audiences it may get tokens for; whatever its routes issue for where absent. The token service needs them.
    #[serde(default, deserialize_with = "written_list")]
    #[schemars(length(min = 1))]
    pub audiences: Option<Vec<Audience>>,
    /// Whether the audiences of the presented tokens bound those of the issued one too, at the token service.
    #[serde(default)]
    pub audience_rule: AudienceRule,
    /// The scopes it may get; needed where it gets tokens.
    pub scope: Option<ClientScopeSettings>,
    /// The forms of token it may get at the token service. The first that is an access token is what it gets where it
    /// does not say, and for a refresh token.
    #[serde(default = "default_formats")]
    #[schemars(length(min = 1))]
    pub token_formats: Vec<TokenFormat>,
    /// Whose tokens it may exchange at the token service besides those that were issued or addressed to it: `any`, or the
    /// ids of other clients.
    #[serde(default)]
    pub subjects_of: Names,
    /// Tokens that carry `authorization_details` (RFC 9396), presented to the token service: `refuse` them, or `copy` the
    /// details unchanged into what is issued.
    #[serde(default)]
    pub authorization_details: DetailsRule,
    /// The longest life of a token issued for it; the route's, or `issuer.lifetime`, where absent.
    pub lifetime: Option<HumanDuration>,
    /// How long its refresh tokens serve; needs the grant `refresh_token`.
    pub refresh: Option<RefreshSettings>,
    /// Tokens that already were exchanged here.
    #[serde(default)]
    pub chain: ClientChainSettings,
    /// Which `resource` stands for which audience (RFC 8707).
    #[serde(default)]
    pub resources: Vec<ResourceSettings>,
    /// In whose place it may let actors act whom the directory permits it; in nobody's where absent.
    pub impersonation: Option<ImpersonationSettings>,
    /// The audiences whose tokens it may introspect.
    #[serde(default)]
    pub introspects: Vec<Audience>,
}

/// What a client may ask the token service for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// A token for another token (RFC 8693).
    TokenExchange,
    /// A new token for a refresh token (RFC 6749 §6).
    RefreshToken,
    /// A token for another one, in the way of Microsoft Entra.
    EntraObo,
}

/// How the token service names the subject of a client's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientSubject {
    /// As the issuer names it.
    Same,
    /// `<issuer name>:<sub>`.
    Qualified,
}

/// What bounds the audiences of a token besides the client's list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AudienceRule {
    /// Nothing.
    #[default]
    Listed,
    /// The audiences of the subject's and the actor's token.
    FromTokens,
}

/// `clients[].scope`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientScopeSettings {
    /// The ceiling, in the downstream's names.
    pub allow: ScopeSet,
    /// `user_only`: the ceiling does not count on routes that say so too, nor at the token service for what the subject's
    /// own token holds.
    #[serde(default)]
    pub rule: ScopeRule,
    /// How the scopes begin that `user_only` is about; all where absent.
    pub rule_prefix: Option<String>,
    /// What happens at the token service where the client asks for more than is allowed and held: `refuse`, or `drop`
    /// what is too much.
    #[serde(default = "refuse")]
    pub excess: Excess,
}

/// `clients[].refresh`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RefreshSettings {
    /// A refresh token that was not used for so long serves no more.
    pub idle: HumanDuration,
    /// From the first token on, all that come of it end after this.
    pub absolute: HumanDuration,
}

/// `clients[].chain`.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientChainSettings {
    /// Whether it may exchange tokens that the gateway issued itself.
    pub accept_own: bool,
}

/// `clients[].resources[]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceSettings {
    /// What the client writes: an absolute URI without a fragment, compared character by character.
    pub resource: String,
    /// The audience that it stands for, one of the client's.
    pub audience: Audience,
}

/// `clients[].impersonation`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImpersonationSettings {
    /// In whose place: `any`, or the ids of users of the directory.
    pub may_act_for: Names,
    /// How the subject may be named.
    #[schemars(length(min = 1))]
    pub subjects: Vec<ImpersonatedSubject>,
}

/// How a client may name the subject of an impersonation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImpersonatedSubject {
    /// By an access token of the subject.
    AccessToken,
    /// By an ID token of the subject.
    IdToken,
    /// By a JWT that the client signs.
    Jwt,
    /// By the plain id of a user in the directory.
    UserId,
}

/// Names, or all there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// `any`.
    Any,
    /// A list; the empty one is nobody.
    These(Vec<String>),
}

impl Names {
    /// Whether `name` is among them.
    pub fn include(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(names) => names.iter().any(|other| other == name),
        }
    }
}

impl Default for Names {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyOrList;
        impl<'de> Visitor<'de> for AnyOrList {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any, or a list of names")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Names, E> {
                match text {
                    "any" => Ok(Names::Any),
                    other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = items.next_element()? {
                    names.push(name);
                }
                Ok(Names::These(names))
            }
        }
        deserializer.deserialize_any(AnyOrList)
    }
}

impl JsonSchema for Names {
    fn schema_name() -> Cow<'static, str> {
        "Names".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "`any`, or a list of names.",
            "oneOf": [
                { "const": "any" },
                { "type": "array", "items": { "type": "string" } },
            ],
        })
    }
}

impl Default for RefreshSettings {
    fn default() -> Self {
        Self {
            idle: HumanDuration::from_secs(7 * 24 * 3_600),
            absolute: HumanDuration::from_secs(30 * 24 * 3_600),
        }
    }
}

fn default_formats() -> Vec<TokenFormat> {
    vec![TokenFormat::Opaque, TokenFormat::Jwt, TokenFormat::IdToken]
}

const fn refuse() -> Excess {
    Excess::Refuse
}
