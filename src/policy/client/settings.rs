//! The `clients[]` section of the configuration.

use crate::{
    policy::{DetailsRule, Excess, ScopeRule},
    settings::{Fingerprint, Fingerprinter, HumanDuration, fingerprint, written_list},
    token::{Audience, ScopeSet, TokenFormat},
    verify::ClientAuthenticationSettings,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};
use std::{borrow::Cow, fmt};

/// A client application: the most that it may have on any route that it calls, and what it may do at the token
/// service.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    /// The client id, as subject tokens name the application.
    pub id: String,
    /// How the client authenticates at the token service. Without it the client cannot use the token service.
    pub authentication: Option<ClientAuthenticationSettings>,
    /// Names of the trusted issuers whose tokens the client may exchange. Tokens of other issuers are refused.
    /// Default: all trusted issuers.
    #[serde(default, deserialize_with = "written_list")]
    #[schemars(length(min = 1))]
    pub accepts: Option<Vec<String>>,
    /// How the token service writes `sub` in this client's tokens. Default: `same` if the client accepts one issuer,
    /// `qualified` if it accepts several. `same` is refused if it accepts several.
    pub subject: Option<ClientSubject>,
    /// The grants that the client may use at the token service. Default: none.
    #[serde(default, deserialize_with = "written_list")]
    #[schemars(length(min = 1))]
    pub grants: Option<Vec<Grant>>,
    /// The audiences that the client may get tokens for. Required for a client that exchanges tokens at the token
    /// service. On routes, the default is any audience.
    #[serde(default, deserialize_with = "written_list")]
    #[schemars(length(min = 1))]
    pub audiences: Option<Vec<Audience>>,
    /// Whether the audiences of the presented tokens also limit the audiences that the client can get at the token
    /// service.
    #[serde(default)]
    pub audience_rule: AudienceRule,
    /// The scopes that the client may get. Required if the client gets tokens.
    pub scope: Option<ClientScopeSettings>,
    /// The token formats that the client may get at the token service. The first access token format in the list is
    /// the default for requests that name no format, and for refreshed tokens.
    #[serde(default = "default_formats")]
    #[schemars(length(min = 1))]
    pub token_formats: Vec<TokenFormat>,
    /// Other clients whose tokens this client may exchange at the token service: `any`, or a list of client ids.
    /// Tokens issued to or addressed to the client itself are always accepted. Default: no other clients.
    #[serde(default)]
    pub subjects_of: Names,
    /// What to do with tokens that carry `authorization_details` (RFC 9396) and are presented at the token service:
    /// `refuse` the token, or `copy` the details unchanged into the issued token.
    #[serde(default)]
    pub authorization_details: DetailsRule,
    /// Maximum lifetime of tokens issued for this client. Default: the route's lifetime, or `issuer.lifetime`.
    pub lifetime: Option<HumanDuration>,
    /// How long the client's refresh tokens are valid. The client needs the grant `refresh_token`.
    pub refresh: Option<RefreshSettings>,
    /// Whether the client may exchange tokens that this gateway issued.
    #[serde(default)]
    pub chain: ClientChainSettings,
    /// Maps values of the `resource` parameter (RFC 8707) to audiences.
    #[serde(default)]
    pub resources: Vec<ResourceSettings>,
    /// Users whom permitted actors may impersonate through this client. The directory must permit it too. Default:
    /// none.
    pub impersonation: Option<ImpersonationSettings>,
    /// The audiences whose tokens the client may introspect. Default: none.
    #[serde(default)]
    pub introspects: Vec<Audience>,
}

fingerprint!(ClientSettings {
    fields: [
        id,
        authentication,
        accepts,
        subject,
        grants,
        audiences,
        audience_rule,
        scope,
        token_formats,
        subjects_of,
        authorization_details,
        lifetime,
        refresh,
        chain,
        resources,
        impersonation,
        introspects
    ],
});

