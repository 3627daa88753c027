//! The search for the most specific route, at a cost that does not depend on the number of routes.

use super::{
    Route,
    index::PathIndex,
    matcher::{HostPattern, PathPattern},
};
use crate::{gate::CleanTarget, settings::Findings};
use http::Method;
use std::{borrow::Cow, collections::HashMap, sync::Arc};

/// All routes, indexed by host and path.
#[derive(Debug, Default)]
pub struct RouteTable {
    routes: Vec<Arc<Route>>,
    exact_hosts: HashMap<Box<str>, Paths>,
    any_label: HashMap<Box<str>, Paths>,
    any_host: Paths,
}

/// The routes for one host.
#[derive(Debug, Default)]
struct Paths {
    exact: PathIndex<Candidates>,
    prefix: PathIndex<Candidates>,
    longest_prefix: usize,
}

/// The routes for one host while the table is built.
#[derive(Debug, Default)]
struct Growing {
    exact: HashMap<Box<str>, Candidates>,
    prefix: HashMap<Box<str>, Candidates>,
}

/// The routes for one path, those with methods first. The first one, which is nearly always the only one, is stored
/// inline. With many routes, the cost of a lookup is the memory that it fetches, and this avoids two fetches.
#[derive(Debug, Default)]
struct Candidates {
    first: Option<Candidate>,
    others: Vec<Candidate>,
}

#[derive(Debug)]
struct Candidate {
    /// A copy of the route's methods. Empty means any method.
    methods: Box<[Method]>,
    route: Arc<Route>,
}

impl RouteTable {
    /// Indexes `routes`, which are passed with their positions in the configuration.
    ///
    /// Two routes that match the same requests are reported, because the order would otherwise decide.
    pub fn build(routes: Vec<(usize, Route)>, findings: &mut Findings) -> Self {
        let mut hosts: HashMap<HostPattern, Growing> = HashMap::new();
        let mut table = Self::default();
        for (position, route) in routes {
            let route = Arc::new(route);
            for host in &route.matches.hosts {
                let paths = hosts.entry(host.clone()).or_default();
                if let Some(equal) = paths.insert(&route) {
                    findings.within(position, |f| {
                        f.within("match", |f| {
                            f.error(
                                format!("matches the same requests as route {:?}", equal.name()),
                                "write another host, path or method for one of them",
                            );
                        });
                    });
                    break;
                }
            }
            table.routes.push(route);
        }
        for (host, paths) in hosts {
            let paths = Paths::of(paths);
            match host {
                HostPattern::Exact(name) => drop(table.exact_hosts.insert(name, paths)),
                HostPattern::AnyLabel(parent) => drop(table.any_label.insert(parent, paths)),
                HostPattern::Any => table.any_host = paths,
            }
        }
        table
    }

    /// Returns the route for `method` on `target`. An exact host precedes `*.`, which precedes any host. An exact path
    /// precedes the longest prefix. A route with methods precedes one without.
    pub fn find(&self, target: &CleanTarget<'_>, method: &Method) -> Option<&Arc<Route>> {
        if self.exact_hosts.is_empty() && self.any_label.is_empty() {
            return self.any_host.find(target.path(), method);
        }
        let host = lower_case(target.host());
        let wildcards = Some(&self.any_label).filter(|parents| !parents.is_empty());
        let groups = [
            self.exact_hosts.get(host.as_ref()),
            wildcards.and_then(|parents| parents.get(host.split_once('.')?.1)),
            Some(&self.any_host),
        ];
        groups
            .into_iter()
            .flatten()
            .find_map(|paths| paths.find(target.path(), method))
    }

    /// The routes in the order of the configuration.
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }
}

impl Growing {
    /// Adds `route`. If there is already one that matches the same requests, returns that one instead.
    fn insert(&mut self, route: &Arc<Route>) -> Option<Arc<Route>> {
        let routes = match &route.matches.path {
            PathPattern::Exact(path) => self.exact.entry(path.clone()).or_default(),
            PathPattern::Prefix(prefix) => self.prefix.entry(prefix.clone()).or_default(),
        };
        routes.insert(route)
    }
}

impl Paths {
    fn of(paths: Growing) -> Self {
        let lengths = paths.prefix.keys().map(|prefix| prefix.len());
        Self {
            longest_prefix: lengths.max().unwrap_or_default(),
            exact: PathIndex::of(paths.exact),
            prefix: PathIndex::of(paths.prefix),
        }
    }

    fn find(&self, path: &str, method: &Method) -> Option<&Arc<Route>> {
        if let Some(route) = self.exact.get(path).and_then(|routes| routes.find(method)) {
            return Some(route);
        }
        if self.prefix.is_empty() {
            return None;
        }
        let mut prefix = path.strip_suffix('/').unwrap_or(path);
        loop {
            if prefix.len() <= self.longest_prefix
                && let Some(route) = self
                    .prefix
                    .get(prefix)
                    .and_then(|routes| routes.find(method))
            {
                return Some(route);
            }
            prefix = prefix.rsplit_once('/')?.0;
        }
    }
}

impl Candidates {
    /// Adds `route`. If there is already one with the same methods, returns that one instead.
    fn insert(&mut self, route: &Arc<Route>) -> Option<Arc<Route>> {
        let methods = &route.matches.methods;
        let equal = self.first.iter().chain(&self.others).find(|other| {
            (methods.is_empty() && other.methods.is_empty())
                || methods.iter().any(|method| other.methods.contains(method))
        });
        if let Some(equal) = equal {
            return Some(Arc::clone(&equal.route));
        }
        let candidate = Candidate {
            methods: methods.as_slice().into(),
            route: Arc::clone(route),
        };
        if methods.is_empty() && self.first.is_some() {
            self.others.push(candidate);
        } else if let Some(second) = self.first.replace(candidate) {
            self.others.insert(0, second);
        }
        None
    }

    fn find(&self, method: &Method) -> Option<&Arc<Route>> {
        let serves = |candidate: &&Candidate| {
            candidate.methods.is_empty() || candidate.methods.contains(method)
        };
        let first = self.first.as_ref().filter(serves);
        first
            .or_else(|| self.others.iter().find(serves))
            .map(|candidate| &candidate.route)
    }
}

/// Converts a host name to lower case, if necessary (RFC 9110 §4.2.3).
fn lower_case(host: &str) -> Cow<'_, str> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}
