//! The token service under `issuer.url`: its endpoints, its metadata and keys, and the metadata of each protected
//! resource.
//!
//! Takes requests whose bodies are complete and returns complete responses, without sockets. A client is authenticated
//! once, with one method, before its parameters are evaluated; the grants get the proof of that. Responses of the
//! endpoints repeat nothing of the request and must not be stored. The metadata lists only endpoints that are enabled.

mod authentication;
mod description;
mod document;
mod documents;
mod ended;
mod endpoint;
mod error;
mod families;
mod form;
mod grants;
mod introspection;
mod issuing;
mod metadata;
mod protected_resource;
mod refused;
mod response;
mod revocation;

pub use documents::Documents;
pub use families::Families;
pub use form::MAX_BODY;
pub use introspection::Introspection;
pub use issuing::Issuing;
pub use response::TokenEndpointResponse;
pub use revocation::Revoking;

use crate::{
    clock::SharedClock,
    rate_limit::RateLimiter,
    store::OnceOnly,
    telemetry::{DecisionNames, Reason, RequestId, TokenDecision},
};
use authentication::AuthenticatedClient;
use bytes::Bytes;
use endpoint::Endpoint;
use error::OAuthError;
use form::Form;
use http::{Request, Response, header, request::Parts};
use metadata::Offered;
use std::{net::IpAddr, sync::Arc};

/// Handles requests to the gateway's own endpoints and documents.
#[derive(Debug)]
pub struct TokenService {
    /// The public documents.
    pub documents: Documents,
    endpoints: Vec<(Box<str>, Endpoint)>,
    service: ServiceParts,
}

/// The components that the endpoints use.
#[derive(Debug, Clone)]
pub struct ServiceParts {
    /// The identifiers of client JWTs that were used already.
    pub once: OnceOnly,
    /// The rate limits of the endpoints.
    pub rates: RateLimiter,
    /// The components that the grants use.
    pub issuing: Arc<Issuing>,
    /// Handles introspection requests.
    pub introspection: Arc<Introspection>,
    /// Handles revocation requests.
    pub revoking: Revoking,
    /// The current time.
    pub clock: SharedClock,
}

/// The sender of a request.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The address from which the connection comes.
    pub address: Option<IpAddr>,
    /// The client certificate of the connection in DER, verified against the listener's `client_ca`.
    pub certificate: Option<Arc<[u8]>>,
    /// The id of the request.
    pub id: RequestId,
}

/// A request to an endpoint whose head was checked: its body may be read.
#[derive(Debug, Clone, Copy)]
pub struct Expected(Endpoint);

impl TokenService {
    /// Serves `documents`; serves the endpoints only if at least one configured client can authenticate.
    pub fn new(mut documents: Documents, service: ServiceParts) -> Self {
        let clients = &service.issuing.clients;
        let endpoints = if authentication::methods(clients).is_empty() {
            Vec::new()
        } else {
            let offered = Offered {
                clients,
                grants: grants::offered(&service.issuing),
                revocation: service.revoking.store.is_some(),
            };
            documents.offer(&offered);
            Endpoint::ALL
                .iter()
                .map(|endpoint| (documents.path_of(endpoint.path()), *endpoint))
                .collect()
        };
        Self {
            documents,
            endpoints,
            service,
        }
    }

    /// Returns `true` if `path` belongs to the token service, on any host.
    pub fn serves(&self, path: &str) -> bool {
        self.endpoint(path).is_some() || self.documents.serves(path)
    }

