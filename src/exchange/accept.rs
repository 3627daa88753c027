//! The acceptance check: the response of an exchanger is compared with what was permitted, by the exchanger's profile.
//! There is no way around it.

mod accepted;
mod error;
mod own;
mod profile;
mod provider;
mod read;

pub use error::AttenuationError;
pub use profile::{
    AcceptProfile, ActorRule, LongerLived, ProviderProfile, Readability, WithoutExpiry,
};

use super::response::TokenResponse;
use crate::{
    clock::UnixTime,
    policy::PermittedExchange,
    store::Lineage,
    token::{Claims, RawToken, ScopeSet, TokenFormat},
};
use accepted::Reuse;
use own::Bounds;
use profile::Rules;

/// Proof that a token grants no more than the policy permitted.
#[derive(Debug)]
pub struct IssuedToken {
    token: RawToken,
    permitted: PermittedExchange,
    /// `None` if only the provider can read the token.
    claims: Option<Claims>,
    expires_at: UnixTime,
    reuse: Reuse,
    scope: ScopeSet,
    id: Option<Box<str>>,
    lineage: Lineage,
}

impl IssuedToken {
    /// Compares `response` with `permitted`, by the profile of the exchanger that returned it.
    ///
    /// # Errors
    /// [`AttenuationError`] says how the response exceeds what was permitted. It must not be used.
    pub fn accept(
        permitted: PermittedExchange,
        response: TokenResponse,
        by: AcceptProfile<'_>,
        now: UnixTime,
    ) -> Result<Self, AttenuationError> {
        let accepted = match by.0 {
            Rules::Own(by) => {
                own::members(&response, &permitted, now)?;
                let read = by.read(&response.access_token, permitted.format())?;
                let bounds = Bounds {
                    permitted: &permitted,
                    format: permitted.format(),
                    made_from: permitted.lineage(),
                    at_hash: None,
                    now,
                };
                bounds.check(read, &by)?
            }
            Rules::Provider(profile, presented) => {
                provider::check(profile, &permitted, &response, presented, now)?
            }
        };
        Ok(Self {
            token: response.access_token,
            permitted,
            claims: accepted.claims,
            expires_at: accepted.expires_at,
            reuse: accepted.reuse,
            scope: accepted.scope,
            id: accepted.id,
            lineage: accepted.lineage,
        })
    }

    /// The token, to be exposed only where the header field is made.
    pub fn token(&self) -> &RawToken {
        &self.token
    }

    /// The permitted exchange, including the subject token.
    pub fn permitted(&self) -> &PermittedExchange {
        &self.permitted
    }

    /// The claims of the token, also of an opaque one of the gateway. `None` if only the provider can read the token.
    pub fn claims(&self) -> Option<&Claims> {
        self.claims.as_ref()
    }

    /// The time until which the token may be used. It is never later than permitted.
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// Returns `true` if the token may be cached until it expires. `false` if it is unknown when it expires.
    pub fn may_be_cached(&self) -> bool {
        self.reuse == Reuse::UntilExpiry
    }

    /// The scope of the token. For an ID token, which has no `scope` claim, the scope that was permitted with it.
    pub fn scope(&self) -> &ScopeSet {
        &self.scope
    }

    /// The `jti` of the token, which every token of the gateway has.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The lineage: every key whose revocation ends the token, including its own.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// Compares an ID token that the engine issued with this token with the same permitted exchange. `at_hash` is the
    /// hash of this token.
    pub(super) fn accompanied_by(
        &self,
        id_token: RawToken,
        at_hash: &str,
        by: AcceptProfile<'_>,
        now: UnixTime,
    ) -> Result<RawToken, AttenuationError> {
        let Rules::Own(by) = by.0 else {
            // only the engine issues an ID token with an access token
            return Err(AttenuationError::TokenType);
        };
        let read = by.read(&id_token, TokenFormat::IdToken)?;
        let bounds = Bounds {
            permitted: &self.permitted,
            format: TokenFormat::IdToken,
            made_from: &self.lineage,
            at_hash: Some(at_hash),
            now,
        };
        bounds.check(read, &by)?;
        Ok(id_token)
    }
}
