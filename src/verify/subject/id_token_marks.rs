//! What distinguishes the claims of an ID token from those of an access token.

use crate::{token::Claims, verify::TrustedIssuer};
use serde_json::Value;

/// Claims that contain the kind of a token. If an issuer requires a value for access tokens, its ID tokens have another
/// one.
pub(super) const KINDS: [&str; 2] = ["typ", "token_use"];

/// Claims that only ID tokens have.
const MARKS: [&str; 3] = ["nonce", "at_hash", "c_hash"];

/// Returns `true` if these are the claims of an ID token rather than of an access token, as far as that can be
/// determined. Providers that sign both alike name the kind in a claim, or write scopes into access tokens and hashes
/// into ID tokens.
pub(super) fn is_id_token(issuer: &TrustedIssuer, claims: &Claims) -> bool {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    // Keycloak, Cognito
    if let Some(kind) = text("typ").or_else(|| text("token_use")) {
        return kind.eq_ignore_ascii_case("id");
    }
    !has_scope(issuer, claims) || has_mark(claims)
}

/// Returns `true` if these are the claims of an ID token and cannot be those of an access token: they contain no scope,
/// but a nonce or a hash.
pub(super) fn is_only_id_token(issuer: &TrustedIssuer, claims: &Claims) -> bool {
    !has_scope(issuer, claims) && has_mark(claims)
}

fn has_scope(issuer: &TrustedIssuer, claims: &Claims) -> bool {
    ["scope", "scp", issuer.scope_claim()]
        .into_iter()
        .any(|name| claims.at_path(name).is_some())
}

fn has_mark(claims: &Claims) -> bool {
    MARKS.iter().any(|mark| claims.get(mark).is_some())
}

/// Returns `true` if the claims are those of an application's access token or of a logout token.
pub(super) fn is_something_else(claims: &Claims) -> bool {
    ["events", "gty", "idtyp"]
        .iter()
        .any(|name| claims.get(name).is_some())
}