/// What a client may request at the token service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// Exchange a token for another one (RFC 8693).
    TokenExchange,
    /// Get a new access token for a refresh token (RFC 6749 §6).
    RefreshToken,
    /// Exchange a token with Microsoft Entra's on-behalf-of request.
    EntraObo,
}

fingerprint!(Grant = TokenExchange | RefreshToken | EntraObo);

/// How the token service writes the subject of a client's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientSubject {
    /// `sub` unchanged, as the issuer names the user.
    Same,
    /// `<issuer name>:<sub>`, for example `corp:alice`.
    Qualified,
}

fingerprint!(ClientSubject = Same | Qualified);

/// What limits the audiences of a token in addition to the client's list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AudienceRule {
    /// Only the client's `audiences` apply.
    #[default]
    Listed,
    /// The audience must also be in the subject token or the actor token.
    FromTokens,
}

fingerprint!(AudienceRule = Listed | FromTokens);

/// The scopes that a client may get.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientScopeSettings {
    /// The most scopes that the client may get, in the names that the APIs use. `[]` if its APIs use no scopes.
    pub allow: ScopeSet,
    /// `user_only`: on routes with the same rule, `allow` does not limit the scopes. At the token service, it does
    /// not limit the scopes of the subject token.
    #[serde(default)]
    pub rule: ScopeRule,
    /// The prefix of the scopes that `user_only` applies to. Default: all scopes.
    pub rule_prefix: Option<String>,
    /// What the token service does if a request names more scope than the client may get or the tokens have: `refuse`
    /// the request with 400 `invalid_scope`, or `drop` the excess scopes.
    #[serde(default = "refuse")]
    pub excess: Excess,
}

fingerprint!(ClientScopeSettings {
    fields: [allow, rule, rule_prefix, excess],
});

/// How long a client's refresh tokens are valid.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RefreshSettings {
    /// A refresh token expires if it is not used for this long.
    pub idle: HumanDuration,
    /// A refresh token and all tokens that replace it expire this long after the first one was issued. At least
    /// `idle`.
    pub absolute: HumanDuration,
}

fingerprint!(RefreshSettings {
    fields: [idle, absolute],
});

/// Whether a client may exchange tokens that this gateway issued.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientChainSettings {
    /// Lets the client exchange tokens that this gateway issued. Without it they are refused.
    pub accept_own: bool,
}

fingerprint!(ClientChainSettings {
    fields: [accept_own],
});

/// Maps one `resource` to an audience (RFC 8707).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceSettings {
    /// The value of the `resource` parameter: an absolute URI without a fragment, compared character by character.
    pub resource: String,
    /// The audience that this resource maps to. It must be one of the client's `audiences`.
    pub audience: Audience,
}

fingerprint!(ResourceSettings {
    fields: [resource, audience],
});

/// Which users actors may impersonate through a client. The directory must also give the actor a permission.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImpersonationSettings {
    /// The users who may be impersonated: `any`, or a list of user ids of the directory.
    pub may_act_for: Names,
    /// The ways in which a request may identify the user.
    #[schemars(length(min = 1))]
    pub subjects: Vec<ImpersonatedSubject>,
}

fingerprint!(ImpersonationSettings {
    fields: [may_act_for, subjects],
});

/// How a request may identify the user to impersonate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImpersonatedSubject {
    /// An access token of the user.
    AccessToken,
    /// An ID token of the user.
    IdToken,
    /// A JWT signed by the client.
    Jwt,
    /// The plain id of a user in the directory.
    UserId,
}

fingerprint!(ImpersonatedSubject = AccessToken | IdToken | Jwt | UserId);

/// A list of names, or all names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// `any`.
    Any,
    /// A list. The empty list contains no name.
    These(Vec<String>),
}

impl Fingerprint for Names {
    fn add_to(&self, fingerprint: &mut Fingerprinter<'_>) {
        match self {
            Self::Any => fingerprint.value(b"any"),
            Self::These(names) => names.add_to(fingerprint),
        }
    }
}

impl Names {
    /// Returns `true` if `name` is included.
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
