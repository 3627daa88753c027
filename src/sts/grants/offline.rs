//! The refresh token beside an exchanged one (`offline_access`).
//!
//! What enters is what was permitted; what leaves is the first token of a family, where the scope and the client are such
//! that there is one. Without its store an exchange goes on, and gives none.

use crate::{
    policy::{ClientPolicy, Grant, PermittedExchange},
    sts::{
        Issuing,
        error::OAuthError,
        families::{FamilyId, Manner},
        refused,
    },
    token::RawToken,
};

/// The family that begins with what is permitted: where the scope holds `offline_access` and the client may refresh.
pub(super) fn new_family(
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
pub(super) async fn begin(
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
