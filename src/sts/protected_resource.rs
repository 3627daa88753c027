//! The metadata of protected resources (RFC 9728): which issuers a resource trusts and which scopes it has.
//!
//! Routes that are one resource, such as two that share a path and differ in their methods, share one document.

use super::document::Document;
use crate::route::{Access, Protected, RESOURCE_METADATA_PATH, ResourceName, Route};
use http::{header, request::Parts};
use serde_json::json;
use std::{collections::HashMap, sync::Arc};

/// The documents by path, then by host and port: two hosts may have an API under the same path.
#[derive(Debug, Default)]
pub(super) struct ProtectedResources {
    by_path: HashMap<Box<str>, Vec<(Box<str>, Document)>>,
}

/// What was collected about one resource from its routes.
struct Gathered<'a> {
    resource: &'a ResourceName,
    issuers: Vec<&'a str>,
    scopes: Vec<&'a str>,
}

/// Returns `true` if `path` is for the metadata of a protected resource, whether or not it exists. Such a request is
/// never forwarded: what an upstream says about the issuers of its tokens must not reach clients.
pub(super) fn is_asked_for(path: &str) -> bool {
    path.strip_prefix(RESOURCE_METADATA_PATH)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl ProtectedResources {
    /// Builds the documents of all protected routes.
    pub(super) fn of(routes: &[Arc<Route>]) -> Self {
        let mut gathered: Vec<Gathered<'_>> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for route in routes {
            let (Access::Protected(stages), Some(resource)) = (route.access(), route.resource())
            else {
                continue;
            };
            let place = *places.entry(resource.as_str()).or_insert_with(|| {
                gathered.push(Gathered {
                    resource,
                    issuers: Vec::new(),
                    scopes: Vec::new(),
                });
                gathered.len() - 1
            });
            if let Some(gathered) = gathered.get_mut(place) {
                gathered.add(stages);
            }
        }
        let mut resources = Self::default();
        for gathered in gathered {
            let authority = gathered.resource.authority().into();
            let path = gathered.resource.document_path().into();
            let same_path = resources.by_path.entry(path).or_default();
            same_path.push((authority, gathered.document()));
        }
        resources
    }

    /// Returns the document that `request` asks for: the one of the host that it names, or else the first of its path.
    /// A client refuses the document of another resource (RFC 9728 §3.3).
    pub(super) fn find(&self, request: &Parts) -> Option<&Document> {
        let same_path = self.by_path.get(request.uri.path())?;
        let asked = host(request);
        let of_host = same_path
            .iter()
            .find(|(own, _)| asked.is_some_and(|asked| asked.eq_ignore_ascii_case(own)));
        let (_, document) = of_host.or_else(|| same_path.first())?;
        Some(document)
    }
}

impl<'a> Gathered<'a> {
    fn add(&mut self, stages: &'a Protected) {
        add_new(&mut self.issuers, stages.verifier.issuers());
        add_new(&mut self.scopes, stages.policy.scope().asked_for().iter());
    }

    fn document(&self) -> Document {
        let metadata = json!({
            "resource": self.resource.as_str(),
            "authorization_servers": self.issuers,
            "scopes_supported": self.scopes,
            "bearer_methods_supported": ["header"],
        });
        Document::new("application/json", metadata.to_string())
    }
}

fn add_new<'a>(known: &mut Vec<&'a str>, more: impl Iterator<Item = &'a str>) {
    for one in more {
        if !known.contains(&one) {
            known.push(one);
        }
    }
}

fn host(request: &Parts) -> Option<&str> {
    match request.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => request.headers.get(header::HOST)?.to_str().ok(),
    }
}
