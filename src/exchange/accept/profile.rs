//! By which rules the response of an exchanger is accepted.

use super::{
    error::AttenuationError,
    read::{Read, read_jws},
};
use crate::{
    exchange::{error::ExchangeError, response::TokenType},
    own_token::TokenSeal,
    source::PresentedToken,
    token::{Audience, RawToken, ScopeSet, TokenFormat, TokenTypeUri},
};

/// The rules by which the response of one exchanger is accepted.
#[derive(Debug, Clone, Copy)]
pub struct AcceptProfile<'a>(pub(super) Rules<'a>);

#[derive(Debug, Clone, Copy)]
pub(super) enum Rules<'a> {
    Own(OwnProfile<'a>),
    Provider(&'a ProviderProfile, &'a PresentedToken),
}

/// The rules for the tokens of the embedded engine: every token is read again, and states exactly what was permitted.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnProfile<'a> {
    pub(super) issuer: &'a str,
    pub(super) seal: Option<&'a TokenSeal>,
}

/// The rules for the tokens of an identity provider, for exchangers that ask one for the token.
///
/// If the gateway can read a token, it checks the claims too. Of any other token it knows only the members of the
/// response.
#[derive(Debug, Clone)]
pub struct ProviderProfile {
    /// `iss` of the provider's tokens.
    pub issuer: Box<str>,
    /// `iss` of the gateway's own tokens. A provider must not return one of them.
    pub gateway: Box<str>,
    /// Whether the gateway has to be able to read the tokens.
    pub readability: Readability,
    /// The name of the permitted audience in the provider's tokens. `None`: the same name.
    pub audience: Option<Audience>,
    /// The accepted values of `issued_token_type`.
    pub issued_token_types: Vec<TokenTypeUri>,
    /// The accepted values of `token_type`.
    pub token_types: Vec<TokenType>,
    /// Scopes that the provider's tokens may have although they were not permitted, such as `profile`.
    pub tolerates: ScopeSet,
    /// Whether the provider's tokens name the actors.
    pub actor: ActorRule,
    /// What happens to a token that is valid for longer than permitted.
    pub longer_lived: LongerLived,
    /// What happens to a token of which neither the response nor a claim says when it expires.
    pub without_expiry: WithoutExpiry,
}

/// Whether the gateway has to be able to read a provider's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readability {
    /// Only a JWT is accepted.
    Required,
    /// Any token is accepted. One with the form of a JWT must be readable.
    Optional,
}

/// Whether a provider's tokens name the actors (RFC 8693 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorRule {
    /// `act` is exactly the permitted chain. If there is one, the gateway has to be able to read the token.
    Permitted,
    /// The provider decides whether and how it names the gateway. A subject token that names actors is refused, because
    /// they could be lost.
    Provider,
    /// The actors may be lost.
    MayBeLost,
}

/// What happens to a provider's token that is valid for longer than permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LongerLived {
    /// It is used only for as long as permitted.
    Cap,
    /// It is refused.
    Refuse,
}

/// What happens to a provider's token without an expiry time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutExpiry {
    /// It is refused.
    Refuse,
    /// It is used for the requests that waited for it, and not cached.
    DoNotCache,
}

impl<'a> AcceptProfile<'a> {
    /// The rules for tokens that the embedded engine signs as `issuer`, or seals with `seal`.
    pub fn own(issuer: &'a str, seal: Option<&'a TokenSeal>) -> Self {
        Self(Rules::Own(OwnProfile { issuer, seal }))
    }

    /// The rules for tokens that a provider returns in exchange for `presented`, which must not be returned itself.
    pub fn provider(profile: &'a ProviderProfile, presented: &'a PresentedToken) -> Self {
        Self(Rules::Provider(profile, presented))
    }

    /// The error of an exchange whose response is refused for this reason.
    pub fn failure(self, error: AttenuationError) -> ExchangeError {
        match self.0 {
            // a fault of the gateway, while the provider is responsible for its own responses
            Rules::Own(_) => ExchangeError::NotAsPermitted(error),
            Rules::Provider(..) => ExchangeError::WiderThanPermitted(error),
        }
    }
}

impl OwnProfile<'_> {
    /// Reads the claims of a token. The signature needs no check, because the token came from the engine and not from a
    /// client.
    pub(super) fn read(
        &self,
        token: &RawToken,
        format: TokenFormat,
    ) -> Result<Read, AttenuationError> {
        match format {
            TokenFormat::Opaque => {
                let opened = self.seal.and_then(|seal| seal.open(token));
                let (claims, lineage) = opened.ok_or(AttenuationError::Unreadable)?;
                Ok(Read {
                    claims,
                    typ: None,
                    kid: None,
                    lineage: Some(lineage),
                })
            }
            TokenFormat::Jwt | TokenFormat::IdToken => read_jws(token),
        }
    }
}
