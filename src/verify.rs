//! The verification of presented tokens: they must be genuine, current, and addressed to the gateway.
//!
//! A [`Verifier`] turns a [`PresentedToken`] into a [`SubjectToken`], which can be made only here and only after every
//! check, or into a [`VerifyError`] that names the failed check. Keys come from the issuer's configuration and are
//! looked up by (issuer, kid). Nothing in a token decides where a key comes from or which algorithm is acceptable. A
//! failure of the gateway or of the provider is [`VerifyError::KeysUnavailable`], never a verdict about the token.

mod client;
pub mod directory;
mod endpoint;
mod error;
mod issuer;
mod key_source;
mod key_store;
mod known_as;
mod own;
mod refetch;
mod refresh;
mod roles;
mod settings;
mod subject;

pub use client::{
    AssertionError, AssertionReuse, AssertionTerms, CertificateName, ClientAuthenticationSettings,
    ClientAuthenticator, ClientError, ClientKeys, ClientMethod, DistinguishedName,
    NotADistinguishedName, PresentedClient, ProofTerms, ProvenClient, Uses, VerifiedAssertion,
};
pub use directory::{Directory, DirectorySettings, User, UserIds};
pub use endpoint::{ClientTerms, TokenEndpointVerifier};
pub use error::VerifyError;
pub use issuer::TrustedIssuer;
pub use key_store::KeyLease;
pub use known_as::KnownAsSettings;
pub use own::{Origins, OwnTokens};
pub use roles::{RoleGrant, RoleSettings};
pub use settings::{IssuerSettings, KeysSettings};
pub use subject::{
    ActorToken, FamilySubject, Impersonator, RevocableToken, SubjectKindOfToken, SubjectToken,
};

use crate::{
    clock::SharedClock,
    jose::UnverifiedJws,
    own_token::TokenSeal,
    source::PresentedToken,
    store::Revocations,
    telemetry::{DecisionObserver, DecisionStep, Facts},
    token::{Audience, RawToken},
};
use std::sync::Arc;
use subject::{Addressee, Proven};

/// Verifies the tokens of one route.
#[derive(Debug)]
pub struct Verifier {
    accepted: Vec<Accepted>,
    own_issuer: Box<str>,
    own: Option<OwnTokens>,
    revocations: Option<Revocations>,
    clock: SharedClock,
}

/// An issuer whose tokens a route accepts.
#[derive(Debug, Clone)]
pub struct Accepted {
    issuer: Arc<TrustedIssuer>,
    audiences: Option<Box<[Audience]>>,
}

impl Accepted {
    /// Accepts tokens that are addressed to one of `audiences`, instead of to one of the issuer's own audiences.
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
    /// Accepts tokens of the `accepted` issuers. `own_issuer` is the `iss` of the tokens that the gateway issues.
    pub fn new(
        accepted: impl IntoIterator<Item = impl Into<Accepted>>,
        own_issuer: &str,
        clock: SharedClock,
    ) -> Self {
        Self {
            accepted: accepted.into_iter().map(Into::into).collect(),
            own_issuer: own_issuer.into(),
            own: None,
            revocations: None,
            clock,
        }
    }

    /// Also accepts these tokens of the gateway itself.
    #[must_use]
    pub fn accepting(self, own: Option<OwnTokens>) -> Self {
        Self { own, ..self }
    }

    /// Also refuses revoked tokens.
    #[must_use]
    pub fn heeding(self, revocations: Option<Revocations>) -> Self {
        Self {
            revocations,
            ..self
        }
    }

