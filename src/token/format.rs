//! The forms in which a token is issued.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `typ` in the header of an issued access token in JWT form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum AccessTokenType {
    /// As RFC 9068 §2.1 has it.
    #[default]
    #[serde(rename = "at+jwt")]
    AtJwt,
    /// For APIs that know no other.
    #[serde(rename = "JWT")]
    Jwt,
}

impl AccessTokenType {
    /// As the header has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AtJwt => "at+jwt",
            Self::Jwt => "JWT",
        }
    }
}

/// The form of an issued token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenFormat {
    /// A signed access token that its API verifies itself (RFC 9068).
    #[default]
    Jwt,
    /// An encrypted access token that only the gateway reads; its API introspects it (RFC 7662).
    Opaque,
    /// A signed statement about who the user is (OpenID Connect Core §2), for no API.
    IdToken,
}

impl TokenFormat {
    /// As the configuration calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::Opaque => "opaque",
            Self::IdToken => "id_token",
        }
    }
}
