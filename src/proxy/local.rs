//! The administration's listener, and what the edge reports to the metrics.

use super::edge::{ConnectionEvent, ConnectionObserver};
use crate::{admin::Admin, telemetry::Metrics};
use async_trait::async_trait;
use pingora::{apps::http_app::ServeHttp, protocols::http::ServerSession};
use std::sync::Arc;

/// Serves metrics, health and readiness.
#[derive(Debug)]
pub struct AdminApp(Admin);

impl AdminApp {
    /// Serves `admin`.
    pub fn new(admin: Admin) -> Arc<Self> {
        Arc::new(Self(admin))
    }
}

#[async_trait]
impl ServeHttp for AdminApp {
    async fn response(&self, session: &mut ServerSession) -> http::Response<Vec<u8>> {
        let head = session.req_header();
        let mut request = http::Request::new(());
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = head.uri.clone();
        *request.headers_mut() = head.headers.clone();
        let is_head = head.method == http::Method::HEAD;
        let (mut parts, body) = self.0.answer(&request).into_parts();
        parts
            .headers
            .insert(http::header::CONTENT_LENGTH, body.len().into());
        http::Response::from_parts(parts, if is_head { Vec::new() } else { body.to_vec() })
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
