//! Issues a token for a verified subject, and a refresh token with it for `offline_access`.
//!
//! A new family of refresh tokens begins if the scope contains `offline_access` and the client may use refresh tokens.
//! If the store fails, the token is issued without a refresh token; neither the token nor the response then contains
//! `offline_access`.

use crate::{
    policy::{ClientPolicy, DirectRequest, Grant, PermittedExchange},
    sts::{
        Issuing, Peer,
        error::OAuthError,
        families::{ErrorDialect, FamilyId},
        issuing::Minted,
        refused,
    },
    token::RawToken,
};

/// Issues what `client` requests, if the policy permits it. If the request itself is at fault, the error has the code
/// `code`.
pub(super) async fn issue(
    issuing: &Issuing,
    client: &ClientPolicy,
    request: DirectRequest,
    dialect: ErrorDialect,
    peer: &Peer,
    code: &'static str,
) -> Result<(Minted, Option<RawToken>), OAuthError> {
    let refused = |error| refused::policy(error, code);
    let permitted = client
        .permit(request, issuing.clock.now())
        .map_err(refused)?;
    let family = new_family(issuing, client, &permitted, code)?;
    let permitted = permitted
        .in_family(family.map(FamilyId::key))
        .map_err(refused)?;
    let refresh_token = begin(issuing, client, &permitted, family, dialect).await;
    let permitted = match &refresh_token {
        Some(_) => permitted,
        None => client.without_refresh_token(permitted).map_err(refused)?,
    };
    let minted = issuing.mint(permitted, peer, code)?;
    Ok((minted, refresh_token))
}

/// Returns the id of a new family, if the scope contains `offline_access` and the client may use refresh tokens.
fn new_family(
    issuing: &Issuing,
    client: &ClientPolicy,
    permitted: &PermittedExchange,
    code: &'static str,
) -> Result<Option<FamilyId>, OAuthError> {
    let asked_for = permitted.is_access_token()
        && permitted.scope().contains("offline_access")
        && client.may_use(Grant::RefreshToken);
    let families = issuing.families.as_ref().filter(|_| asked_for);
    let id = families.map(|families| families.new_id()).transpose();
    id.map_err(|error| refused::exchange(&error.into(), code))
}

/// Begins `family`, whose key is in the lineage of the permitted token.
async fn begin(
    issuing: &Issuing,
    client: &ClientPolicy,
    permitted: &PermittedExchange,
    family: Option<FamilyId>,
    dialect: ErrorDialect,
) -> Option<RawToken> {
    let (families, id) = issuing.families.as_ref().zip(family)?;
    let (now, terms) = (issuing.clock.now(), client.refresh());
    let subject = permitted.family(now.plus(terms.absolute));
    let begun = families.begin(id, subject, dialect, terms, permitted.expires_at());
    match begun.await {
        Ok(token) => Some(token),
        Err(error) => {
            tracing::warn!(%error, "the store cannot be used: the token is issued without a refresh token");
            None
        }
    }
}
