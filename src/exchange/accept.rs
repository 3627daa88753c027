//! The acceptance check: an issued token is read again and compared with what was permitted. There is no way around it.

mod bounds;
mod error;
mod reading;

pub use error::AttenuationError;
pub use reading::Reading;

use super::TokenResponse;
use crate::{
    clock::UnixTime,
    policy::PermittedExchange,
    store::Lineage,
    token::{Claims, RawToken, ScopeSet, TokenFormat},
};
use bounds::Bounds;

/// Proof that a token grants no more than the policy permitted.
#[derive(Debug)]
pub struct IssuedToken {
    token: RawToken,
    permitted: PermittedExchange,
    claims: Claims,
    expires_at: UnixTime,
    scope: ScopeSet,
    id: Box<str>,
    lineage: Lineage,
}

impl IssuedToken {
    /// Compares `response` with `permitted`, including its form. `by` names the exchanger and knows how to read its
    /// tokens.
    ///
    /// # Errors
    /// [`AttenuationError`] says how the token exceeds what was permitted. It must not be used.
    pub fn accept<'a>(
        permitted: PermittedExchange,
        response: TokenResponse,
        by: impl Into<Reading<'a>>,
        now: UnixTime,
    ) -> Result<Self, AttenuationError> {
        let by = by.into();
        let read = by.read(&response.access_token, permitted.format())?;
        let bounds = Bounds {
            permitted: &permitted,
            format: permitted.format(),
            made_from: permitted.lineage(),
            at_hash: None,
            now,
        };
        let held = bounds.hold(&read, &by)?;
        Ok(Self {
            token: response.access_token,
            permitted,
            claims: read.claims,
            expires_at: held.expires_at,
            scope: held.scope,
            id: held.id,
            lineage: held.lineage,
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

    /// The claims of the token, also of an opaque one.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The form of the token.
    pub fn format(&self) -> TokenFormat {
        self.permitted.format()
    }

    /// The expiry time of the token.
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// The scope of the token. For an ID token, which has no `scope` claim, the scope that was permitted with it.
    pub fn scope(&self) -> &ScopeSet {
        &self.scope
    }

    /// The `jti` of the token.
    pub fn id(&self) -> &str {
        &self.id
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
        by: &Reading<'_>,
        now: UnixTime,
    ) -> Result<RawToken, AttenuationError> {
        let read = by.read(&id_token, TokenFormat::IdToken)?;
        let bounds = Bounds {
            permitted: &self.permitted,
            format: TokenFormat::IdToken,
            made_from: &self.lineage,
            at_hash: Some(at_hash),
            now,
        };
        bounds.hold(&read, by)?;
        Ok(id_token)
    }
}
