//! The grant `refresh_token` (RFC 6749 §6). Returns a new access token, and the next refresh token, which keeps the
//! scope of the first one.
//!
//! Policy and directory are checked again. A token that was used before ends its family; the revocation is durable
//! before the client gets the response.

use super::{entra, parameters};
use crate::{
    clock::UnixTime,
    policy::{ClientPolicy, DirectRequest, PolicyError, RequestedScope},
    sts::{
        Issuing, Peer, TokenEndpointResponse,
        ended::{Ended, What},
        error::OAuthError,
        families::{ErrorDialect, Families, FamilyId, Found, Member, Rotated},
        form::Form,
        issuing::Who,
        refused::{self, INVALID_GRANT},
    },
    telemetry::Reason,
    token::{Audience, RawToken, TokenFormat},
    verify::SubjectToken,
};

/// The parameters of a refresh request.
struct RefreshRequest {
    audience: Vec<Audience>,
    scope: Option<RequestedScope>,
    format: TokenFormat,
    /// How the client spells the scope; `None`: as it is.
    names: Option<entra::ScopeNames>,
}

/// Handles a request of `client`.
pub(super) async fn respond(
    issuing: &Issuing,
    client: &ClientPolicy,
    form: &Form,
    peer: &Peer,
    who: &mut Who,
) -> Result<TokenEndpointResponse, OAuthError> {
    let families = issuing.families.as_ref();
    let families = families.ok_or_else(OAuthError::unsupported_grant_type)?;
    let presented = form.get("refresh_token");
    let presented =
        presented.ok_or_else(|| OAuthError::invalid_request("refresh_token is missing"))?;
    let member = newest(issuing, families, client, presented, peer).await?;
    who.dialect = member.dialect();
    refresh(issuing, families, client, member, form, peer, who).await
}

/// Returns the family whose newest token `client` presents.
async fn newest(
    issuing: &Issuing,
    families: &Families,
    client: &ClientPolicy,
    presented: &str,
    peer: &Peer,
) -> Result<Box<Member>, OAuthError> {
    let handle = families.open(&RawToken::from(presented.to_owned()));
    let handle = handle.ok_or_else(unacceptable)?;
    let found = families.find(handle, client.id()).await;
    match found.map_err(|error| refused::store(&error))? {
        Found::Current(member) => Ok(member),
        Found::Gone => Err(unacceptable()),
        Found::Reused(id, ends) => {
            end_reused(issuing, families, client, (id, ends), peer).await?;
            Err(reused())
        }
    }
}

async fn refresh(
    issuing: &Issuing,
    families: &Families,
    client: &ClientPolicy,
    member: Box<Member>,
    form: &Form,
    peer: &Peer,
    who: &mut Who,
) -> Result<TokenEndpointResponse, OAuthError> {
    let subject = issuing.verifier.family(member.subject(), client.terms());
    let subject = subject.map_err(|error| refused::token(error, INVALID_GRANT, UNACCEPTABLE))?;
    who.is(&subject);
    let asked = asked(form, client, &subject, member.dialect())?;
    let request = DirectRequest {
        subject,
        actor: None,
        audience: asked.audience,
        resource: Vec::new(),
        scope: asked.scope,
        format: asked.format,
    };
    let permitted = client.permit(request, issuing.clock.now());
    let permitted = permitted.map_err(|error| refused::policy(error, INVALID_GRANT))?;
    // the audit event is written before the old token becomes invalid: up to this point the client can retry
    let minted = issuing.mint(permitted, peer, INVALID_GRANT)?;
    let rotated = families.rotate(*member, client.refresh()).await;
    match rotated.map_err(|error| refused::store(&error))? {
        Rotated::To(next) => Ok(match &asked.names {
            None => minted.response(Some(&next), &issuing.clock),
            Some(names) => entra::success(&minted, names, Some(&next), &issuing.clock),
        }),
        Rotated::Reused(id, ends) => {
            end_reused(issuing, families, client, (id, ends), peer).await?;
            Err(reused())
        }
    }
}

/// Reads the requested parameters, which never exceed those of the family.
fn asked(
    form: &Form,
    client: &ClientPolicy,
    subject: &SubjectToken,
    dialect: ErrorDialect,
) -> Result<RefreshRequest, OAuthError> {
    let not_issued = || refused::policy(PolicyError::FormatNotAllowed, INVALID_GRANT);
    let elsewhere = || refused::policy(PolicyError::TargetNotAllowed, INVALID_GRANT);
    let asked = match dialect {
        ErrorDialect::Standard => RefreshRequest {
            audience: parameters::audiences(form)?,
            scope: parameters::scope(form)?,
            format: client.access_format().ok_or_else(not_issued)?,
            names: None,
        },
        ErrorDialect::Entra => {
            let asked = entra::asked(form, client, subject)?;
            RefreshRequest {
                audience: asked.audience,
                scope: Some(asked.scope),
                format: entra::format(client).ok_or_else(not_issued)?,
                names: Some(asked.names),
            }
        }
    };
    let within = asked
        .audience
        .iter()
        .all(|audience| subject.audiences().contains(audience));
    if !within || form.get("resource").is_some() {
        return Err(elsewhere());
    }
    Ok(asked)
}

/// Revokes a family if one of its tokens was used twice.
async fn end_reused(
    issuing: &Issuing,
    families: &Families,
    client: &ClientPolicy,
    (id, ends): (FamilyId, UnixTime),
    peer: &Peer,
) -> Result<(), OAuthError> {
    let ended = Ended {
        client: client.id(),
        peer,
        what: What::Reused,
    };
    let until = families.end(id, ends, ended.note()).await;
    let until = until.map_err(|error| refused::store(&error))?;
    tracing::warn!(client = client.id(), request_id = %peer.id, "a refresh token was used twice: its family is revoked");
    issuing.write(&ended.event(Some(until)))
}

const UNACCEPTABLE: &str = "the refresh token is not acceptable";

fn unacceptable() -> OAuthError {
    OAuthError::bad_request(INVALID_GRANT, UNACCEPTABLE, Reason::RefreshToken)
}

fn reused() -> OAuthError {
    OAuthError::bad_request(INVALID_GRANT, UNACCEPTABLE, Reason::RefreshTokenReused)
}
