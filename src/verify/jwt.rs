//! The proof of a JWT: its algorithm, key and signature, with the keys of its issuer.

use super::{
    VerifyError,
    key_store::{KeyStore, causes},
    subject::{Proof, Proven, listed},
};
use crate::{
    jose::{Algorithm, UnverifiedJws},
    telemetry::{DecisionObserver, DecisionStep, Facts},
    token::RawToken,
};
use std::{sync::Arc, time::Duration};

/// Proves JWTs with the keys that their issuer publishes.
pub(super) struct JwtProver {
    algorithms: Vec<Algorithm>,
    keys: Arc<KeyStore>,
}

impl JwtProver {
    /// Accepts signatures with these `algorithms` and `keys`.
    pub(super) fn new(algorithms: Vec<Algorithm>, keys: Arc<KeyStore>) -> Self {
        Self { algorithms, keys }
    }

    /// Verifies algorithm, key and signature of a token of the issuer with this name. The caller checks the claims.
    pub(super) async fn prove<'a>(
        &self,
        issuer: &Arc<str>,
        token: &'a RawToken,
        jws: UnverifiedJws<'a>,
        observer: &mut impl DecisionObserver,
    ) -> Result<Proven<'a>, VerifyError> {
        let alg = jws.alg();
        observer.begin(DecisionStep::Algorithm, || {
            Facts::new(alg, listed(&self.algorithms))
        });
        if !self.algorithms.contains(&alg) {
            let issuer = Arc::clone(issuer);
            return Err(VerifyError::AlgorithmNotAccepted { issuer, alg });
        }
        observer.begin(DecisionStep::Key, || {
            let kid = jws.kid().unwrap_or("none named");
            Facts::new(kid, format!("a key of {issuer} for {alg}"))
        });
        let key = self.keys.key(jws.kid(), alg).await?;
        observer.begin(DecisionStep::Signature, Facts::default);
        let verified = key
            .verify(jws, &self.algorithms)
            .map_err(VerifyError::Signature)?;
        Ok(Proven {
            typ: verified.typ().map(Into::into),
            claims: verified.into_claims(),
            proof: Proof {
                token,
                kid: key.kid().map(Into::into),
                lease: key.into_lease(),
                made_from: None,
            },
        })
    }

    pub(super) fn is_ready(&self) -> bool {
        self.keys.is_ready()
    }

    pub(super) fn key_ids(&self) -> Option<Vec<Box<str>>> {
        self.keys.is_ready().then(|| self.keys.ids())
    }

    pub(super) fn keys_age(&self) -> Option<Duration> {
        self.keys.age()
    }

    pub(super) async fn fetch_keys(&self) -> Result<(), String> {
        let fetched = self.keys.refresh().await;
        fetched.map(|_| ()).map_err(|error| causes(&error))
    }

    pub(super) fn start(&self) {
        self.keys.start();
    }
}
