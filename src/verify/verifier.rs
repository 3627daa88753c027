//! The one verifier of presented tokens, for routes and for the token endpoint.

use super::{
    Accepted, Directory, OwnTokens, SubjectToken, TrustedIssuer, VerifyError,
    profile::Profile,
    subject::{Addressee, Proven},
};
use crate::{
    clock::SharedClock,
    jose::UnverifiedJws,
    own_token::TokenSeal,
    source::PresentedToken,
    store::Revocations,
    telemetry::{DecisionObserver, DecisionStep, Facts},
    token::RawToken,
};
use std::{fmt, sync::Arc};

/// Verifies presented tokens: those of one route, or those that are sent to the token endpoint.
///
/// All checks of a token are in here, its revocation included. What differs between the uses is in the profile.
pub struct Verifier {
    pub(super) accepted: Vec<Accepted>,
    pub(super) own: Option<OwnTokens>,
    pub(super) own_issuer: Box<str>,
    pub(super) directory: Option<Arc<dyn Directory>>,
    pub(super) revocations: Revocations,
    pub(super) clock: SharedClock,
}

impl Verifier {
    /// Accepts tokens of the `accepted` issuers that are not revoked. `own_issuer` is the `iss` of the tokens that the
    /// gateway issues.
    pub fn new(
        accepted: impl IntoIterator<Item = impl Into<Accepted>>,
        own_issuer: &str,
        revocations: Revocations,
        clock: SharedClock,
    ) -> Self {
        Self {
            accepted: accepted.into_iter().map(Into::into).collect(),
            own: None,
            own_issuer: own_issuer.into(),
            directory: None,
            revocations,
            clock,
        }
    }

    /// Also accepts these tokens of the gateway itself.
    #[must_use]
    pub fn accepting(self, own: Option<OwnTokens>) -> Self {
        Self { own, ..self }
    }

    /// Looks up users in `directory`. Only the token endpoint does.
    #[must_use]
    pub fn with_directory(self, directory: Option<Arc<dyn Directory>>) -> Self {
        Self { directory, ..self }
    }

    /// The `iss` values of the accepted issuers.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.accepted.iter().map(|accepted| accepted.issuer.url())
    }

    /// Verifies the token of a request to a route: its form, issuer, algorithm, key and signature, then its type, claims and
    /// revocation.
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
        self.verify_as(Profile::Route, presented.token(), observer)
            .await
    }

    /// Verifies a token for the use that `profile` describes.
    pub(super) async fn verify_as(
        &self,
        profile: Profile<'_>,
        token: &RawToken,
        observer: &mut impl DecisionObserver,
    ) -> Result<SubjectToken, VerifyError> {
        observer.begin(DecisionStep::Form, Facts::default);
        if TokenSeal::is_opaque(token) {
            observer.begin(DecisionStep::Issuer, || {
                self.compared_issuers(&self.own_issuer)
            });
            return self.verify_own(profile, token, None, observer).await;
        }
        let jws = UnverifiedJws::parse(token).map_err(VerifyError::Malformed)?;
        let claimed = jws.claimed_issuer().map_err(VerifyError::Malformed)?;
        observer.begin(DecisionStep::Issuer, || self.compared_issuers(claimed));
        if claimed == &*self.own_issuer {
            return self.verify_own(profile, token, Some(jws), observer).await;
        }
        let accepted = self.accepted(claimed, profile)?;
        let issuer = &accepted.issuer;
        let proven = issuer.prove(token, jws, observer).await;
        let verified = proven.and_then(|proven| {
            let addressee = Addressee::OneOf(accepted.audiences());
            self.accept(profile, issuer, addressee, proven, observer)
        });
        counted(
            issuer,
            verified.and_then(|subject| self.unrevoked(subject, observer)),
        )
    }

    /// Verifies one of the gateway's own tokens, signed or opaque, if the profile accepts them.
    async fn verify_own(
        &self,
        profile: Profile<'_>,
        token: &RawToken,
        jws: Option<UnverifiedJws<'_>>,
        observer: &mut impl DecisionObserver,
    ) -> Result<SubjectToken, VerifyError> {
        let own = self.own.as_ref().filter(|_| profile.accepts_own());
        let own = own.ok_or(VerifyError::SelfIssued)?;
        let proven = own.prove(token, jws, observer).await;
        let traced = proven.and_then(|proven| {
            let addressee = profile.addressee_of_own(own);
            let subject = self.accept(profile, &own.issuer, addressee, proven, observer)?;
            observer.begin(DecisionStep::Origin, Facts::default);
            let subject = subject.traced(own, &self.accepted)?;
            if !profile.accepts(subject.issuer_name()) {
                return Err(VerifyError::Origin);
            }
            self.unrevoked(subject, observer)
        });
        counted(&own.issuer, traced)
    }

    fn accept(
        &self,
        profile: Profile<'_>,
        issuer: &Arc<TrustedIssuer>,
        addressee: Addressee<'_>,
        proven: Proven<'_>,
        observer: &mut impl DecisionObserver,
    ) -> Result<SubjectToken, VerifyError> {
        profile.accept(issuer, addressee, proven, self.clock.now(), observer)
    }

    /// Refuses a revoked token, even if it is genuine. The subject that is reported is the one at its own issuer.
    pub(super) fn unrevoked(
        &self,
        subject: SubjectToken,
        observer: &mut impl DecisionObserver,
    ) -> Result<SubjectToken, VerifyError> {
        observer.proven(|| subject.principal());
        observer.begin(DecisionStep::Revocation, Facts::default);
        subject.lineage().ensure_active(&self.revocations)?;
        Ok(subject)
    }

    fn compared_issuers(&self, claimed: &str) -> Facts {
        let own = self.own.iter().map(|_| &*self.own_issuer);
        let accepted: Vec<&str> = self.issuers().chain(own).collect();
        Facts::new(claimed, accepted.join(", "))
    }

    /// Returns the issuer with exactly this `iss`, if the profile accepts it.
    pub(super) fn accepted(
        &self,
        claimed: &str,
        profile: Profile<'_>,
    ) -> Result<&Accepted, VerifyError> {
        let found = self.trusted(claimed)?;
        let accepted = profile.accepts(found.issuer.name()).then_some(found);
        accepted.ok_or(VerifyError::UnknownIssuer)
    }

    /// Returns the issuer with exactly this `iss` (RFC 9207, RFC 8725 §3.8). Nothing is fetched from an unknown issuer.
    pub(super) fn trusted(&self, claimed: &str) -> Result<&Accepted, VerifyError> {
        self.accepted
            .iter()
            .find(|accepted| accepted.issuer.url() == claimed)
            .ok_or(VerifyError::UnknownIssuer)
    }
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

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("accepted", &self.accepted)
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}
