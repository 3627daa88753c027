//! The ways to prove that a token is genuine.

use super::{VerifyError, jwt::JwtProver, subject::Proven};
use crate::{jose::UnverifiedJws, telemetry::DecisionObserver, token::RawToken};
use std::{sync::Arc, time::Duration};

/// How the tokens of an issuer are proven to be genuine.
///
/// To add a way, add one file to this module, one variant with its arms here, and its `build` arm in the settings of an
/// issuer. Only tokens without a readable issuer need a line in the verifier, too.
pub(super) enum Prover {
    /// By the signature of a JWT.
    Jwt(JwtProver),
}

impl Prover {
    /// Proves that the issuer with this name issued the token, which was parsed as a `jws`. The caller checks the claims.
    pub(super) async fn prove<'a>(
        &self,
        issuer: &Arc<str>,
        token: &'a RawToken,
        jws: UnverifiedJws<'a>,
        observer: &mut impl DecisionObserver,
    ) -> Result<Proven<'a>, VerifyError> {
        match self {
            Self::Jwt(jwt) => jwt.prove(issuer, token, jws, observer).await,
        }
    }

    /// Returns `true` if tokens can be proven now.
    pub(super) fn is_ready(&self) -> bool {
        match self {
            Self::Jwt(jwt) => jwt.is_ready(),
        }
    }

    /// The ids of the issuer's keys. `None` if no usable keys are available.
    pub(super) fn key_ids(&self) -> Option<Vec<Box<str>>> {
        match self {
            Self::Jwt(jwt) => jwt.key_ids(),
        }
    }

    /// The time since the keys were fetched. `None` if none were fetched yet.
    pub(super) fn keys_age(&self) -> Option<Duration> {
        match self {
            Self::Jwt(jwt) => jwt.keys_age(),
        }
    }

    /// Fetches the keys now.
    ///
    /// # Errors
    /// The whole chain of causes, as text for the operator.
    pub(super) async fn fetch_keys(&self) -> Result<(), String> {
        match self {
            Self::Jwt(jwt) => jwt.fetch_keys().await,
        }
    }

    /// Starts to refresh the keys in the background.
    pub(super) fn start(&self) {
        match self {
            Self::Jwt(jwt) => jwt.start(),
        }
    }
}
