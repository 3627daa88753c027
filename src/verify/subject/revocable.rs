//! A token of a trusted issuer that its client may revoke (RFC 7009).

use super::{
    id_token, id_token_marks,
    lineage::{token_id, token_key},
    proven::Proven,
    rules,
};
use crate::{
    clock::UnixTime,
    store::RevocationKey,
    token::{Audience, Claims, ClaimsError},
    verify::{TrustedIssuer, VerifyError},
};
use std::sync::Arc;

/// Proof that a presented token is genuine and has not expired. It may not be acceptable as a subject token now, but
/// could be later.
pub struct RevocableToken {
    issuer: Arc<TrustedIssuer>,
    claims: Claims,
    key: RevocationKey,
    client_id: Option<Box<str>>,
    audiences: Box<[Audience]>,
    expires_at: UnixTime,
}

impl RevocableToken {
    /// Makes the proof from a token whose signature was verified.
    ///
    /// # Errors
    /// [`VerifyError::Expired`], and others if the claims with the expiry or the owner cannot be read.
    pub(in crate::verify) fn of(
        issuer: &Arc<TrustedIssuer>,
        proven: Proven<'_>,
        now: UnixTime,
    ) -> Result<Self, VerifyError> {
        let claims = proven.claims.map_err(VerifyError::Malformed)?;
        let missing = VerifyError::Claims(ClaimsError::Missing("exp"));
        let expires_at = claims.time("exp").map_err(VerifyError::Claims)?;
        let expires_at = expires_at.ok_or(missing)?;
        if now >= expires_at {
            return Err(VerifyError::Expired);
        }
        let audiences = rules::named(&claims)?;
        let client_id = if id_token_marks::is_only_id_token(issuer, &claims) {
            id_token::authorized_party(issuer, &claims, &audiences)?
        } else {
            rules::client(issuer, &claims)?
        };
        Ok(Self {
            key: token_key(issuer.url(), &claims, proven.proof.token),
            issuer: Arc::clone(issuer),
            claims,
            client_id,
            audiences,
            expires_at,
        })
    }

    /// The issuer's name in the configuration.
    pub fn issuer_name(&self) -> &str {
        self.issuer.name()
    }

    /// `iss`.
    pub fn issuer_url(&self) -> &str {
        self.issuer.url()
    }

    /// The key that revokes only this token and the tokens made from it.
    pub fn key(&self) -> RevocationKey {
        self.key
    }

    /// The application that the token was issued to, if the token names it.
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// `sub`, if it is a string.
    pub fn sub(&self) -> Option<&str> {
        self.claims.get("sub").and_then(|sub| sub.as_str())
    }

    /// `jti`, if present.
    pub fn id(&self) -> Option<&str> {
        token_id(&self.claims)
    }

    /// `aud`.
    pub fn audiences(&self) -> &[Audience] {
        &self.audiences
    }

    /// `exp`.
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }
}

/// The claims must not appear in logs, so that `Debug` redacts them.
impl std::fmt::Debug for RevocableToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RevocableToken(of {}, redacted)", self.issuer_name())
    }
}
