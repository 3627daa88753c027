//! The verification of a JWT's algorithm, key and signature with the keys of its issuer.

use super::{
    TrustedIssuer, VerifyError,
    subject::{Proven, listed},
};
use crate::{
    jose::UnverifiedJws,
    telemetry::{DecisionObserver, DecisionStep, Facts},
    token::RawToken,
};
use std::sync::Arc;

impl TrustedIssuer {
    /// Verifies algorithm, key and signature. The caller checks the claims.
    pub(super) async fn prove<'a>(
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
