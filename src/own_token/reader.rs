//! The verification of tokens that the gateway issued itself, in every form.

use super::{error::OwnTokenError, lineage::own_lineage, provenance::Provenance, seal::TokenSeal};
use crate::{
    clock::UnixTime,
    jose::{Algorithm, SigningKeys, UnverifiedJws, VerificationKey, normalized_typ},
    store::Lineage,
    token::{Audience, Claims, ClaimsError, RawToken, TokenFormat},
};
use std::{fmt, time::Duration};

/// Verifies the gateway's own tokens with its own keys, without I/O.
#[derive(Debug)]
pub struct OwnTokenReader {
    issuer: Box<str>,
    keys: Vec<OwnKey>,
    seal: Option<TokenSeal>,
}

#[derive(Debug)]
struct OwnKey {
    kid: Box<str>,
    alg: Algorithm,
    key: VerificationKey,
}

/// Proof that a token is the gateway's own, unmodified and current. Only [`OwnTokenReader::read`] makes it. The caller
/// checks whether it was revoked.
pub struct OwnToken {
    claims: Claims,
    format: TokenFormat,
    provenance: Provenance,
    audiences: Box<[Audience]>,
    expires_at: UnixTime,
    lineage: Lineage,
}

/// Allowed clock difference between replicas.
const LEEWAY: Duration = Duration::from_secs(30);

impl OwnTokenReader {
    /// Reads tokens that `issuer` signed with `keys` or sealed with `seal`. Without `seal`, opaque tokens are refused.
    pub fn new(issuer: &str, keys: &SigningKeys, seal: Option<TokenSeal>) -> Self {
        let keys = keys.iter().filter_map(|key| {
            Some(OwnKey {
                kid: key.kid().into(),
                alg: key.alg(),
                // a signing key is created only if it also verifies
                key: key.verification_key().ok()?,
            })
        });
        Self {
            issuer: issuer.into(),
            keys: keys.collect(),
            seal,
        }
    }

    /// `iss` of the tokens that it reads.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Verifies a token: an opaque one, or a signed access or ID token.
    ///
    /// # Errors
    /// [`OwnTokenError`]: the first check that failed.
    pub fn read(&self, token: &RawToken, now: UnixTime) -> Result<OwnToken, OwnTokenError> {
        if TokenSeal::is_opaque(token) {
            let (claims, made_from) = self.opened(token)?;
            return self.accept(claims, TokenFormat::Opaque, None, Some(&made_from), now);
        }
        let jws = UnverifiedJws::parse(token).map_err(OwnTokenError::Malformed)?;
        if jws.claimed_issuer().map_err(OwnTokenError::Malformed)? != &*self.issuer {
            return Err(OwnTokenError::UnknownIssuer);
        }
        let own = self.key_of(&jws).ok_or(OwnTokenError::NotIssuedHere)?;
        let verified = own
            .key
            .verify(jws, &[own.alg])
            .map_err(OwnTokenError::Signature)?;
        let typ = verified.typ().map(normalized_typ);
        let claims = verified.into_claims().map_err(OwnTokenError::Malformed)?;
        let format = format_of(typ.as_deref(), &claims).ok_or(OwnTokenError::TokenType)?;
        let made_from = self.made_from(&claims)?;
        self.accept(claims, format, Some(&own.kid), made_from.as_ref(), now)
    }

    /// Returns the claims and the lineage of an opaque token. The caller makes the other checks of a subject token.
    pub(crate) fn opened(&self, token: &RawToken) -> Result<(Claims, Lineage), OwnTokenError> {
        let opened = self.seal.as_ref().and_then(|seal| seal.open(token));
        opened.ok_or(OwnTokenError::NotIssuedHere)
    }

    /// Returns the sealed lineage of a signed token. Returns `None` if the token was issued without sealing keys.
    pub(crate) fn made_from(&self, claims: &Claims) -> Result<Option<Lineage>, OwnTokenError> {
        let id = claims.required_text("jti").map_err(OwnTokenError::Claims)?;
        if !TokenSeal::is_sealed(id) {
            return Ok(None);
        }
        // a lineage that cannot be opened cannot be checked for revocations either
        let made_from = self.seal.as_ref().and_then(|seal| seal.lineage(id));
        made_from.map(Some).ok_or(OwnTokenError::NotIssuedHere)
    }

    fn key_of(&self, jws: &UnverifiedJws<'_>) -> Option<&OwnKey> {
        let kid = jws.kid()?;
        self.keys.iter().find(|key| *key.kid == *kid)
    }

    fn accept(
        &self,
        claims: Claims,
        format: TokenFormat,
        kid: Option<&str>,
        made_from: Option<&Lineage>,
        now: UnixTime,
    ) -> Result<OwnToken, OwnTokenError> {
        // an opaque token is sealed for this issuer; of a signed token, this was compared before its signature
        if claims.text("iss") != Ok(Some(&*self.issuer)) {
            return Err(OwnTokenError::UnknownIssuer);
        }
        let time = |name| claims.time(name).map_err(OwnTokenError::Claims);
        let missing = |name| OwnTokenError::Claims(ClaimsError::Missing(name));
        let expires_at = time("exp")?.ok_or(missing("exp"))?;
        let issued_at = time("iat")?.ok_or(missing("iat"))?;
        if now >= expires_at {
            return Err(OwnTokenError::Expired);
        }
        if issued_at > now.plus(LEEWAY) {
            return Err(OwnTokenError::NotYetValid);
        }
        let id = claims.required_text("jti").map_err(OwnTokenError::Claims)?;
        let provenance = Provenance::of_token_id(id).ok_or(OwnTokenError::Origin)?;
        let lineage = own_lineage(&claims, kid, made_from).ok_or(OwnTokenError::Origin)?;
        let audiences = claims.one_or_many("aud").map_err(OwnTokenError::Claims)?;
        let audiences = audiences
            .into_iter()
            .map(Audience::parse)
            .collect::<Result<_, _>>()
            .map_err(|_| OwnTokenError::Audience)?;
        Ok(OwnToken {
            claims,
            format,
            provenance,
            audiences,
            expires_at,
            lineage,
        })
    }
}

impl OwnToken {
    /// The claims of the token.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The form of the token.
    pub fn format(&self) -> TokenFormat {
        self.format
    }

    /// How `sub` was derived.
    pub fn provenance(&self) -> Provenance {
        self.provenance
    }

    /// `aud`.
    pub fn audiences(&self) -> &[Audience] {
        &self.audiences
    }

    /// `exp`.
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// The lineage: every key whose revocation ends the token, including its own.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }
}

/// Returns the form of a token with this header type, in lower case and without `application/` (RFC 9068 §2.1), or
/// `None` if the type is missing or unknown. A route can be configured to issue access tokens with the type `JWT`,
/// which ID tokens also have. Only ID tokens have `azp`, which no route can add.
pub(crate) fn format_of(typ: Option<&str>, claims: &Claims) -> Option<TokenFormat> {
    match typ? {
        "at+jwt" => Some(TokenFormat::Jwt),
        "jwt" if claims.get("azp").is_none() => Some(TokenFormat::Jwt),
        "jwt" => Some(TokenFormat::IdToken),
        _ => None,
    }
}

impl fmt::Debug for OwnToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnToken({}, redacted)", self.format.as_str())
    }
}

#[cfg(test)]
mod tests;
