//! The kinds of token that are never access tokens, regardless of an issuer's `typ`.

use crate::{
    jose::normalized_typ,
    token::Claims,
    verify::{TrustedIssuer, VerifyError},
};
use serde_json::Value;

/// Header types of JWTs that are not access tokens, in lower case and without `application/`. Such a token informs its
/// recipient or proves something, and grants no access.
const NEVER_ACCESS_TOKENS: &[&str] = &[
    // draft-ietf-oauth-identity-assertion-authz-grant, draft-ietf-oauth-transaction-tokens
    "oauth-id-jag+jwt",
    "txntoken+jwt",
    // OpenID Connect Core and Back-Channel Logout §2.4, RFC 8417 §2.3
    "id_token+jwt",
    "logout+jwt",
    "secevent+jwt",
    // RFC 9449 §4.2, RFC 9701 §5, RFC 9101 §10.8
    "dpop+jwt",
    "token-introspection+jwt",
    "oauth-authz-req+jwt",
    // draft-ietf-oauth-rfc7523bis: client assertions and authorization grants
    "client-authentication+jwt",
    "authorization-grant+jwt",
    // draft-ietf-oauth-attestation-based-client-auth
    "oauth-client-attestation+jwt",
    "oauth-client-attestation-pop+jwt",
    // OpenID Federation 1.0, RFC 9728 §2.2 and RFC 7591 statements
    "entity-statement+jwt",
    "trust-mark+jwt",
    "resolve-response+jwt",
    "jwk-set+jwt",
    // draft-ietf-oauth-status-list, draft-ietf-oauth-sd-jwt-vc, RFC 9901: credentials of wallets and their proofs
    "statuslist+jwt",
    "openid4vci-proof+jwt",
    "vc+sd-jwt",
    "dc+sd-jwt",
    "kb+jwt",
    // refresh tokens of servers that sign them
    "rt+jwt",
    "refresh+jwt",
    "refresh_token+jwt",
];

/// Claims in which providers that use one key and one `typ` for all tokens name the kind of a token: Keycloak; Cognito;
/// Oracle; ForgeRock and Ping AM; FusionAuth; Curity; others.
const KIND_CLAIMS: [&str; 7] = [
    "typ",
    "token_use",
    "token_type",
    "tok_type",
    "tokenName",
    "tty",
    "purpose",
];
/// Values of these claims that no access token has, in lower case and with `_` for `-`.
const OTHER_KINDS: &[&str] = &[
    "id",
    "id_token",
    "it",
    "refresh",
    "refresh_token",
    "rt",
    "offline",
    "logout",
    "logout_token",
    // Keycloak's own
    "serialized_id",
    "registrationaccesstoken",
    "initialaccesstoken",
    "verify_email",
    "reset_credentials",
    "execute_actions",
    "idp_verify_account_via_email",
];
/// Combinations of claims that no access token has, with the kind of token that has them.
const OTHER_SHAPES: &[&[&str]] = &[
    // security event tokens, logout tokens among them (RFC 8417 §2.2)
    &["events"],
    // responses of an introspection endpoint (RFC 9701 §5)
    &["token_introspection"],
    // DPoP proofs (RFC 9449 §4.2)
    &["htm", "htu"],
    // transaction tokens
    &["txn", "tctx"],
    &["txn", "rctx"],
    // hashes of the token or code that is issued with an ID token (OpenID Connect Core §3.1.3.6, §3.3.2.11; FAPI 1.0 §5.1)
    &["at_hash"],
    &["c_hash"],
    &["s_hash"],
];

/// Refuses a header type that no access token has.
///
/// # Errors
/// [`VerifyError::NotAnAccessToken`].
pub(super) fn access_token_type(typ: Option<&str>) -> Result<(), VerifyError> {
    match typ {
        Some(typ) if is_never_access_token(typ) => Err(VerifyError::NotAnAccessToken),
        Some(_) | None => Ok(()),
    }
}

/// Returns `true` if tokens with this header type are never access tokens, in any spelling of the type.
pub(in crate::verify) fn is_never_access_token(typ: &str) -> bool {
    let typ = normalized_typ(typ.trim());
    // RFC 9110 §8.3.1: parameters do not change what a media type is
    let named = typ.split(';').next().unwrap_or_default().trim_end();
    NEVER_ACCESS_TOKENS.contains(&named)
}

/// Refuses claims that identify another kind of token than an access token, by a value or by their combination.
///
/// # Errors
/// [`VerifyError::NotAnAccessToken`].
pub(super) fn access_token(issuer: &TrustedIssuer, claims: &Claims) -> Result<(), VerifyError> {
    let is_other = is_another_kind(None, claims)
        || is_assertion(claims)
        || super::id_token_marks::is_only_id_token(issuer, claims);
    match is_other {
        true => Err(VerifyError::NotAnAccessToken),
        false => Ok(()),
    }
}

/// Returns `true` if a token with this header type and these claims is not an access token, whatever issued it.
pub fn is_another_kind(typ: Option<&str>, claims: &Claims) -> bool {
    typ.is_some_and(is_never_access_token) || says_another_kind(claims) || has_another_shape(claims)
}

fn says_another_kind(claims: &Claims) -> bool {
    let kinds = KIND_CLAIMS.iter().filter_map(|name| claims.get(name));
    kinds.filter_map(Value::as_str).any(|kind| {
        let kind = kind.trim();
        OTHER_KINDS.contains(&kind.to_ascii_lowercase().replace('-', "_").as_str())
            || is_never_access_token(kind)
    })
}

fn has_another_shape(claims: &Claims) -> bool {
    let is_there = |name: &&str| claims.get(name).is_some();
    OTHER_SHAPES.iter().any(|shape| shape.iter().all(is_there))
}

/// RFC 7523 §3: the issuer of a client assertion is its subject.
fn is_assertion(claims: &Claims) -> bool {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    text("iss").is_some() && text("iss") == text("sub")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_that_is_never_an_access_tokens_is_known_however_it_is_written() {
        for typ in NEVER_ACCESS_TOKENS {
            for written in [
                (*typ).to_owned(),
                typ.to_ascii_uppercase(),
                format!("application/{typ}"),
                format!("APPLICATION/{}", typ.to_ascii_uppercase()),
                format!("{typ};v=1"),
                format!(" {typ} "),
            ] {
                assert!(is_never_access_token(&written), "{written}");
            }
        }
        for typ in [
            "at+jwt",
            "JWT",
            "application/at+jwt",
            "",
            "acme-at+jwt",
            "jwt;dpop+jwt",
        ] {
            assert!(!is_never_access_token(typ), "{typ}");
        }
    }
}
