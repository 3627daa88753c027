//! The compiled route table: which components a request meets.
//!
//! What enters are the settings of `routes` and the components they name; what leaves is, for a clean target and a
//! method, the one [`Route`] that serves it. The most specific route wins, and two that are equal are refused at load.
//! `public: true` is the only source of the [`Public`] proof.

mod chain;
mod cors;
mod form;
mod index;
mod matcher;
mod operations;
mod resource;
mod settings;
mod table;
mod terms;
mod upstream;

pub use cors::{Cors, CorsSettings, Speaker};
pub use matcher::MatchSettings;
pub use resource::{RESOURCE_METADATA_PATH, ResourceName};
pub use settings::{RouteParts, RouteSettings, Upgrade};
pub use table::RouteTable;
pub use terms::{
    HeaderValueSettings, HeadersSettings, RequestSettings, RequestTerms, ResponseSettings,
    ResponseTerms, SetHeaderSettings,
};
pub use upstream::{
    TargetSettings, TimeoutSettings, Upstream, UpstreamHost, UpstreamSettings, UpstreamTarget,
};

use crate::{
    cache::Terms,
    exchange::Exchange,
    policy::{ExchangePolicy, OperationId},
    settings::PublicUrl,
    telemetry::RouteMetrics,
    token::TokenTypeUri,
    verify::Verifier,
};
use matcher::Match;
use std::{borrow::Cow, sync::Arc};

/// One route: what it matches, where it leads, and what becomes of tokens on the way.
#[derive(Debug)]
pub struct Route {
    name: Box<str>,
    position: usize,
    matches: Match,
    upstream: Upstream,
    access: Access,
    request: Option<Box<RequestTerms>>,
    response: Option<Box<ResponseTerms>>,
    resource: Option<Box<ResourceName>>,
    upgrade: Upgrade,
    metrics: Arc<RouteMetrics>,
}

/// What a route asks of a request.
#[derive(Debug)]
pub enum Access {
    /// A token, which is exchanged.
    Protected(Arc<Protected>),
    /// Nothing; nothing is attached.
    Public(Public),
}

/// The proof that the operator declared the route public. It is made nowhere else.
#[derive(Debug, Clone, Copy)]
pub struct Public(());

/// The stages that a token passes on one route.
#[derive(Debug, Clone)]
pub struct Protected {
    /// Proves the token genuine.
    pub verifier: Arc<Verifier>,
    /// Narrows what it stands for.
    pub policy: Arc<ExchangePolicy>,
    /// Makes the token that replaces it.
    pub exchange: Exchange,
    /// What decides on all requests of the route alike.
    pub terms: RouteTerms,
}

/// What decides on all requests of one operation of a route alike, digested when the route is built.
#[derive(Debug, Clone)]
pub struct RouteTerms {
    /// Of requests that are no operation.
    none: Terms,
    operations: Box<[Terms]>,
}

impl RouteTerms {
    /// The terms of the route called `name` with this policy, which was changed `generation` times.
    pub fn new(name: &str, policy: &ExchangePolicy, generation: u64) -> Self {
        let terms = |operation| Terms::new(name, operation, generation, TokenTypeUri::AccessToken);
        Self {
            none: terms(""),
            operations: policy.operation_labels().map(terms).collect(),
        }
    }

    /// The terms of requests that are this operation.
    pub fn of(&self, operation: Option<OperationId>) -> &Terms {
        operation
            .and_then(|id| self.operations.get(id.position()))
            .unwrap_or(&self.none)
    }
}

impl Route {
    /// The name: unique, and a metric label.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Says where the route stands in the configuration.
    #[must_use]
    pub fn at(mut self, position: usize) -> Self {
        self.position = position;
        self
    }

    /// Names the route as a resource by what clients call, unless the operator named it.
    #[must_use]
    pub fn reached_under(mut self, public_url: Option<&PublicUrl>) -> Self {
        let protected = matches!(self.access, Access::Protected(_));
        if let (None, Some(public_url), true) = (&self.resource, public_url, protected) {
            self.resource = ResourceName::of_match(public_url, &self.matches).map(Box::new);
        }
        self
    }

    /// Says how often the route's policy has changed: exchanges of another generation are not remembered.
    #[must_use]
    pub fn in_generation(mut self, generation: u64) -> Self {
        if let Access::Protected(stages) = &mut self.access {
            let terms = RouteTerms::new(&self.name, &stages.policy, generation);
            Arc::make_mut(stages).terms = terms;
        }
        self
    }

    /// Where the route stands in the configuration, from 0.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Where the route leads.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// What it asks of a request.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// What crosses to the downstream beyond the usual.
    pub fn request_terms(&self) -> Option<&RequestTerms> {
        self.request.as_deref()
    }

    /// What crosses to the client beyond the usual.
    pub fn response_terms(&self) -> Option<&ResponseTerms> {
        self.response.as_deref()
    }

    /// Which other origins' scripts may call it.
    pub fn cors(&self) -> Option<&Cors> {
        self.response.as_ref()?.cors()
    }

    /// Its name as a protected resource; none on a public route, and where nothing says what clients call.
    pub fn resource(&self) -> Option<&ResourceName> {
        self.resource.as_deref()
    }

    /// Whether a connection may go over to another protocol.
    pub fn upgrade(&self) -> Upgrade {
        self.upgrade
    }

    /// What it matches, in words: hosts, path and methods, those that it leaves open included.
    pub fn matched(&self) -> String {
        self.matches.to_string()
    }

    /// The metrics of this route.
    pub fn metrics(&self) -> &RouteMetrics {
        &self.metrics
    }

    /// Whether every request of this route has a path that is `path` or below it.
    pub fn is_at_or_below(&self, path: &str) -> bool {
        self.matches.path.is_at_or_below(path)
    }

    /// What `path` has below the route's own: empty, or with a slash in front.
    pub fn below<'a>(&self, path: &'a str) -> &'a str {
        self.matches.below(path)
    }

    /// The path that the downstream sees for `path`.
    pub fn upstream_path<'a>(&self, path: &'a str) -> Cow<'a, str> {
        match self.upstream.rewrite_prefix() {
            None => Cow::Borrowed(path),
            Some(replacement) => Cow::Owned(self.matches.rewrite(path, replacement)),
        }
    }

    /// The path by which clients reach what the upstream knows as `path`; `None` where no path is rewritten, or none of
    /// this route's leads there.
    pub fn public_path(&self, path: &str) -> Option<String> {
        self.matches.restore(path, self.upstream.rewrite_prefix()?)
    }
}
