//! JWTs that a client signs itself (RFC 7523 §3): client assertions and self-signed subject tokens.

use super::{AssertionError, ClientKeys};
use crate::{
    clock::UnixTime,
    error_class::ErrorClass,
    jose::{Algorithm, FieldDigest, UnverifiedJws, VerifiedJws, normalized_typ},
    settings::fingerprint,
    store::{OnceOnly, Use},
    token::{Claims, ClaimsError, RawToken},
    verify::KeyLease,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// What such a JWT must contain.
#[derive(Debug, Clone, Copy)]
pub struct AssertionTerms<'a> {
    /// The expected `iss`: the client.
    pub issuer: &'a str,
    /// The expected `sub`: the client again (RFC 7523 §3, item 2B). `None` if any subject is allowed.
    pub subject: Option<&'a str>,
    /// The names of the gateway. Every audience of the JWT must be one of them, because any other addressee could
    /// present it here.
    pub audiences: &'a [Box<str>],
    /// Accepted values of the header's `typ`, in lower case and without `application/`. It may always be absent.
    pub typ: &'a [&'a str],
    /// How often the JWT may be presented.
    pub uses: Uses,
}

/// How often a JWT may be presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uses {
    /// Once, identified by its `jti`. Without a `jti`, any number of times until it expires.
    Once,
    /// Once, identified by its `jti`. Without a `jti`, its lifetime must be at most five minutes, and it may be
    /// presented again.
    OnceOrShortLived,
    /// Any number of times until it expires. Without a `jti`, its lifetime must be at most five minutes.
    UntilExpiry,
}

/// How often a client may present the same assertion (`clients[].authentication.assertion_reuse`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AssertionReuse {
    /// Each assertion is accepted once, identified by its `jti` (RFC 7523 §3).
    #[default]
    SingleUse,
    /// An assertion is accepted until it expires, for libraries that reuse assertions, such as Microsoft's MSAL.
    UntilExpiry,
}

fingerprint!(AssertionReuse = SingleUse | UntilExpiry);

/// A JWT that is current, addressed to the gateway, and signed with its client's key.
#[derive(Debug)]
pub struct VerifiedAssertion {
    claims: Claims,
    sub: Box<str>,
    expires_at: UnixTime,
    issued_at: Option<UnixTime>,
    lifetime: Duration,
    lease: KeyLease,
}

/// The maximum lifetime, regardless of `iat` and `nbf`.
const LONGEST_LIFE: Duration = Duration::from_secs(3_600);
/// The maximum lifetime of a JWT that can be presented again because it has no `jti`.
const SHORT_LIFE: Duration = Duration::from_secs(300);
/// The allowed clock difference for `nbf` and `iat`.
const LEEWAY: Duration = Duration::from_secs(30);
/// The maximum length of `jti`, in bytes.
const LONGEST_JTI: usize = 256;
/// The maximum length of `sub`, in bytes (OpenID Connect Core §2).
const LONGEST_SUB: usize = 255;
/// The types of a client assertion: a plain JWT, and the type that draft-ietf-oauth-rfc7523bis registers. Access tokens
/// and ID tokens that are signed with the same key have other types.
const CLIENT_ASSERTION: [&str; 2] = ["jwt", "client-authentication+jwt"];

impl<'a> AssertionTerms<'a> {
    /// The terms for a client assertion of the client with this `id`.
    pub fn of_client(id: &'a str, audiences: &'a [Box<str>], reuse: AssertionReuse) -> Self {
        Self {
            issuer: id,
            subject: Some(id),
            audiences,
            typ: &CLIENT_ASSERTION,
            uses: match reuse {
                AssertionReuse::SingleUse => Uses::OnceOrShortLived,
                AssertionReuse::UntilExpiry => Uses::UntilExpiry,
            },
        }
    }
}

impl ClientKeys {
    /// Verifies a JWT of this client: its signature, type, issuer, audience and times, then that it was not used
    /// before.
    ///
    /// Every algorithm of the client's key is acceptable. Symmetric algorithms and `none` are not implemented.
    ///
    /// # Errors
    /// [`AssertionError`]: the first check that failed.
    pub async fn verify_assertion(
        &self,
        token: &RawToken,
        terms: &AssertionTerms<'_>,
        once: &OnceOnly,
        now: UnixTime,
    ) -> Result<VerifiedAssertion, AssertionError> {
        let jws = UnverifiedJws::parse(token).map_err(AssertionError::Malformed)?;
        let key = match self.key(jws.kid(), jws.alg()).await {
            Ok(key) => key,
            Err(error) if error.class() == ErrorClass::Unavailable => {
                return Err(AssertionError::Unavailable);
            }
            Err(_) => return Err(AssertionError::Key),
        };
        let verified = key
            .verify(jws, &Algorithm::ALL)
            .map_err(|_| AssertionError::Signature)?;
        let verified = VerifiedAssertion::accept(verified, terms, key.into_lease(), now)?;
        verified.use_up(terms, once, now).await?;
        Ok(verified)
    }
}

