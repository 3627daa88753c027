//! What a client may ask the token endpoint for.

use super::{
    Peer, TokenAnswer, authentication::AuthenticatedClient, error::OAuthError, form::Form,
};

/// A way to get a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grant {
    /// `urn:ietf:params:oauth:grant-type:token-exchange` (RFC 8693 §2.1).
    TokenExchange,
    /// `refresh_token` (RFC 6749 §6).
    RefreshToken,
    /// `urn:ietf:params:oauth:grant-type:jwt-bearer` in Microsoft Entra's form: on behalf of the assertion's user.
    EntraObo,
}

impl Grant {
    /// The grant that a form asks for.
    fn of(form: &Form) -> Result<Self, OAuthError> {
        let named = form
            .get("grant_type")
            .ok_or_else(|| OAuthError::invalid_request("grant_type is missing"))?;
        match (named, form.get("requested_token_use")) {
            ("urn:ietf:params:oauth:grant-type:token-exchange", _) => Ok(Self::TokenExchange),
            ("refresh_token", _) => Ok(Self::RefreshToken),
            ("urn:ietf:params:oauth:grant-type:jwt-bearer", Some("on_behalf_of")) => {
                Ok(Self::EntraObo)
            }
            _ => Err(OAuthError::unsupported_grant_type()),
        }
    }
}

/// What the metadata names (RFC 8414 §2): the grants that somebody can get something by.
pub(super) fn offered() -> Vec<&'static str> {
    Vec::new()
}

/// Answers a request of `client` for a token.
pub(super) async fn answer(
    _client: &AuthenticatedClient,
    form: &Form,
    _peer: &Peer,
) -> Result<TokenAnswer, OAuthError> {
    match Grant::of(form)? {
        Grant::TokenExchange | Grant::RefreshToken | Grant::EntraObo => {
            Err(OAuthError::unsupported_grant_type())
        }
    }
}
