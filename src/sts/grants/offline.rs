//! What is issued for a subject, and the refresh token beside it (`offline_access`).
//!
//! What enters is what a client asks for a verified subject; what leaves is the token that it gets, and the first token of
//! a family, where the scope and the client are such that there is one. Without its store an exchange goes on, and gives
//! none; neither the token nor the answer then says `offline_access`.

use crate::{
    policy::{ClientPolicy, DirectRequest, Grant, PermittedExchange},
    sts::{
        Issuing, Peer,
        error::OAuthError,
        families::{FamilyId, Manner},
        issuing::Minted,
        refused,
    },
    token::RawToken,
};

/// Issues what `client` asks for, if the policy permits it. Where the request itself is what is wrong, `code` says so.
pub(super) async fn issue(
    issuing: &Issuing,
    client: &ClientPolicy,
    request: DirectRequest,
    manner: Manner,
    peer: &Peer,
    code: &'static str,
) -> Result<(Minted, Option<RawToken>), OAuthError> {
    let refused = |error| refused::policy(error, code);
    let permitted = client
        .permit(request, issuing.clock.now())
        .map_err(refused)?;
    let family = new_family(issuing, client, &permitted)?;
    let permitted = permitted
        .in_family(family.map(FamilyId::key))
        .map_err(refused)?;
    let refresh_token = begin(issuing, client, &permitted, family, manner).await;
    let permitted = match &refresh_token {
        Some(_) => permitted,
        None => client.without_refresh_token(permitted).map_err(refused)?,
    };
    let minted = issuing.mint(permitted, peer, code).await?;
    Ok((minted, refresh_token))
}

/// The family that begins with what is permitted: where the scope holds `offline_access` and the client may refresh.
fn new_family(
    issuing: &Issuing,
    client: &ClientPolicy,
    permitted: &PermittedExchange,
) -> Result<Option<FamilyId>, OAuthError> {
    let asked_for = permitted.is_access_token()
        && permitted.scope().contains("offline_access")
        && client.may_use(Grant::RefreshToken);
    let families = issuing.families.as_ref().filter(|_| asked_for);
    let id = families.map(|families| families.new_id()).transpose();
    id.map_err(|error| refused::exchange(&error.into()))
}

/// Begins `family`, whose key is in the lineage of what is permitted.
async fn begin(
    issuing: &Issuing,
    client: &ClientPolicy,
    permitted: &PermittedExchange,
    family: Option<FamilyId>,
    manner: Manner,
) -> Option<RawToken> {
    let (families, id) = issuing.families.as_ref().zip(family)?;
    let (now, terms) = (issuing.clock.now(), client.refresh());
    let subject = permitted.family(now.plus(terms.absolute));
    let begun = families.begin(id, subject, manner, terms, permitted.expires_at());
    match begun.await {
        Ok(token) => Some(token),
        Err(error) => {
            tracing::warn!(%error, "a token is issued without a refresh token: the store cannot be used");
            None
        }
    }
}