impl VerifiedAssertion {
    fn accept(
        verified: VerifiedJws,
        terms: &AssertionTerms<'_>,
        lease: KeyLease,
        now: UnixTime,
    ) -> Result<Self, AssertionError> {
        let typ = verified.typ().map(normalized_typ);
        if typ.is_some_and(|typ| !terms.typ.contains(&typ.as_str())) {
            return Err(AssertionError::Type);
        }
        let claims = verified.into_claims().map_err(AssertionError::Malformed)?;
        let malformed = AssertionError::Claims;
        if claims.required_text("iss").map_err(malformed)? != terms.issuer {
            return Err(AssertionError::Issuer);
        }
        let sub: Box<str> = claims.required_text("sub").map_err(malformed)?.into();
        let other = terms.subject.is_some_and(|subject| subject != &*sub);
        if other || sub.is_empty() || sub.len() > LONGEST_SUB || sub.chars().any(char::is_control) {
            return Err(AssertionError::Subject);
        }
        let named = claims.one_or_many("aud").map_err(malformed)?;
        let ours = |name: &&str| terms.audiences.iter().any(|audience| **audience == **name);
        if named.is_empty() || !named.iter().all(ours) {
            return Err(AssertionError::Audience);
        }
        let (expires_at, issued_at, lifetime) = lifetime(&claims, now)?;
        Ok(Self {
            claims,
            sub,
            expires_at,
            issued_at,
            lifetime,
            lease,
        })
    }

    /// RFC 7523 §3, item 7: records the `jti` for as long as the JWT could be presented again.
    async fn use_up(
        &self,
        terms: &AssertionTerms<'_>,
        once: &OnceOnly,
        now: UnixTime,
    ) -> Result<(), AssertionError> {
        let jti = self.claims.text("jti").map_err(AssertionError::Claims)?;
        let jti = match (jti, terms.uses) {
            (Some(jti), _) if jti.is_empty() || jti.len() > LONGEST_JTI => {
                return Err(AssertionError::Claims(ClaimsError::WrongType("jti")));
            }
            (Some(_), Uses::UntilExpiry) | (None, Uses::Once) => return Ok(()),
            (Some(jti), Uses::Once | Uses::OnceOrShortLived) => jti,
            (None, Uses::OnceOrShortLived | Uses::UntilExpiry) => {
                let short = self.lifetime <= SHORT_LIFE;
                return short.then_some(()).ok_or(AssertionError::NoIdentifier);
            }
        };
        let id = FieldDigest::new("obo-gateway/client jti/1")
            .field(terms.issuer.as_bytes())
            .field(jti.as_bytes())
            .finish();
        match once
            .first_use("client jti", &id, self.expires_at, now)
            .await
        {
            Ok(Use::First) => Ok(()),
            Ok(Use::Again) => Err(AssertionError::Replayed),
            // without a record, the JWT could be used twice
            Err(_) => Err(AssertionError::Unavailable),
        }
    }

    /// All claims.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// `sub`: 1 to 255 bytes without control characters.
    pub fn sub(&self) -> &str {
        &self.sub
    }

    /// `exp`.
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// `iat`, if present.
    pub fn issued_at(&self) -> Option<UnixTime> {
        self.issued_at
    }

    /// The lease of the key that verified the signature.
    pub fn into_lease(self) -> KeyLease {
        self.lease
    }
}

/// Returns `exp`, `iat` and the lifetime. The lifetime runs from the earliest of `iat`, `nbf` and now until `exp`.
fn lifetime(
    claims: &Claims,
    now: UnixTime,
) -> Result<(UnixTime, Option<UnixTime>, Duration), AssertionError> {
    let time = |name| claims.time(name).map_err(AssertionError::Claims);
    let missing = AssertionError::Claims(ClaimsError::Missing("exp"));
    let expires_at = time("exp")?.ok_or(missing)?;
    let (not_before, issued_at) = (time("nbf")?, time("iat")?);
    if now >= expires_at {
        return Err(AssertionError::Expired);
    }
    let latest = now.plus(LEEWAY);
    if not_before.is_some_and(|time| time > latest) || issued_at.is_some_and(|time| time > latest) {
        return Err(AssertionError::NotYetValid);
    }
    // rounded down to the second: this makes the lifetime longer, and a revocation in that second includes the JWT
    let issued_at = claims.second_of("iat").map_err(AssertionError::Claims)?;
    let begins = issued_at.unwrap_or(now).min(now);
    if expires_at.since(begins) > LONGEST_LIFE {
        return Err(AssertionError::LivesTooLong);
    }
    let earliest = not_before.unwrap_or(begins).min(begins);
    Ok((expires_at, issued_at, expires_at.since(earliest)))
}
