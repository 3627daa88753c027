//! The gateway's own tokens as subject tokens, if a route accepts them (`chain.accept_own`).
//!
//! They are verified like other tokens, with the keys that the gateway publishes, and must be addressed to the gateway.
//! Then their subject is traced back to its original issuer, so that it gets the same name as with a token of that
//! issuer.

use super::{
    KeyLease, TrustedIssuer, VerifyError,
    jwt::JwtProver,
    key_source::KeySource,
    key_store::{KeyStore, KeyTimes},
    prover::Prover,
    subject::{Proof, Proven},
};
use crate::{
    clock::SharedClock,
    egress::Egress,
    jose::{JwkSet, SigningKeys, UnverifiedJws, normalized_typ},
    own_token::{OwnTokenReader, format_of},
    telemetry::{DecisionObserver, IssuerMetrics},
    token::{Audience, RawToken, TokenFormat},
};
use std::{sync::Arc, time::Duration};

/// The own tokens that one route accepts.
#[derive(Debug, Clone)]
pub struct OwnTokens {
    pub(super) issuer: Arc<TrustedIssuer>,
    pub(super) audiences: Box<[Audience]>,
    /// `issuer.actor`. As a `client_id` it means that the client is unknown.
    pub(super) actor: Box<str>,
    pub(super) origins: Origins,
    /// Opens sealed tokens and lineages.
    reader: Option<Arc<OwnTokenReader>>,
}

/// The number of trusted issuers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origins {
    /// One issuer. It knows the subject of every own token.
    Sole,
    /// Several issuers. A subject name without its issuer is ambiguous.
    Several,
}

impl OwnTokens {
    /// Accepts tokens of `issuer`, made by [`TrustedIssuer::own`], that are addressed to one of `audiences`.
    pub fn addressed_to(
        issuer: Arc<TrustedIssuer>,
        audiences: Vec<Audience>,
        actor: &str,
        origins: Origins,
    ) -> Self {
        Self {
            issuer,
            audiences: audiences.into(),
            actor: actor.into(),
            origins,
            reader: None,
        }
    }

    /// Also accepts opaque tokens. `reader` opens them, and the sealed lineage of signed ones.
    #[must_use]
    pub fn read_by(self, reader: Arc<OwnTokenReader>) -> Self {
        let reader = Some(reader);
        Self { reader, ..self }
    }

    /// Verifies the signature of a token that was parsed as a `jws`, or opens an opaque one, and finds its lineage.
    pub(super) async fn prove<'a>(
        &self,
        token: &'a RawToken,
        jws: Option<UnverifiedJws<'a>>,
        observer: &mut impl DecisionObserver,
    ) -> Result<Proven<'a>, VerifyError> {
        let Some(jws) = jws else {
            let reader = self.reader.as_ref().ok_or(VerifyError::NotIssuedHere)?;
            let (claims, made_from) = reader.opened(token)?;
            return Ok(Proven {
                // its seal is valid only for access tokens
                typ: Some(ACCESS_TOKEN_TYPE.into()),
                claims: Ok(claims),
                proof: Proof {
                    token,
                    kid: None,
                    lease: KeyLease::of_record(),
                    made_from: Some(made_from),
                },
            });
        };
        let proven = self.issuer.prove(token, jws, observer).await?;
        let made_from = match (&self.reader, &proven.claims) {
            (Some(reader), Ok(claims)) => reader.made_from(claims)?,
            (None, _) | (_, Err(_)) => None,
        };
        let typ = proven.typ.as_deref().map(normalized_typ);
        let claims = proven.claims.as_ref().ok();
        let format = claims.and_then(|claims| format_of(typ.as_deref(), claims));
        Ok(Proven {
            // it is an access token, regardless of the `typ` that its route is configured to write
            typ: match format {
                Some(TokenFormat::Jwt) => Some(ACCESS_TOKEN_TYPE.into()),
                Some(TokenFormat::Opaque | TokenFormat::IdToken) | None => proven.typ,
            },
            claims: proven.claims,
            proof: Proof {
                made_from,
                ..proven.proof
            },
        })
    }
}

/// `typ` of an access token (RFC 9068 §2.1).
const ACCESS_TOKEN_TYPE: &str = "at+jwt";
/// More than the lifetime of any token that the gateway issues.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Allowed clock difference between replicas.
const LEEWAY: Duration = Duration::from_secs(30);
/// Keys in memory are never too old.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);

impl TrustedIssuer {
    /// The name of the gateway itself among the issuers. No configured issuer can have it.
    pub const OWN: &str = "gateway:own";

    /// The gateway as an issuer: `url` with its published keys. `None` if none of them can verify.
    pub fn own(
        url: &str,
        keys: &SigningKeys,
        clock: &SharedClock,
        egress: &Egress,
        metrics: IssuerMetrics,
    ) -> Option<Arc<Self>> {
        let (set, _) = JwkSet::parse(&keys.jwks()).ok()?;
        let mut algorithms: Vec<_> = keys.iter().map(|key| key.alg()).collect();
        algorithms.dedup();
        let times = KeyTimes {
            max_age: FOREVER,
            max_stale: FOREVER,
        };
        let store = KeyStore::new(
            Self::OWN.into(),
            KeySource::Published(keys.jwks()),
            times,
            egress.clone(),
            Arc::clone(clock),
            metrics.clone(),
        );
        store.hold(set);
        Some(Arc::new(Self {
            name: Self::OWN.into(),
            url: url.into(),
            audiences: Vec::new(),
            typ: vec![ACCESS_TOKEN_TYPE.into()],
            required_claims: Vec::new(),
            scope_claim: "scope".into(),
            subject_claim: None,
            client_claim: Some("client_id".into()),
            user_claim: None,
            roles: None,
            known_as: None,
            max_lifetime: MAX_LIFETIME,
            leeway: LEEWAY,
            required: false,
            prover: Prover::Jwt(JwtProver::new(algorithms, store)),
            metrics,
        }))
    }
}
