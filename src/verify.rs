//! Proves that a presented token is genuine, current, and meant for the gateway.
//!
//! What enters is a [`PresentedToken`]; what leaves is a [`SubjectToken`], which exists only here and only after every
//! check, or a [`VerifyError`] that names the one that failed. Keys come from the issuer's configuration and are found
//! by (issuer, kid); nothing in a token chooses where a key comes from or which algorithm is acceptable. A fault of
//! the gateway or of the provider is [`VerifyError::KeysUnavailable`], never a verdict about the token.

mod error;
mod issuer;
mod key_source;
mod key_store;
mod refresh;
mod settings;
mod subject;

pub use error::VerifyError;
pub use issuer::TrustedIssuer;
pub use key_store::KeyLease;
pub use settings::{IssuerSettings, KeysSettings};
pub use subject::SubjectToken;

use crate::{
    clock::SharedClock,
    jose::UnverifiedJws,
    source::PresentedToken,
    token::{Audience, RawToken},
};
use std::sync::Arc;

/// Verifies the tokens of one route.
#[derive(Debug)]
pub struct Verifier {
    accepted: Vec<Accepted>,
    own_issuer: Box<str>,
    clock: SharedClock,
}

/// An issuer whose tokens a route takes.
#[derive(Debug, Clone)]
pub struct Accepted {
    issuer: Arc<TrustedIssuer>,
    audiences: Option<Box<[Audience]>>,
}

impl Accepted {
    /// Tokens of that issuer that are addressed to one of `audiences`, instead of to one of the issuer's own list.
    pub fn addressed_to(issuer: Arc<TrustedIssuer>, audiences: Vec<Audience>) -> Self {
        Self {
            issuer,
            audiences: Some(audiences.into()),
        }
    }

    fn audiences(&self) -> &[Audience] {
        self.audiences
            .as_deref()
            .unwrap_or_else(|| self.issuer.audiences())
    }
}

impl From<Arc<TrustedIssuer>> for Accepted {
    fn from(issuer: Arc<TrustedIssuer>) -> Self {
        Self {
            issuer,
            audiences: None,
        }
    }
}

impl Verifier {
    /// Takes tokens of the `accepted` issuers. `own_issuer` is the `iss` of what the gateway mints itself.
    pub fn new(
        accepted: impl IntoIterator<Item = impl Into<Accepted>>,
        own_issuer: &str,
        clock: SharedClock,
    ) -> Self {
        Self {
            accepted: accepted.into_iter().map(Into::into).collect(),
            own_issuer: own_issuer.into(),
            clock,
        }
    }

    /// Verifies a token: its form, issuer, algorithm, key and signature, then its type and claims.
    ///
    /// Waits at most 5 s, and only where the token names a key that is not known yet.
    ///
    /// # Errors
    /// [`VerifyError`]: the first check that failed.
    pub async fn verify(&self, presented: &PresentedToken) -> Result<SubjectToken, VerifyError> {
        self.verify_token(presented.token()).await
    }

    async fn verify_token(&self, token: &RawToken) -> Result<SubjectToken, VerifyError> {
        let jws = UnverifiedJws::parse(token).map_err(VerifyError::Malformed)?;
        let claimed = jws.claimed_issuer().map_err(VerifyError::Malformed)?;
        let accepted = self.accepted(claimed)?;
        let verified = self.verify_from(accepted, jws).await;
        match &verified {
            Ok(_) => accepted.issuer.metrics().token_accepted(),
            // A fault says nothing about the token.
            Err(VerifyError::KeysUnavailable { .. }) => {}
            Err(_) => accepted.issuer.metrics().token_refused(),
        }
        verified
    }

    /// The issuer with exactly that `iss` (RFC 9207, RFC 8725 §3.8); nothing is ever fetched from one that is not here.
    fn accepted(&self, claimed: &str) -> Result<&Accepted, VerifyError> {
        if claimed == &*self.own_issuer {
            return Err(VerifyError::SelfIssued);
        }
        self.accepted
            .iter()
            .find(|accepted| accepted.issuer.url() == claimed)
            .ok_or(VerifyError::UnknownIssuer)
    }

    async fn verify_from(
        &self,
        accepted: &Accepted,
        jws: UnverifiedJws<'_>,
    ) -> Result<SubjectToken, VerifyError> {
        let issuer = &accepted.issuer;
        let alg = jws.alg();
        if !issuer.algorithms().contains(&alg) {
            let issuer = issuer.shared_name();
            return Err(VerifyError::AlgorithmNotAccepted { issuer, alg });
        }
        let key = issuer.keys().key(jws.kid(), alg).await?;
        let verified = key
            .verify(jws, issuer.algorithms())
            .map_err(VerifyError::Signature)?;
        subject::accept(
            issuer,
            accepted.audiences(),
            verified,
            key.into_lease(),
            self.clock.now(),
        )
    }
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests;
