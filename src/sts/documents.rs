//! The gateway's public documents: keys and metadata of the token service, served under `issuer.url`, and the metadata
//! of protected resources.
//!
//! The documents are built once, when the configuration is loaded, and list only endpoints that are enabled.

use super::{
    description,
    document::Document,
    endpoint::Endpoint,
    metadata::{About, Offered},
    protected_resource::{self, ProtectedResources},
};
use crate::{
    exchange::EngineParts,
    route::{RESOURCE_METADATA_PATH, Route},
};
use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header, request::Parts};
use std::sync::Arc;

/// How long documents may be cached. After this time, no cache contains a key that was withdrawn. A new key is
/// published before it is used, so that no cache misses it.
const CACHEABLE: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// The path of the key set below the issuer's path.
const KEYS_PATH: &str = "/oauth/v2/keys";

/// The documents by path.
#[derive(Debug, Default)]
pub struct Documents {
    /// There are few documents: comparing the paths is faster than hashing.
    by_path: Vec<(Box<str>, Document)>,
    resources: ProtectedResources,
    about: About,
    /// The path of `issuer.url`.
    base: Box<str>,
    /// The names of the gateway as the audience of an assertion.
    names: Vec<Box<str>>,
}

impl Documents {
    /// Builds the documents of the engine: JWKS (RFC 7517 §5), authorization server metadata (RFC 8414) and discovery.
    pub fn of(engine: &EngineParts) -> Self {
        let base = engine.url.url().path().trim_end_matches('/').to_owned();
        let about = About {
            issuer: (*engine.identity.issuer).into(),
            algorithms: engine.keys.iter().map(|key| key.alg().as_str()).collect(),
        };
        let metadata = Document::json(about.document(KEYS_PATH));
        let keys = Document {
            content_type: HeaderValue::from_static("application/jwk-set+json"),
            body: engine.keys.jwks().into(),
        };
        let [oauth, openid] = metadata_paths(&base);
        let by_path = [
            (format!("{base}{KEYS_PATH}"), keys),
            (oauth, metadata.clone()),
            (openid, metadata),
        ];
        Self {
            by_path: by_path
                .into_iter()
                .map(|(path, document)| (path.into(), document))
                .collect(),
            resources: ProtectedResources::default(),
            names: vec![about.issuer.clone()],
            base: base.into(),
            about,
        }
    }

    /// Adds the offered endpoints and grants to the metadata.
    pub(super) fn offer(&mut self, offered: &Offered<'_>) {
        let mut metadata = self.about.document(KEYS_PATH);
        offered.add_to(&mut metadata, &self.about);
        let metadata = Document::json(metadata);
        let paths = metadata_paths(&self.base);
        for (path, document) in &mut self.by_path {
            if paths.iter().any(|own| **own == **path) {
                *document = metadata.clone();
            }
        }
        let description = Document::new("application/json", description::of(&self.about.url("")));
        self.by_path
            .push((self.path_of(description::PATH), description));
        self.names
            .push(self.about.url(Endpoint::Token.path()).into());
    }

    /// Returns the full path of `path`, which is relative to the issuer.
    pub(super) fn path_of(&self, path: &str) -> Box<str> {
        format!("{}{path}", self.base).into()
    }

    /// Returns the names of the gateway as the audience of a client's assertion: the issuer, and the token endpoint
    /// (RFC 7523 §3, item 3).
    pub(super) fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// Adds the metadata of the protected resources among `routes` (RFC 9728 §3.2).
    pub fn describe(&mut self, routes: &[Arc<Route>]) {
        self.resources = ProtectedResources::of(routes);
    }

    /// Returns `true` if `path` is the path of a document or below that of the protected resources' metadata, on any
    /// host.
    pub fn serves(&self, path: &str) -> bool {
        self.find(path).is_some() || protected_resource::is_asked_for(path)
    }

    fn find(&self, path: &str) -> Option<&Document> {
        let mut documents = self.by_path.iter();
        documents.find_map(|(own, document)| (**own == *path).then_some(document))
    }

    /// Returns all paths of the documents.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let own = self.by_path.iter().map(|(path, _)| path.as_ref());
        own.chain([RESOURCE_METADATA_PATH])
    }

    /// Returns the response to a request for one of the documents.
    pub fn respond(&self, request: &Parts) -> Response<Bytes> {
        let own = self.find(request.uri.path());
        let Some(document) = own.or_else(|| self.resources.find(request)) else {
            return with_status(StatusCode::NOT_FOUND);
        };
        if request.method == Method::OPTIONS {
            return preflight();
        }
        if !matches!(request.method, Method::GET | Method::HEAD) {
            let mut response = with_status(StatusCode::METHOD_NOT_ALLOWED);
            response
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let mut response = with_status(StatusCode::OK);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, document.content_type.clone());
        headers.insert(header::CACHE_CONTROL, CACHEABLE);
        headers.remove(header::PRAGMA);
        *response.body_mut() = document.body.clone();
        response
    }
}

/// RFC 8414 §3 inserts the well-known part between host and path; discovery appends it.
fn metadata_paths(base: &str) -> [String; 2] {
    [
        format!("/.well-known/oauth-authorization-server{base}"),
        format!("{base}/.well-known/openid-configuration"),
    ]
}

/// Browsers send a preflight request before a request with custom fields; any application may read public documents.
fn preflight() -> Response<Bytes> {
    let mut response = with_status(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    let all = HeaderValue::from_static("*");
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, HEAD"),
    );
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, all);
    response
}

fn with_status(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    response
}
