//! The grant `urn:ietf:params:oauth:grant-type:jwt-bearer` with `requested_token_use=on_behalf_of`, as clients of
//! Microsoft Entra use it, so that MSAL works with the gateway.
//!
//! Only the parameters and the errors differ: the token is verified and the policy applied as in an exchange (RFC
//! 8693). `claims`, `client_info` and similar parameters are ignored.

mod fault;
mod scope;

pub(super) use fault::response;
pub(super) use scope::{ScopeNames, asked};

use super::{offline, parameters};
use crate::{
    clock::SharedClock,
    policy::{ClientPolicy, DirectRequest, PolicyError},
    source,
    sts::{
        Issuing, Peer, TokenEndpointResponse,
        error::OAuthError,
        families::ErrorDialect,
        form::Form,
        issuing::{Minted, Who},
        refused::{self, INVALID_GRANT},
    },
    token::{RawToken, TokenFormat, TokenTypeUri},
};
use serde_json::Value;

const ASSERTION: &str = "the assertion is not acceptable";

/// Handles a request of `client`.
pub(super) async fn respond(
    issuing: &Issuing,
    client: &ClientPolicy,
    form: &Form,
    peer: &Peer,
    who: &mut Who,
) -> Result<TokenEndpointResponse, OAuthError> {
    let not_issued = || refused::policy(PolicyError::FormatNotAllowed, INVALID_GRANT);
    let assertion = form.get("assertion");
    let assertion = assertion.ok_or_else(|| OAuthError::invalid_request("assertion is missing"))?;
    let assertion = source::form_token(assertion, issuing.token_limit)
        .map_err(parameters::not_a_token(ASSERTION));
    let assertion = assertion.map_err(|error| error.with_code(INVALID_GRANT))?;
    let verified = issuing
        .verifier
        .subject(&assertion, TokenTypeUri::AccessToken, client.terms())
        .await;
    let subject = verified.map_err(|error| refused::token(error, INVALID_GRANT, ASSERTION))?;
    who.is(&subject);
    if subject.is_app_only() {
        return Err(refused::policy(PolicyError::AppOnlySubject, INVALID_GRANT));
    }
    let asked = asked(form, client, &subject)?;
    let request = DirectRequest {
        subject,
        actor: None,
        audience: asked.audience,
        resource: Vec::new(),
        scope: Some(asked.scope),
        format: format(client).ok_or_else(not_issued)?,
    };
    let issued = offline::issue(
        issuing,
        client,
        request,
        ErrorDialect::Entra,
        peer,
        INVALID_GRANT,
    );
    let (minted, refresh_token) = issued.await?;
    Ok(self::success(
        &minted,
        &asked.names,
        refresh_token.as_ref(),
        &issuing.clock,
    ))
}

/// Returns JWT, the format that Entra issues, or the client's access token format if the client may not have JWTs.
pub(super) fn format(client: &ClientPolicy) -> Option<TokenFormat> {
    if client.admits_format(TokenFormat::Jwt) {
        return Some(TokenFormat::Jwt);
    }
    client.access_format()
}

/// Returns the response, with the scope spelled as in the request.
pub(super) fn success(
    minted: &Minted,
    names: &ScopeNames,
    refresh_token: Option<&RawToken>,
    clock: &SharedClock,
) -> TokenEndpointResponse {
    let mut members = minted.members(refresh_token, clock);
    members.insert("scope".to_owned(), names.written(minted.scope()).into());
    let lives = members.get("expires_in").cloned();
    members.insert("ext_expires_in".to_owned(), lives.unwrap_or(Value::Null));
    TokenEndpointResponse::new(members)
}
