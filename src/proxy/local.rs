//! Sites that this process serves itself, and what the edge reports to the metrics.

use super::edge::{ConnectionEvent, ConnectionObserver};
use crate::{admin::Admin, telemetry::Metrics};
use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response, header::CONTENT_LENGTH};
use pingora::{apps::http_app::ServeHttp, protocols::http::ServerSession};
use std::sync::Arc;

/// Answers requests by their heads alone; bodies are not read.
#[async_trait]
pub trait Site: Send + Sync {
    /// The whole answer.
    async fn answer(&self, request: &Request<()>) -> Response<Bytes>;
}

/// Serves a [`Site`] on an edge.
#[derive(Debug)]
pub struct SiteApp<S>(Arc<S>);

/// Serves metrics, health and readiness.
pub type AdminApp = SiteApp<Admin>;

impl<S: Site> SiteApp<S> {
    /// Serves `site`.
    pub fn new(site: impl Into<Arc<S>>) -> Arc<Self> {
        Arc::new(Self(site.into()))
    }
}

#[async_trait]
impl Site for Admin {
    async fn answer(&self, request: &Request<()>) -> Response<Bytes> {
        Self::answer(self, request)
    }
}

#[async_trait]
impl<S: Site> ServeHttp for SiteApp<S> {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let head = session.req_header();
        let mut request = Request::new(());
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = head.uri.clone();
        *request.headers_mut() = head.headers.clone();
        let is_head = head.method == Method::HEAD;
        let (mut parts, body) = self.0.answer(&request).await.into_parts();
        parts.headers.insert(CONTENT_LENGTH, body.len().into());
        Response::from_parts(parts, if is_head { Vec::new() } else { body.to_vec() })
    }
}

/// Counts connections in `metrics`.
pub fn connection_metrics(metrics: &Metrics) -> Arc<dyn ConnectionObserver> {
    Arc::new(Counting(metrics.clone()))
}

struct Counting(Metrics);

impl ConnectionObserver for Counting {
    fn observe(&self, event: ConnectionEvent) {
        self.0.connection(event);
    }
}
