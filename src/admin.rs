//! The admin listener: `/metrics`, `/healthz`, `/readyz`, `/decisions/{request id}` and `/revocations`.
//!
//! Takes plain HTTP requests and returns plain HTTP responses, without sockets. A web page cannot read anything through
//! a name that it points to this machine (DNS rebinding). On an address other than loopback, all requests need a token,
//! except that a probe gets the status of `/healthz` and `/readyz` without details. A user's token never gives access.

mod decisions;
mod entrance;
mod revocation;
mod revocations;
mod settings;
mod tokens;

pub use crate::telemetry::{Readiness, ReadinessReport};
pub use revocation::{Ends, KeyIds, Known, KnownIssuer, OwnTokens, RefreshTokens, Revoker};
pub use settings::{AdminSettings, AdminTerms, AdminTlsSettings};

use crate::telemetry::{Decisions, Metrics};
use arc_swap::ArcSwap;
use bytes::Bytes;
use entrance::{Admitted, Entrance, Purpose, Refused};
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE},
};
use serde_json::json;
use std::{net::SocketAddr, sync::Arc};

/// Handles the requests of operators.
#[derive(Debug)]
pub struct Admin {
    entrance: ArcSwap<Entrance>,
    revoker: ArcSwap<Revoker>,
    metrics: Metrics,
    readiness: Readiness,
    decisions: Decisions,
}

enum Document {
    Metrics,
    Health,
    Readiness,
}

const REVOCATIONS: &str = "/revocations";
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROMETHEUS_TEXT: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

impl Admin {
    /// Applies `terms` on a listener that was bound to `bound`, and revokes tokens with `revoker`.
    pub fn new(
        terms: AdminTerms,
        bound: SocketAddr,
        revoker: Revoker,
        metrics: Metrics,
        readiness: Readiness,
    ) -> Self {
        Self {
            entrance: ArcSwap::from_pointee(Entrance::new(terms, bound)),
            revoker: ArcSwap::from_pointee(revoker),
            metrics,
            readiness,
            decisions: Decisions::default(),
        }
    }

    /// Also serves the decisions on recent requests.
    #[must_use]
    pub fn telling(self, decisions: Decisions) -> Self {
        Self { decisions, ..self }
    }

    /// Applies `terms` from now on, on a listener that was bound to `bound`, and revokes tokens with `revoker`.
    pub fn admit_by(&self, terms: AdminTerms, bound: SocketAddr, revoker: Revoker) {
        self.entrance.store(Arc::new(Entrance::new(terms, bound)));
        self.revoker.store(Arc::new(revoker));
    }

    /// Handles one request.
    pub async fn respond(&self, request: &Request<Bytes>) -> Response<Bytes> {
        if request.uri().path() == REVOCATIONS {
            revocations::respond(self, request).await
        } else {
            self.document(request)
        }
    }

    fn document<B>(&self, request: &Request<B>) -> Response<Bytes> {
        let document = Document::at(request.uri().path());
        let is_probe = matches!(document, Some(Document::Health | Document::Readiness));
        let admitted = match self.entrance.load().admit(request, Purpose::Read) {
            Ok(_) => Admitted::Operator,
            Err(Refused::TokenMissing) if is_probe => Admitted::Anonymous,
            Err(refused) => return refusal(refused),
        };
        if let Some(id) = request.uri().path().strip_prefix(decisions::PREFIX) {
            return decisions::respond(self, request.method(), id);
        }
        let Some(document) = document else {
            return error(StatusCode::NOT_FOUND, "not_found", "no such document");
        };
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return not_allowed("GET, HEAD", "only GET and HEAD are allowed");
        }
        let mut response = match document {
            Document::Metrics => response(StatusCode::OK, PROMETHEUS_TEXT, self.metrics.render()),
            Document::Health => response(StatusCode::OK, JSON, r#"{"alive":true}"#.to_owned()),
            Document::Readiness => self.readiness(admitted),
        };
        if request.method() == Method::HEAD {
            *response.body_mut() = Bytes::new();
        }
        response
    }

    fn readiness(&self, admitted: Admitted) -> Response<Bytes> {
        let report = self.readiness.report();
        let ready = report.is_ready();
        let status = if ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        let mut body = json!({ "ready": ready });
        if let (Admitted::Operator, Some(members), false) = (admitted, body.as_object_mut(), ready)
        {
            let waiting_for: Vec<&str> = report.waiting_for.iter().map(AsRef::as_ref).collect();
            members.insert("waiting_for".to_owned(), json!(waiting_for));
            members.insert("draining".to_owned(), json!(report.draining));
        }
        response(status, JSON, body.to_string())
    }
}

impl Document {
    fn at(path: &str) -> Option<Self> {
        match path {
            "/metrics" => Some(Self::Metrics),
            "/healthz" => Some(Self::Health),
            "/readyz" => Some(Self::Readiness),
            _ => None,
        }
    }
}

fn refusal(refused: Refused) -> Response<Bytes> {
    match refused {
        Refused::Host => error(
            StatusCode::FORBIDDEN,
            "access_denied",
            "the Host field names neither this machine nor the listener's address",
        ),
        Refused::OtherPurpose(purpose) => error(
            StatusCode::FORBIDDEN,
            "access_denied",
            match purpose {
                Purpose::Read => "this token is for revoking; reading needs admin.tokens.read",
                Purpose::Revoke => "this token is for reading; revoking needs admin.tokens.revoke",
            },
        ),
        Refused::TokenMissing | Refused::TokenWrong => {
            let mut response = error(
                StatusCode::UNAUTHORIZED,
                "invalid_token",
                "the admin token is required",
            );
            response.headers_mut().insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"obo-gateway admin\""),
            );
            response
        }
    }
}

fn not_allowed(allowed: &'static str, description: &'static str) -> Response<Bytes> {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut response = error(status, "method_not_allowed", description);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

fn error(status: StatusCode, code: &str, description: &str) -> Response<Bytes> {
    let body = json!({ "error": code, "error_description": description });
    response(status, JSON, body.to_string())
}

fn response(status: StatusCode, content_type: HeaderValue, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    *response.body_mut() = Bytes::from(body);
    response
}

#[cfg(test)]
mod tests;
