//! `POST /oauth/v2/revoke` (RFC 7009): a client revokes a token that the gateway or a trusted issuer issued to it.
//!
//! The response is 200 without a body. It means that the token is not valid: either its revocation is durable now, or
//! it was never valid. A `token_type_hint` is not needed, because the token itself shows its type.

use super::{
    Issuing, Peer,
    ended::{Ended, What},
    error::OAuthError,
    families::Handle,
    form::Form,
    refused,
    response::unstored,
};
use crate::{
    clock::UnixTime,
    error::Refusal,
    error_class::ErrorClass,
    own_token::{OwnToken, OwnTokenReader, REFRESH_PREFIX},
    policy::ClientPolicy,
    store::{Revocation, RevocationKey, Store, Stores},
    telemetry::{AuditEvent, Reason},
    token::{RawToken, TokenFormat},
};
use bytes::Bytes;
use http::{Response, StatusCode};
use std::sync::Arc;

/// The components that the endpoint uses.
#[derive(Debug, Clone)]
pub struct Revoking {
    /// Reads the gateway's own tokens.
    pub reader: Arc<OwnTokenReader>,
    /// Stores revocations; without it, nothing can be revoked.
    pub store: Option<Stores>,
}

/// Handles a request of `client`.
pub(super) async fn respond(
    revoking: &Revoking,
    issuing: &Issuing,
    client: &ClientPolicy,
    form: &Form,
    peer: &Peer,
) -> Result<Response<Bytes>, OAuthError> {
    let token = RawToken::from(form.token()?.to_owned());
    let Some(store) = &revoking.store else {
        tracing::error!("a token cannot be revoked: the configuration has no store");
        return Err(OAuthError::unavailable(Reason::StoreUnavailable));
    };
    if token.expose().starts_with(REFRESH_PREFIX.as_bytes()) {
        let families = issuing.families.as_ref();
        let handle = families.and_then(|families| families.open(&token));
        if let Some(handle) = handle {
            end_family(issuing, client, &handle, peer).await?;
        }
    } else if let Ok(own) = revoking.reader.read(&token, issuing.clock.now()) {
        end_token(store, issuing, client, &own, peer).await?;
    } else {
        end_issuers_token(store, issuing, client, &token, peer).await?;
    }
    // RFC 7009 §2.2: an invalid token needs no revocation
    Ok(unstored(StatusCode::OK))
}

async fn end_family(
    issuing: &Issuing,
    client: &ClientPolicy,
    handle: &Handle,
    peer: &Peer,
) -> Result<(), OAuthError> {
    if handle.client() != client.id() {
        return Err(another_clients());
    }
    let ended = Ended {
        client: client.id(),
        peer,
        what: What::Family,
    };
    let mut until = None;
    if let Some(families) = &issuing.families {
        let revoked = families.end_of(handle, ended.note()).await;
        until = revoked.map_err(|error| refused::store(&error))?;
    }
    issuing.write(&ended.event(until))
}

async fn end_token(
    store: &Stores,
    issuing: &Issuing,
    client: &ClientPolicy,
    own: &OwnToken,
    peer: &Peer,
) -> Result<(), OAuthError> {
    let text = |name| own.claims().text(name).ok().flatten();
    if text("client_id") != Some(client.id()) {
        return Err(another_clients());
    }
    match own.format() {
        TokenFormat::Jwt | TokenFormat::Opaque => {}
        // RFC 7009 §2.2.1
        TokenFormat::IdToken => {
            return Err(OAuthError::bad_request(
                "unsupported_token_type",
                "an ID token cannot be revoked",
                Reason::TokenType,
            ));
        }
    }
    let ended = Ended {
        client: client.id(),
        peer,
        what: What::Token {
            issuer: text("iss"),
            subject: text("sub"),
            jti: text("jti"),
        },
    };
    let mut until = None;
    if let (Some(iss), Some(jti)) = (text("iss"), text("jti")) {
        let key = RevocationKey::token(iss, jti);
        until = Some(end(store, issuing, key, own.expires_at(), &ended).await?);
    }
    issuing.write(&AuditEvent {
        audiences: own.audiences(),
        expires_at: Some(own.expires_at()),
        ..ended.event(until)
    })
}

/// Revokes a token of a trusted issuer. The gateway then refuses it, and the tokens made from it, everywhere.
async fn end_issuers_token(
    store: &Stores,
    issuing: &Issuing,
    client: &ClientPolicy,
    token: &RawToken,
    peer: &Peer,
) -> Result<(), OAuthError> {
    let token = match issuing.verifier.revocable(token).await {
        Ok(token) => token,
        // the token cannot be verified at the moment
        Err(error) if error.class() == ErrorClass::Unavailable => {
            return Err(OAuthError::unavailable(Refusal::from(error).reason()));
        }
        Err(_) => return Ok(()),
    };
    let issued_to_it = token.client_id() == Some(client.id());
    if !issued_to_it || !client.terms().accept(token.issuer_name()) {
        return Err(another_clients());
    }
    let ended = Ended {
        client: client.id(),
        peer,
        what: What::Token {
            issuer: Some(token.issuer_url()),
            subject: token.sub(),
            jti: token.id(),
        },
    };
    let until = end(store, issuing, token.key(), token.expires_at(), &ended).await?;
    issuing.write(&AuditEvent {
        audiences: token.audiences(),
        expires_at: Some(token.expires_at()),
        ..ended.event(Some(until))
    })
}

/// Revokes the token with this `key`, which expires at `expires_at`, and everything that was made from it. The
/// revocation is durable when this returns. Returns when the revocation ends.
async fn end(
    store: &Stores,
    issuing: &Issuing,
    key: RevocationKey,
    expires_at: UnixTime,
    ended: &Ended<'_>,
) -> Result<UnixTime, OAuthError> {
    let until = issuing.last_end(expires_at);
    let revocation = Revocation::of_all(key, issuing.clock.now(), until).noted(ended.note());
    let revoked = store.revoke(&[revocation]).await;
    revoked.map_err(|error| refused::store(&error))?;
    Ok(until)
}

/// RFC 7009 §2.1: the request is refused, and the response contains the reason.
fn another_clients() -> OAuthError {
    OAuthError::invalid_request("the token belongs to another client")
}
