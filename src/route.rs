//! The compiled route table.
//!
//! For a clean target and a method it finds the one [`Route`] that matches. The most specific route wins. Two equal
//! routes are refused at load. `public: true` is the only source of the [`Public`] proof.

mod chain;
mod cors;
mod dependencies;
mod form;
mod index;
mod matcher;
mod operations;
mod resource;
mod rules;
mod settings;
mod table;
mod upstream;

pub use cors::{Cors, CorsSettings, Speaker};
pub use dependencies::RouteDependencies;
pub use matcher::MatchSettings;
pub use resource::{RESOURCE_METADATA_PATH, ResourceName};
pub use rules::{
    HeaderValueSettings, HeadersSettings, RequestRules, RequestSettings, ResponseRules,
    ResponseSettings, SetHeaderSettings,
};
pub use settings::{RouteSettings, Upgrade};
pub use table::RouteTable;
pub use upstream::{
    TargetSettings, TimeoutSettings, Upstream, UpstreamHost, UpstreamSettings, UpstreamTarget,
};

use crate::{
    cache::PolicyContext,
    exchange::NamedExchanger,
    policy::{ExchangePolicy, OperationId},
    settings::PublicUrl,
    source::Source,
    telemetry::RouteMetrics,
    token::TokenTypeUri,
    verify::Verifier,
};
use http::HeaderName;
use matcher::Match;
use std::{borrow::Cow, sync::Arc};

/// One route: what it matches, its upstream, and how it exchanges tokens.
#[derive(Debug)]
pub struct Route {
    name: Box<str>,
    position: usize,
    matches: Match,
    upstream: Upstream,
    access: Access,
    request: Option<Box<RequestRules>>,
    response: Option<Box<ResponseRules>>,
    resource: Option<Box<ResourceName>>,
    upgrade: Upgrade,
    metrics: Arc<RouteMetrics>,
}

/// The access that a route requires.
#[derive(Debug)]
pub enum Access {
    /// A token, which is exchanged.
    Protected(Arc<Protected>),
    /// No token. No credential is attached.
    Public(Public),
}

impl Access {
    /// The name of the exchanger, for metrics. A public route exchanges nothing; its series have the name that every
    /// configuration has.
    fn exchanger(&self) -> &str {
        match self {
            Self::Protected(stages) => stages.exchanger.name(),
            Self::Public(_) => NamedExchanger::EMBEDDED,
        }
    }
}

/// Proof that the operator declared the route public. It is made only in this module.
#[derive(Debug, Clone, Copy)]
pub struct Public(());

/// The stages that a token passes on one route.
#[derive(Debug, Clone)]
pub struct Protected {
    /// Finds the token of a request.
    pub source: Source,
    /// Verifies the token.
    pub verifier: Arc<Verifier>,
    /// Decides what the token may be exchanged for.
    pub policy: Arc<ExchangePolicy>,
    /// Issues or fetches the new token.
    pub exchanger: NamedExchanger,
    /// The parts of the cache key that are the same for all requests of the route.
    pub contexts: PolicyContexts,
}

/// The parts of cache keys that are the same for all requests of an operation, digested when the route is built.
#[derive(Debug, Clone)]
pub struct PolicyContexts {
    /// For requests without an operation.
    none: PolicyContext,
    operations: Box<[PolicyContext]>,
}

impl PolicyContexts {
    /// Returns the contexts of the route `name` with this policy, which has changed `generation` times.
    pub fn new(name: &str, policy: &ExchangePolicy, generation: u64) -> Self {
        let context =
            |operation| PolicyContext::new(name, operation, generation, TokenTypeUri::AccessToken);
        Self {
            none: context(""),
            operations: policy.operation_labels().map(context).collect(),
        }
    }

    /// Returns the context for requests of this operation.
    pub fn of(&self, operation: Option<OperationId>) -> &PolicyContext {
        operation
            .and_then(|id| self.operations.get(id.position()))
            .unwrap_or(&self.none)
    }
}

impl Route {
    /// The unique name, which is also a metric label.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sets the position of the route in the configuration.
    #[must_use]
    pub fn at(mut self, position: usize) -> Self {
        self.position = position;
        self
    }

    /// Sets the resource name of the route from the public URL that clients call, unless the operator configured a
    /// name.
    #[must_use]
    pub fn reached_under(mut self, public_url: Option<&PublicUrl>) -> Self {
        let protected = matches!(self.access, Access::Protected(_));
        if let (None, Some(public_url), true) = (&self.resource, public_url, protected) {
            self.resource = ResourceName::of_match(public_url, &self.matches).map(Box::new);
        }
        self
    }

    /// Sets how often the route's policy has changed. Cached exchanges of other generations are not used.
    #[must_use]
    pub fn in_generation(mut self, generation: u64) -> Self {
        if let Access::Protected(stages) = &mut self.access {
            let contexts = PolicyContexts::new(&self.name, &stages.policy, generation);
            Arc::make_mut(stages).contexts = contexts;
        }
        self
    }

    /// The position of the route in the configuration, from 0.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The upstream of the route.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// The fields in which clients present their tokens to the route. None of them is forwarded. On a public route, that
    /// is Authorization, too.
    pub fn credential_fields(&self) -> &'static [HeaderName] {
        match &self.access {
            Access::Protected(stages) => stages.source.fields(),
            Access::Public(_) => Source::default().fields(),
        }
    }

    /// The access that the route requires.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The changes to requests, if any.
    pub fn request_rules(&self) -> Option<&RequestRules> {
        self.request.as_deref()
    }

    /// The changes to responses, if any.
    pub fn response_rules(&self) -> Option<&ResponseRules> {
        self.response.as_deref()
    }

    /// The CORS rules, if any.
    pub fn cors(&self) -> Option<&Cors> {
        self.response.as_ref()?.cors()
    }

    /// The name as a protected resource. `None` on a public route, or if the public URL is unknown.
    pub fn resource(&self) -> Option<&ResourceName> {
        self.resource.as_deref()
    }

    /// The protocol that a connection may switch to.
    pub fn upgrade(&self) -> Upgrade {
        self.upgrade
    }

    /// The match as text: hosts, path and methods, including those that are not restricted.
    pub fn matched(&self) -> String {
        self.matches.to_string()
    }

    /// The metrics of this route.
    pub fn metrics(&self) -> &RouteMetrics {
        &self.metrics
    }

    /// Returns `true` if all requests of this route have the path `path` or one below it.
    pub fn is_at_or_below(&self, path: &str) -> bool {
        self.matches.path.is_at_or_below(path)
    }

    /// Returns the part of `path` below the route's own path: empty, or with a leading slash.
    pub fn below<'a>(&self, path: &'a str) -> &'a str {
        self.matches.below(path)
    }

    /// Returns the path that the upstream receives for `path`.
    pub fn upstream_path<'a>(&self, path: &'a str) -> Cow<'a, str> {
        match self.upstream.rewrite_prefix() {
            None => Cow::Borrowed(path),
            Some(replacement) => Cow::Owned(self.matches.rewrite(path, replacement)),
        }
    }

    /// Returns the path under which clients reach the upstream's `path`. Returns `None` if the route does not rewrite
    /// paths, or if none of its paths leads there.
    pub fn public_path(&self, path: &str) -> Option<String> {
        self.matches.restore(path, self.upstream.rewrite_prefix()?)
    }
}