    /// The `iss` values of the accepted issuers.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.accepted.iter().map(|accepted| accepted.issuer.url())
    }

    /// Verifies a token: its form, issuer, algorithm, key and signature, then its type and claims.
    ///
    /// Waits only if the token names an unknown key, and then at most 5 s.
    ///
    /// # Errors
    /// [`VerifyError`]: the first check that failed.
    pub async fn verify(&self, presented: &PresentedToken) -> Result<SubjectToken, VerifyError> {
        self.verify_before(presented, &mut ()).await
    }

    /// Verifies a token like [`Self::verify`], and reports each check to `observer` before it is made.
    ///
    /// # Errors
    /// Those of [`Self::verify`].
    pub async fn verify_before(
        &self,
        presented: &PresentedToken,
        observer: &mut impl DecisionObserver,
    ) -> Result<SubjectToken, VerifyError> {
        self.verify_token(presented.token(), observer).await
    }

    async fn verify_token(
        &self,
        token: &RawToken,
        observer: &mut impl DecisionObserver,
    ) -> Result<SubjectToken, VerifyError> {
        observer.begin(DecisionStep::Form, Facts::default);
        if TokenSeal::is_opaque(token) {
            observer.begin(DecisionStep::Issuer, || {
                self.compared_issuers(&self.own_issuer)
            });
            return self.verify_own(token, None, observer).await;
        }
        let jws = UnverifiedJws::parse(token).map_err(VerifyError::Malformed)?;
        let claimed = jws.claimed_issuer().map_err(VerifyError::Malformed)?;
        observer.begin(DecisionStep::Issuer, || self.compared_issuers(claimed));
        if claimed == &*self.own_issuer {
            return self.verify_own(token, Some(jws), observer).await;
        }
        let accepted = self.accepted(claimed)?;
        let verified = self
            .verify_from(&accepted.issuer, accepted.audiences(), token, jws, observer)
            .await;
        counted(
            &accepted.issuer,
            verified.and_then(|subject| self.unrevoked(subject)),
        )
    }

    /// Verifies one of the gateway's own tokens, signed or opaque, if the route accepts them.
    async fn verify_own(
        &self,
        token: &RawToken,
        jws: Option<UnverifiedJws<'_>>,
        observer: &mut impl DecisionObserver,
    ) -> Result<SubjectToken, VerifyError> {
        let own = self.own.as_ref().ok_or(VerifyError::SelfIssued)?;
        let now = self.clock.now();
        let proven = own.prove(token, jws, observer).await;
        let traced = proven.and_then(|proven| {
            let addressee = Addressee::OneOf(&own.audiences);
            let subject = subject::accept(&own.issuer, addressee, proven, now, observer)?;
            observer.begin(DecisionStep::Origin, Facts::default);
            self.unrevoked(subject.traced(own, &self.accepted)?)
        });
        counted(&own.issuer, traced)
    }

    /// Refuses a revoked token, even if it is genuine.
    fn unrevoked(&self, subject: SubjectToken) -> Result<SubjectToken, VerifyError> {
        match &self.revocations {
            Some(revocations) => subject.unrevoked(revocations),
            None => Ok(subject),
        }
    }

    fn compared_issuers(&self, claimed: &str) -> Facts {
        let own = self.own.iter().map(|_| &*self.own_issuer);
        let accepted: Vec<&str> = self.issuers().chain(own).collect();
        Facts::new(claimed, accepted.join(", "))
    }

    /// Returns the issuer with exactly this `iss` (RFC 9207, RFC 8725 §3.8). Nothing is fetched from an unknown issuer.
    fn accepted(&self, claimed: &str) -> Result<&Accepted, VerifyError> {
        self.accepted
            .iter()
            .find(|accepted| accepted.issuer.url() == claimed)
            .ok_or(VerifyError::UnknownIssuer)
    }

    async fn verify_from(
        &self,
        issuer: &Arc<TrustedIssuer>,
        audiences: &[Audience],
        token: &RawToken,
        jws: UnverifiedJws<'_>,
        observer: &mut impl DecisionObserver,
    ) -> Result<SubjectToken, VerifyError> {
        let proven = issuer.prove(token, jws, observer).await?;
        let addressee = Addressee::OneOf(audiences);
        subject::accept(issuer, addressee, proven, self.clock.now(), observer)
    }
}

impl TrustedIssuer {
    /// Verifies algorithm, key and signature. The caller checks the claims.
    async fn prove<'a>(
        self: &Arc<Self>,
        token: &'a RawToken,
        jws: UnverifiedJws<'a>,
        observer: &mut impl DecisionObserver,
    ) -> Result<Proven<'a>, VerifyError> {
        let issuer = self;
        let alg = jws.alg();
        observer.begin(DecisionStep::Algorithm, || {
            Facts::new(alg, listed(issuer.algorithms()))
        });
        if !issuer.algorithms().contains(&alg) {
            let issuer = issuer.shared_name();
            return Err(VerifyError::AlgorithmNotAccepted { issuer, alg });
        }
        observer.begin(DecisionStep::Key, || {
            let kid = jws.kid().unwrap_or("none named");
            Facts::new(kid, format!("a key of {} for {alg}", issuer.name()))
        });
        let key = issuer.keys().key(jws.kid(), alg).await?;
        observer.begin(DecisionStep::Signature, Facts::default);
        let verified = key
            .verify(jws, issuer.algorithms())
            .map_err(VerifyError::Signature)?;
        let proven = Proven {
            token,
            typ: verified.typ().map(Into::into),
            claims: verified.into_claims(),
            kid: key.kid().map(Into::into),
            lease: key.into_lease(),
            made_from: None,
        };
        Ok(proven)
    }
}

fn listed(items: &[impl ToString]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(", ")
}

fn counted(
    issuer: &TrustedIssuer,
    verified: Result<SubjectToken, VerifyError>,
) -> Result<SubjectToken, VerifyError> {
    match &verified {
        Ok(_) => issuer.metrics().token_accepted(),
        // A failure of the provider says nothing about the token.
        Err(VerifyError::KeysUnavailable { .. }) => {}
        Err(_) => issuer.metrics().token_refused(),
    }
    verified
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests;
