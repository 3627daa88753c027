//! The token service under `issuer.url`: its endpoints, its metadata and keys, and what clients read about each protected
//! resource.
//!
//! What enters is a request, its body read whole; what leaves is a whole answer, without sockets. A client is
//! authenticated once, in one way, before anything is looked at that it asks for; the proof of that goes to the grants.
//! Nothing of a request is echoed, no answer is stored, and metadata names an endpoint only where it answers.

mod answer;
mod authentication;
mod description;
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
mod revocation;

pub use answer::TokenAnswer;
pub use documents::Documents;
pub use families::Families;
pub use form::MAX_BODY;
pub use introspection::Introspection;
pub use issuing::Issuing;
pub use revocation::Revoking;

use crate::{
    clock::SharedClock,
    gate::RateLimiter,
    store::OnceOnly,
    telemetry::{Decision, DecisionNames, Reason, RequestId},
};
use authentication::AuthenticatedClient;
use bytes::Bytes;
use endpoint::Endpoint;
use error::OAuthError;
use form::Form;
use http::{Request, Response, header, request::Parts};
use metadata::Offered;
use std::{net::IpAddr, sync::Arc};

/// Answers what is asked of the gateway itself.
#[derive(Debug)]
pub struct TokenService {
    /// What everybody may read.
    pub documents: Documents,
    endpoints: Vec<(Box<str>, Endpoint)>,
    service: ServiceParts,
}

/// What the endpoints work with.
#[derive(Debug, Clone)]
pub struct ServiceParts {
    /// Which identifiers of clients' JWTs were used.
    pub once: OnceOnly,
    /// How often anybody may call.
    pub rates: RateLimiter,
    /// What the grants work with.
    pub issuing: Arc<Issuing>,
    /// What clients' questions about tokens are answered with.
    pub introspection: Arc<Introspection>,
    /// What clients end tokens with.
    pub revoking: Revoking,
    /// The time.
    pub clock: SharedClock,
}

/// Who sent a request.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The address that the connection comes from.
    pub address: Option<IpAddr>,
    /// The certificate of the connection, verified against the listener's `client_ca` (DER).
    pub certificate: Option<Arc<[u8]>>,
    /// The id of the request.
    pub id: RequestId,
}

/// A request to an endpoint, whose head is in order: its body may be read.
#[derive(Debug, Clone, Copy)]
pub struct Expected(Endpoint);

impl TokenService {
    /// Serves `documents`, and the endpoints where a client is configured that can authenticate.
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

    /// Whether `path` is one of the service's, on any host.
    pub fn serves(&self, path: &str) -> bool {
        self.endpoint(path).is_some() || self.documents.serves(path)
    }

    /// Whether requests to `path` may have a body that is read.
    pub fn is_endpoint(&self, path: &str) -> bool {
        self.endpoint(path).is_some()
    }

    /// The paths that are taken.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let endpoints = self.endpoints.iter().map(|(path, _)| &**path);
        endpoints.chain(self.documents.paths())
    }

    /// Which identifiers of clients' JWTs were used: for the configuration that comes next.
    pub fn once(&self) -> OnceOnly {
        self.service.once.clone()
    }

    /// What can be said of a request before its body is read: that it may come, or the whole answer. A document's answer
    /// needs no body.
    ///
    /// # Errors
    /// The answer.
    pub fn begin(&self, head: &Parts, peer: &Peer) -> Result<Expected, Box<Response<Bytes>>> {
        let Some(endpoint) = self.endpoint(head.uri.path()) else {
            return Err(Box::new(self.documents.answer(head)));
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

    /// The answer to a request that may come, with its whole body. Its extensions have a [`Reason`] if it is a refusal, and
    /// an `Arc` of a [`Decision`] that names whom it is about once the client is authenticated.
    pub async fn end(
        &self,
        expected: Expected,
        head: &Parts,
        body: &[u8],
        peer: &Peer,
    ) -> Response<Bytes> {
        let mut caller = None;
        let answered = self.answer_form(expected.0, head, body, peer, &mut caller);
        let mut response = answered.await.unwrap_or_else(|error| error.response());
        if let Some(client) = &caller {
            // what a grant found out about the subject of a refusal is there already
            let extensions = response.extensions_mut();
            extensions.get_or_insert_with(|| called_by(client.id()));
        }
        response
    }

    /// The same for a request that was read whole.
    pub async fn answer(&self, request: Request<Bytes>, peer: &Peer) -> Response<Bytes> {
        let (head, body) = request.into_parts();
        match self.begin(&head, peer) {
            Ok(expected) => self.end(expected, &head, &body, peer).await,
            Err(answer) => *answer,
        }
    }

    /// The answer to a request whose body was not read.
    pub fn answer_unread(&self, why: Unread) -> Response<Bytes> {
        OAuthError::unread(why).response()
    }

    async fn answer_form(
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
            Endpoint::Token => Ok(grants::answer(issuing, policy, &form, peer).await),
            Endpoint::Introspect => {
                let accept = head.headers.get(header::ACCEPT);
                Ok(introspection.introspect(policy, form.token()?, accept))
            }
            Endpoint::Revoke => revocation::answer(revoking, issuing, policy, &form, peer).await,
            Endpoint::Authorize => Err(OAuthError::unsupported_response_type()),
        }
    }

    /// Proves the client. A failure costs its address ten requests.
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
        let terms = authentication::Terms {
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

/// What the log line of a request says of its caller.
fn called_by(client: &str) -> Arc<Decision> {
    let names = DecisionNames {
        client_id: Some(client),
        ..DecisionNames::default()
    };
    Arc::new(Decision::new(&names, &[]))
}

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// It is longer than [`MAX_BODY`].
    TooLong,
    /// It did not come in time.
    TooSlow,
}
