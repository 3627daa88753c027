//! The formats of issued tokens.

use crate::settings::fingerprint;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `typ` in the header of an issued JWT access token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum AccessTokenType {
    /// The type of RFC 9068 §2.1.
    #[default]
    #[serde(rename = "at+jwt")]
    AtJwt,
    /// For APIs that support no other value.
    #[serde(rename = "JWT")]
    Jwt,
}

fingerprint!(AccessTokenType = AtJwt | Jwt);

impl AccessTokenType {
    /// The value in the header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AtJwt => "at+jwt",
            Self::Jwt => "JWT",
        }
    }
}

/// The format of an issued token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenFormat {
    /// A signed access token that the API verifies itself (RFC 9068).
    #[default]
    Jwt,
    /// An encrypted access token that only the gateway can read. The API uses introspection (RFC 7662).
    Opaque,
    /// A signed statement about the user (OpenID Connect Core §2). It gives no access to APIs.
    IdToken,
}

fingerprint!(TokenFormat = Jwt | Opaque | IdToken);

impl TokenFormat {
    /// The name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::Opaque => "opaque",
            Self::IdToken => "id_token",
        }
    }
}
