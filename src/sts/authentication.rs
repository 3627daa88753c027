//! Authenticates the client of a request, with exactly one method.
//!
//! Takes a head, a form and the connection's certificate, and returns an [`AuthenticatedClient`], which is constructed
//! only here, from a [`ProvenClient`]. Every failure has the same response, and an unknown client takes as long as a
//! wrong secret.

mod basic;

use super::{
    Peer,
    error::{OAuthError, Tried},
    form::Form,
};
use crate::{
    clock::UnixTime,
    jose::UnverifiedJws,
    policy::{ClientPolicy, Clients},
    store::OnceOnly,
    telemetry::Reason,
    token::RawToken,
    verify::{
        ClientAuthenticator, ClientError, ClientMethod, PresentedClient, ProofTerms, ProvenClient,
    },
};
use basic::BasicCredentials;
use http::{header, request::Parts};
use std::sync::Arc;

/// The only accepted type of assertion (RFC 7523 §2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client that was authenticated.
#[derive(Debug, Clone)]
pub(super) struct AuthenticatedClient {
    proven: ProvenClient,
    policy: Arc<ClientPolicy>,
}

/// The conditions for every proof.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProofContext<'a> {
    /// The names of the gateway as the audience of an assertion.
    pub(super) audiences: &'a [Box<str>],
    /// The identifiers that were used already.
    pub(super) once: &'a OnceOnly,
    /// The current time.
    pub(super) now: UnixTime,
}

/// The client that a request names, and the proof that it presents.
struct Claim<'a> {
    /// Ids in the order in which they are tried: more than one if a field can be read in two ways.
    ids: Vec<String>,
    shown: Shown<'a>,
    tried: Tried,
}

enum Shown<'a> {
    Basic(Vec<&'a [u8]>),
    Post(&'a [u8]),
    Assertion(&'a RawToken),
    Nothing,
}

/// Returns the methods of all clients that can authenticate, each once, in the order of [`ClientMethod`].
pub(super) fn methods(clients: &Clients) -> Vec<ClientMethod> {
    let authenticators = clients.iter().filter_map(|client| client.authenticator());
    let mut methods: Vec<_> = authenticators.map(ClientAuthenticator::method).collect();
    methods.sort_unstable();
    methods.dedup();
    methods
}

impl AuthenticatedClient {
    /// Returns the client's id.
    pub(super) fn id(&self) -> &str {
        self.proven.id()
    }

    /// Returns the client's policy.
    pub(super) fn policy(&self) -> &ClientPolicy {
        &self.policy
    }
}

/// Authenticates the client of a request.
pub(super) async fn authenticate(
    clients: &Clients,
    head: &Parts,
    form: &Form,
    peer: &Peer,
    terms: ProofContext<'_>,
) -> Result<AuthenticatedClient, OAuthError> {
    let basic = authorization(head)?;
    let assertion = assertion(form)?;
    let claim = claim(form, basic.as_ref(), assertion.as_ref())?;
    let presented = match &claim.shown {
        Shown::Basic(readings) => PresentedClient::Basic(readings),
        Shown::Post(secret) => PresentedClient::Post(secret),
        Shown::Assertion(token) => PresentedClient::Assertion(token),
        Shown::Nothing => PresentedClient::Bare(peer.certificate.as_deref()),
    };
    let known = claim.ids.iter().find_map(|id| {
        let policy = clients.of(id)?;
        Some((policy, policy.authenticator()?))
    });
    let proven = match known {
        None => Err(ClientAuthenticator::refuse_unknown(presented)),
        Some((policy, client)) => {
            let terms = ProofTerms {
                audiences: terms.audiences,
                once: terms.once,
                now: terms.now,
            };
            let proven = client.prove(presented, terms).await;
            proven.map(|proven| AuthenticatedClient {
                proven,
                policy: Arc::clone(policy),
            })
        }
    };
    proven.map_err(|error| {
        tracing::debug!(request_id = %peer.id, why = %error, "client not authenticated");
        match error {
            ClientError::Unavailable => OAuthError::unavailable(Reason::KeysUnavailable),
            ClientError::Unknown
            | ClientError::OtherMethod { .. }
            | ClientError::Secret
            | ClientError::Assertion(_)
            | ClientError::NoCertificate
            | ClientError::Certificate => OAuthError::invalid_client(claim.tried),
        }
    })
}

/// Returns the one Authorization field, if there is one. A scheme other than Basic does not authenticate a client.
fn authorization(head: &Parts) -> Result<Option<BasicCredentials>, OAuthError> {
    let mut fields = head.headers.get_all(header::AUTHORIZATION).iter();
    match (fields.next(), fields.next()) {
        (None, _) => Ok(None),
        (Some(field), None) => BasicCredentials::parse(field)
            .map(Some)
            .ok_or_else(|| OAuthError::invalid_client(Tried::Field)),
        (Some(_), Some(_)) => Err(several()),
    }
}

fn assertion(form: &Form) -> Result<Option<RawToken>, OAuthError> {
    match (
        form.get("client_assertion"),
        form.get("client_assertion_type"),
    ) {
        (None, None) => Ok(None),
        (Some(token), Some(JWT_BEARER)) => Ok(Some(RawToken::from(token.to_owned()))),
        // RFC 7521 §4.2.1: with an unknown type, the client is not authenticated
        (Some(_), Some(_)) => Err(OAuthError::invalid_client(Tried::Otherwise)),
        (Some(_), None) | (None, Some(_)) => Err(OAuthError::invalid_request(
            "client_assertion and client_assertion_type must be sent together",
        )),
    }
}

/// RFC 6749 §2.3: one method per request.
fn claim<'a>(
    form: &'a Form,
    basic: Option<&'a BasicCredentials>,
    assertion: Option<&'a RawToken>,
) -> Result<Claim<'a>, OAuthError> {
    let named = form.get("client_id");
    match (basic, form.get("client_secret"), assertion) {
        (Some(basic), None, None) => {
            let ids: Vec<String> = basic.ids().map(str::to_owned).collect();
            if named.is_some_and(|named| !ids.iter().any(|id| id == named)) {
                return Err(OAuthError::invalid_request(
                    "client_id and the Authorization field name different clients",
                ));
            }
            Ok(Claim {
                ids,
                shown: Shown::Basic(basic.secrets().collect()),
                tried: Tried::Field,
            })
        }
        (None, Some(secret), None) => Ok(Claim {
            ids: named.map(str::to_owned).into_iter().collect(),
            shown: Shown::Post(secret.as_bytes()),
            tried: Tried::Otherwise,
        }),
        (None, None, Some(token)) => {
            // RFC 7521 §4.2: client_id is optional, and must match if it is present
            let issuer =
                issuer_of(token).filter(|issuer| named.is_none_or(|named| named == issuer));
            let issuer = issuer.ok_or_else(|| OAuthError::invalid_client(Tried::Otherwise))?;
            Ok(Claim {
                ids: vec![issuer],
                shown: Shown::Assertion(token),
                tried: Tried::Otherwise,
            })
        }
        (None, None, None) => Ok(Claim {
            ids: named.map(str::to_owned).into_iter().collect(),
            shown: Shown::Nothing,
            tried: Tried::Otherwise,
        }),
        _ => Err(several()),
    }
}

/// Returns the issuer that an assertion claims, whose keys verify it.
fn issuer_of(token: &RawToken) -> Option<String> {
    let jws = UnverifiedJws::parse(token).ok()?;
    jws.claimed_issuer().ok().map(str::to_owned)
}

fn several() -> OAuthError {
    OAuthError::invalid_request("a client must authenticate in exactly one way")
}
