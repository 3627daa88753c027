//! Sites that this process serves itself, such as the admin listener, and the metrics of the edge.

use crate::{admin::Admin, edge, error::Refusal};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode, header::CONTENT_LENGTH};
use pingora::{apps::http_app::ServeHttp, protocols::http::ServerSession};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// Sends responses to requests. The extensions of a request contain the `SocketAddr` of the peer, if it is known. A
/// request whose body is longer than 64 KiB, or takes longer than ten seconds, is refused before it reaches the site.
#[async_trait]
pub trait Site: Send + Sync {
    /// Returns the complete response to `request`.
    async fn respond(&self, request: &Request<Bytes>) -> Response<Bytes>;
}

/// Serves a [`Site`] on an edge.
#[derive(Debug)]
pub struct SiteApp<S>(Arc<S>);

/// Serves metrics, health and readiness.
pub type AdminApp = SiteApp<Admin>;

/// Maximum length of a body, in bytes: enough for a token and the JSON around it.
const BODY_LIMIT: usize = 64 << 10;
/// Maximum time for receiving a body.
const BODY_WITHIN: Duration = Duration::from_secs(10);

impl<S: Site> SiteApp<S> {
    /// Creates an app that serves `site`.
    pub fn new(site: impl Into<Arc<S>>) -> Arc<Self> {
        Arc::new(Self(site.into()))
    }
}

#[async_trait]
impl Site for Admin {
    async fn respond(&self, request: &Request<Bytes>) -> Response<Bytes> {
        Self::respond(self, request).await
    }
}

#[async_trait]
impl<S: Site> ServeHttp for SiteApp<S> {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        if let Some(error) = edge::refusal() {
            return refused(session, error.into());
        }
        let body = match timeout(BODY_WITHIN, body(session)).await {
            Ok(Ok(body)) => body,
            Ok(Err(status)) => return unread(session, status),
            Err(_elapsed) => return unread(session, StatusCode::REQUEST_TIMEOUT),
        };
        let head = session.req_header();
        let mut request = Request::new(body);
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = head.uri.clone();
        *request.headers_mut() = head.headers.clone();
        let peer = session.client_addr().and_then(|peer| peer.as_inet());
        if let Some(peer) = peer {
            request.extensions_mut().insert(*peer);
        }
        let is_head = head.method == Method::HEAD;
        let (mut parts, body) = self.0.respond(&request).await.into_parts();
        parts.headers.insert(CONTENT_LENGTH, body.len().into());
        Response::from_parts(parts, if is_head { Vec::new() } else { body.to_vec() })
    }
}

/// Returns the whole body of the request, or the status of the refusal.
async fn body(session: &mut ServerSession) -> Result<Bytes, StatusCode> {
    let mut whole = BytesMut::new();
    loop {
        let piece = session.read_request_body().await;
        match piece.map_err(|_| StatusCode::BAD_REQUEST)? {
            Some(piece) if whole.len() + piece.len() > BODY_LIMIT => {
                return Err(StatusCode::PAYLOAD_TOO_LARGE);
            }
            Some(piece) => whole.extend_from_slice(&piece),
            None => return Ok(whole.freeze()),
        }
    }
}

/// Responds to a request that the edge refused.
fn refused(session: &mut ServerSession, refusal: Refusal) -> Response<Vec<u8>> {
    session.set_keepalive(None);
    let refused = refusal.response();
    let is_head = session.req_header().method == Method::HEAD;
    let body = refused.body();
    let mut response = Response::new(if is_head { Vec::new() } else { body.to_vec() });
    *response.status_mut() = refused.status;
    response.headers_mut().extend(refused.headers(None));
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, body.len().into());
    response
}

/// Refuses a request whose body was not read to its end. The connection is closed, because the next request could not
/// be distinguished from the rest of the body.
fn unread(session: &mut ServerSession, status: StatusCode) -> Response<Vec<u8>> {
    session.set_keepalive(None);
    let mut response = Response::new(Vec::new());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_LENGTH, 0.into());
    response
}
