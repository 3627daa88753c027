//! The grants of the token endpoint.

mod entra;
mod offline;
mod parameters;
mod refresh;
mod token_exchange;

use super::{
    Issuing, Peer, TokenEndpointResponse, error::OAuthError, families::ErrorDialect, form::Form,
    issuing::Who, refused,
};
use crate::{
    clock::UnixTime,
    policy::{ClientPolicy, Grant},
};
use bytes::Bytes;
use http::Response;

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const REFRESH_TOKEN: &str = "refresh_token";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Returns the grant that a form requests.
fn asked(form: &Form) -> Result<Grant, OAuthError> {
    let named = form
        .get("grant_type")
        .ok_or_else(|| OAuthError::invalid_request("grant_type is missing"))?;
    match (named, form.get("requested_token_use")) {
        (TOKEN_EXCHANGE, _) => Ok(Grant::TokenExchange),
        (REFRESH_TOKEN, _) => Ok(Grant::RefreshToken),
        (JWT_BEARER, Some("on_behalf_of")) => Ok(Grant::EntraObo),
        _ => Err(OAuthError::unsupported_grant_type()),
    }
}

/// Returns the grants for the metadata (RFC 8414 §2): those that at least one client can use.
pub(super) fn offered(issuing: &Issuing) -> Vec<&'static str> {
    let is_used = |grant| issuing.clients.iter().any(|client| client.may_use(grant));
    let refreshes = issuing.families.is_some() && is_used(Grant::RefreshToken);
    [
        (TOKEN_EXCHANGE, is_used(Grant::TokenExchange)),
        (REFRESH_TOKEN, refreshes),
        (JWT_BEARER, is_used(Grant::EntraObo)),
    ]
    .into_iter()
    .filter_map(|(name, offered)| offered.then_some(name))
    .collect()
}

/// Handles a token request of `client`. A refusal is written to the audit log.
pub(super) async fn respond(
    issuing: &Issuing,
    client: &ClientPolicy,
    form: &Form,
    peer: &Peer,
) -> Response<Bytes> {
    let mut who = Who::default();
    let result = dispatch(issuing, client, form, peer, &mut who).await;
    match result {
        Ok(response) => response.response(),
        Err(error) => {
            issuing.refused(client.id(), &who, error.reason(), peer.id);
            let mut response = refusal(error, who.dialect, peer, issuing.clock.now());
            response.extensions_mut().insert(who.refused(client.id()));
            response
        }
    }
}

fn refusal(
    error: OAuthError,
    dialect: ErrorDialect,
    peer: &Peer,
    now: UnixTime,
) -> Response<Bytes> {
    match dialect {
        ErrorDialect::Standard => error.response(),
        ErrorDialect::Entra => entra::response(error, peer.id, now),
    }
}

async fn dispatch(
    issuing: &Issuing,
    client: &ClientPolicy,
    form: &Form,
    peer: &Peer,
    who: &mut Who,
) -> Result<TokenEndpointResponse, OAuthError> {
    let grant = asked(form)?;
    if grant == Grant::EntraObo {
        who.dialect = ErrorDialect::Entra;
    }
    if !client.may_use(grant) {
        return Err(refused::unauthorized_client());
    }
    parameters::no_authorization_details(form)?;
    match grant {
        Grant::TokenExchange => token_exchange::respond(issuing, client, form, peer, who).await,
        Grant::RefreshToken => refresh::respond(issuing, client, form, peer, who).await,
        Grant::EntraObo => entra::respond(issuing, client, form, peer, who).await,
    }
}
