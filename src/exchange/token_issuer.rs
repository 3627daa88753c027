//! The embedded engine as the token endpoint uses it.

use super::{accept::IssuedToken, embedded::Embedded, error::ExchangeError};
use crate::{policy::PermittedExchange, token::RawToken};
use std::sync::Arc;

/// Issues the gateway's own tokens to clients of the token endpoint. Clones share the engine.
///
/// It is not an [`Exchanger`](super::Exchanger), because not every grant presents a token to exchange: a refresh token
/// names a family, and a user id is not a token.
#[derive(Debug, Clone)]
pub struct TokenIssuer(Arc<Embedded>);

impl TokenIssuer {
    /// Issues the tokens of `engine`.
    pub fn new(engine: Arc<Embedded>) -> Self {
        Self(engine)
    }

    /// Issues the permitted token, and accepts it like the response of an exchanger.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn issue(&self, permitted: PermittedExchange) -> Result<IssuedToken, ExchangeError> {
        let response = self.0.mint(&permitted)?;
        let profile = self.0.own_profile();
        let accepted = IssuedToken::accept(permitted, response, profile, self.0.now());
        accepted.map_err(|error| profile.failure(error))
    }

    /// Issues the ID token that accompanies `issued`.
    ///
    /// # Errors
    /// [`ExchangeError`]. The access token must then not be used either.
    pub fn id_token(&self, issued: &IssuedToken) -> Result<RawToken, ExchangeError> {
        self.0.id_token(issued)
    }
}
