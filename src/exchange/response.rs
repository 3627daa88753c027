//! The response of an exchanger, before it is checked.

use crate::{
    telemetry::Facts,
    token::{RawToken, ScopeSet, TokenTypeUri},
};
use std::time::Duration;

/// The unchecked response of an exchanger (RFC 8693 §2.2.1).
#[derive(Debug)]
pub struct TokenResponse {
    /// `access_token`. RFC 8693 uses this member for every type of token.
    pub access_token: RawToken,
    /// `issued_token_type`.
    pub issued_token_type: TokenTypeUri,
    /// `token_type`.
    pub token_type: TokenType,
    /// `expires_in`: how long the token is valid from now on.
    pub expires_in: Option<Duration>,
    /// `scope`. If it is absent, the token has the requested scope.
    pub scope: Option<ScopeSet>,
    /// `true` if the response contains a `refresh_token`. The gateway does not use it and does not keep it.
    pub has_refresh_token: bool,
}

/// `token_type`: how the token is presented (RFC 6749 §7.1, RFC 8693 §2.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenType {
    /// `Bearer` (RFC 6750).
    Bearer,
    /// `N_A`: the token is not presented to an API.
    NotApplicable,
}

impl TokenType {
    /// The value as it is sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::NotApplicable => "N_A",
        }
    }
}

impl TokenResponse {
    /// A response with a bearer access token and no optional member.
    pub fn bearer(access_token: RawToken) -> Self {
        Self {
            access_token,
            issued_token_type: TokenTypeUri::AccessToken,
            token_type: TokenType::Bearer,
            expires_in: None,
            scope: None,
            has_refresh_token: false,
        }
    }

    /// A response with an ID token and no optional member.
    pub fn id_token(id_token: RawToken) -> Self {
        Self {
            issued_token_type: TokenTypeUri::IdToken,
            token_type: TokenType::NotApplicable,
            ..Self::bearer(id_token)
        }
    }

    /// Returns what `explain` shows of the response besides the checked token.
    pub fn facts(&self) -> Facts {
        if self.has_refresh_token {
            Facts::found("with a refresh token, which is discarded")
        } else {
            Facts::default()
        }
    }
}