    /// Returns all paths of the token service.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let endpoints = self.endpoints.iter().map(|(path, _)| &**path);
        endpoints.chain(self.documents.paths())
    }

    /// Returns the identifiers of client JWTs that were used, for the next configuration.
    pub fn once(&self) -> OnceOnly {
        self.service.once.clone()
    }

    /// Checks a request before its body is read. A request for a document needs no body and gets its response here.
    ///
    /// # Errors
    /// The complete response, if the body is not needed.
    pub fn begin(&self, head: &Parts, peer: &Peer) -> Result<Expected, Box<Response<Bytes>>> {
        let Some(endpoint) = self.endpoint(head.uri.path()) else {
            return Err(Box::new(self.documents.respond(head)));
        };
        let begun = self
            .service
            .rates
            .take_for_address(peer.address)
            .map_err(OAuthError::too_many_requests)
            .and_then(|()| endpoint.check_head(head));
        begun
            .map(|()| Expected(endpoint))
            .map_err(|error| Box::new(error.response()))
    }

    /// Returns the response to a request with its whole body. The extensions of the response contain a [`Reason`] if it
    /// is a refusal, and, once the client is authenticated, an `Arc` of a [`TokenDecision`] that names the client and the
    /// subject.
    pub async fn end(
        &self,
        expected: Expected,
        head: &Parts,
        body: &[u8],
        peer: &Peer,
    ) -> Response<Bytes> {
        let mut caller = None;
        let responded = self.respond_to_form(expected.0, head, body, peer, &mut caller);
        let mut response = responded.await.unwrap_or_else(|error| error.response());
        if let Some(client) = &caller {
            // a grant may have stored a decision with the subject of the refused token already
            let extensions = response.extensions_mut();
            extensions.get_or_insert_with(|| called_by(client.id()));
        }
        response
    }

    /// Handles a request whose body was read already.
    pub async fn respond(&self, request: Request<Bytes>, peer: &Peer) -> Response<Bytes> {
        let (head, body) = request.into_parts();
        match self.begin(&head, peer) {
            Ok(expected) => self.end(expected, &head, &body, peer).await,
            Err(response) => *response,
        }
    }

    /// Returns the response to a request whose body was not read.
    pub fn respond_unread(&self, why: Unread) -> Response<Bytes> {
        OAuthError::unread(why).response()
    }

    async fn respond_to_form(
        &self,
        endpoint: Endpoint,
        head: &Parts,
        body: &[u8],
        peer: &Peer,
        caller: &mut Option<AuthenticatedClient>,
    ) -> Result<Response<Bytes>, OAuthError> {
        if endpoint == Endpoint::Authorize {
            return Err(OAuthError::unsupported_response_type());
        }
        let form = Form::parse(body)?;
        let client = caller.insert(self.authenticate(head, &form, peer).await?);
        self.service
            .rates
            .take_for_client(client.id())
            .map_err(OAuthError::too_many_requests)?;
        let ServiceParts {
            issuing,
            introspection,
            revoking,
            ..
        } = &self.service;
        let policy = client.policy();
        match endpoint {
            Endpoint::Token => Ok(grants::respond(issuing, policy, &form, peer).await),
            Endpoint::Introspect => {
                let accept = head.headers.get(header::ACCEPT);
                Ok(introspection.introspect(policy, form.token()?, accept))
            }
            Endpoint::Revoke => revocation::respond(revoking, issuing, policy, &form, peer).await,
            Endpoint::Authorize => Err(OAuthError::unsupported_response_type()),
        }
    }

    /// Authenticates the client. A failure costs its address ten requests of the rate limit.
    async fn authenticate(
        &self,
        head: &Parts,
        form: &Form,
        peer: &Peer,
    ) -> Result<AuthenticatedClient, OAuthError> {
        let ServiceParts {
            issuing,
            once,
            rates,
            clock,
            ..
        } = &self.service;
        let clients = &issuing.clients;
        let terms = authentication::ProofContext {
            audiences: self.documents.names(),
            once,
            now: clock.now(),
        };
        let authenticated = authentication::authenticate(clients, head, form, peer, terms).await;
        authenticated.inspect_err(|error| {
            if error.reason() == Reason::ClientAuthentication {
                rates.charge_address(peer.address);
            }
        })
    }

    fn endpoint(&self, path: &str) -> Option<Endpoint> {
        let mut endpoints = self.endpoints.iter();
        endpoints.find_map(|(own, endpoint)| (**own == *path).then_some(*endpoint))
    }
}

/// Returns a decision that names only the caller, for the access log.
fn called_by(client: &str) -> Arc<TokenDecision> {
    let names = DecisionNames {
        client_id: Some(client),
        ..DecisionNames::default()
    };
    Arc::new(TokenDecision::new(&names, &[]))
}

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// The body is longer than [`MAX_BODY`].
    TooLong,
    /// The body did not arrive in time.
    TooSlow,
}
