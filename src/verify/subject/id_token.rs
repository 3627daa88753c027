//! The rules for ID tokens (OpenID Connect Core §2), and what distinguishes them from access tokens.

use super::{
    SubjectKindOfToken, SubjectToken,
    checked::Checked,
    id_token_marks::{KINDS, is_id_token, is_something_else},
    proven::Proven,
    rules,
};
use crate::{
    clock::UnixTime,
    jose::normalized_typ,
    token::{Audience, Claims, ClaimsError, ScopeSet},
    verify::{TrustedIssuer, VerifyError},
};
use std::sync::Arc;

/// The header types of ID tokens. A missing type means `JWT`.
const TYPES: [&str; 2] = ["jwt", "id_token+jwt"];

/// Checks type and claims of a token that was declared an ID token and whose signature was verified. It must be
/// addressed to one of the issuer's audiences or to `client`.
pub(in crate::verify) fn accept_id_token(
    issuer: &Arc<TrustedIssuer>,
    client: &str,
    proven: Proven<'_>,
    now: UnixTime,
) -> Result<SubjectToken, VerifyError> {
    let Proven { typ, claims, proof } = proven;
    let typ = typ.map_or_else(|| "jwt".into(), |typ| normalized_typ(&typ));
    if !TYPES.contains(&typ.as_str()) {
        return Err(VerifyError::NotAnIdToken);
    }
    let claims = claims.map_err(VerifyError::Malformed)?;
    if !is_id_token(issuer, &claims) || is_something_else(&claims) {
        return Err(VerifyError::NotAnIdToken);
    }
    let (expires_at, issued_at) = rules::lifetime(issuer, &claims, now, &mut ())?;
    // OpenID Connect Core §2: `iat` is required in an ID token
    issued_at.ok_or(VerifyError::Claims(ClaimsError::Missing("iat")))?;
    let audiences = rules::named(&claims)?;
    let ours =
        |audience: &Audience| audience.as_str() == client || issuer.audiences().contains(audience);
    if !audiences.iter().any(ours) {
        return Err(VerifyError::Audience);
    }
    rules::unbound(&claims)?;
    // the claims that mark a token as an access token are not required here
    let concerns = |name: &str| !KINDS.contains(&name);
    rules::required(issuer, &claims, concerns, &mut ())?;
    let sub = rules::subject(issuer, &claims)?;
    let actor_chain = rules::actors(&claims)?;
    let client_id = authorized_party(issuer, &claims, &audiences)?;
    let checked = Checked {
        issuer,
        kind: SubjectKindOfToken::IdToken,
        claims,
        sub,
        expires_at,
        issued_at,
        client_id,
        actor_chain,
    };
    // an ID token identifies a user and grants nothing
    checked.accept(proof, |_| Ok((audiences, ScopeSet::empty())))
}

/// Returns the client that the token was issued to: the authorized party, or else the only audience.
pub(super) fn authorized_party(
    issuer: &TrustedIssuer,
    claims: &Claims,
    audiences: &[Audience],
) -> Result<Option<Box<str>>, VerifyError> {
    if let Some(party) = claims.text("azp").map_err(VerifyError::Claims)? {
        return Ok((!party.is_empty()).then(|| party.into()));
    }
    Ok(match (rules::client(issuer, claims)?, audiences) {
        (None, [only]) => Some(only.as_str().into()),
        (client, _) => client,
    })
}
