//! What every exchanger implements.

use super::{accept::AcceptProfile, error::ExchangeError, response::TokenResponse};
use crate::{policy::PermittedExchange, source::PresentedToken};
use std::fmt;

/// Issues or fetches the token for a permitted exchange.
pub trait Exchanger: Send + Sync + fmt::Debug {
    /// Exchanges `presented`, the token that the client sent, for the token that `permitted` describes. The response is
    /// not checked yet: [`IssuedToken::accept`](super::IssuedToken::accept) checks it.
    ///
    /// `presented` was verified. It may be sent to the identity provider, and to no other place.
    fn exchange(
        &self,
        permitted: &PermittedExchange,
        presented: &PresentedToken,
    ) -> impl Future<Output = Result<TokenResponse, ExchangeError>> + Send;

    /// The rules by which a response to the exchange of `presented` is accepted.
    fn profile<'a>(&'a self, presented: &'a PresentedToken) -> AcceptProfile<'a>;
}
