//! The only door out of the exchange: what was issued is read again and held against what was permitted.

mod bounds;
mod reading;

pub use bounds::Wider;
pub use reading::Reading;

use super::TokenResponse;
use crate::{
    clock::UnixTime,
    policy::PermittedExchange,
    store::Lineage,
    token::{Claims, RawToken, ScopeSet, TokenFormat},
};
use bounds::Bounds;

/// A token that is no wider than a policy permitted.
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
    /// Holds `response` against `permitted`, in the form that was permitted; `by` says who answered it and how that is
    /// read.
    ///
    /// # Errors
    /// [`Wider`] says in what way the token is not what was permitted; it is then used nowhere.
    pub fn accept<'a>(
        permitted: PermittedExchange,
        response: TokenResponse,
        by: impl Into<Reading<'a>>,
        now: UnixTime,
    ) -> Result<Self, Wider> {
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

    /// The token, for the one place that makes a header of it.
    pub fn token(&self) -> &RawToken {
        &self.token
    }

    /// What was permitted, the subject token included.
    pub fn permitted(&self) -> &PermittedExchange {
        &self.permitted
    }

    /// What it says; of an opaque token too.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Its form.
    pub fn format(&self) -> TokenFormat {
        self.permitted.format()
    }

    /// When it ends.
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// The scope that it has; of an ID token the scope that was permitted with it, which the token itself does not say.
    pub fn scope(&self) -> &ScopeSet {
        &self.scope
    }

    /// Its `jti`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Everything whose revocation ends it, itself included.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// Holds an ID token that the engine made to accompany this one against the same permit. `at_hash` is the digest of
    /// this token.
    pub(super) fn accompanied_by(
        &self,
        id_token: RawToken,
        at_hash: &str,
        by: &Reading<'_>,
        now: UnixTime,
    ) -> Result<RawToken, Wider> {
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
