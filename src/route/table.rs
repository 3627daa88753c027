//! Finding the most specific route for a request, at a cost that does not grow with the number of routes.

use super::{
    Route,
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
    exact: HashMap<Box<str>, Vec<Arc<Route>>>,
    prefix: HashMap<Box<str>, Vec<Arc<Route>>>,
    longest_prefix: usize,
}

impl RouteTable {
    /// Indexes `routes`, given with their positions in the configuration.
    ///
    /// Two that match the same requests are a finding each: which one would win is nothing to guess.
    pub fn build(routes: Vec<(usize, Route)>, findings: &mut Findings) -> Self {
        let mut table = Self::default();
        for (position, route) in routes {
            let route = Arc::new(route);
            for host in &route.matches.hosts {
                let paths = match host {
                    HostPattern::Exact(name) => table.exact_hosts.entry(name.clone()).or_default(),
                    HostPattern::AnyLabel(parent) => {
                        table.any_label.entry(parent.clone()).or_default()
                    }
                    HostPattern::Any => &mut table.any_host,
                };
                if let Some(equal) = paths.insert(&route) {
                    findings.within(position, |f| {
                        f.within("match", |f| {
                            f.error(
                                format!("the same requests as route {:?}", equal.name()),
                                "give one of them another host, path or method",
                            );
                        });
                    });
                    break;
                }
            }
            table.routes.push(route);
        }
        table
    }

    /// The route that serves `method` on `target`: exact host before `*.` before any, exact path before the longest
    /// prefix, with methods before without.
    pub fn find(&self, target: &CleanTarget<'_>, method: &Method) -> Option<&Arc<Route>> {
        let host = lower_case(target.host());
        let parent = host.split_once('.').map(|(_, parent)| parent);
        let groups = [
            self.exact_hosts.get(host.as_ref()),
            parent.and_then(|parent| self.any_label.get(parent)),
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

impl Paths {
    /// Adds `route`, unless one is there that matches the same requests: that one is returned.
    fn insert(&mut self, route: &Arc<Route>) -> Option<Arc<Route>> {
        let routes = match &route.matches.path {
            PathPattern::Exact(path) => self.exact.entry(path.clone()).or_default(),
            PathPattern::Prefix(prefix) => {
                self.longest_prefix = self.longest_prefix.max(prefix.len());
                self.prefix.entry(prefix.clone()).or_default()
            }
        };
        let methods = &route.matches.methods;
        let equal = routes.iter().find(|other| {
            let others = &other.matches.methods;
            (methods.is_empty() && others.is_empty())
                || methods.iter().any(|method| others.contains(method))
        });
        if let Some(equal) = equal {
            return Some(Arc::clone(equal));
        }
        // those with methods stand in front
        let place = if methods.is_empty() { routes.len() } else { 0 };
        routes.insert(place, Arc::clone(route));
        None
    }

    fn find(&self, path: &str, method: &Method) -> Option<&Arc<Route>> {
        if let Some(route) = serving(self.exact.get(path), method) {
            return Some(route);
        }
        if self.prefix.is_empty() {
            return None;
        }
        let mut prefix = path.strip_suffix('/').unwrap_or(path);
        loop {
            if prefix.len() <= self.longest_prefix
                && let Some(route) = serving(self.prefix.get(prefix), method)
            {
                return Some(route);
            }
            prefix = prefix.rsplit_once('/')?.0;
        }
    }
}

fn serving<'a>(routes: Option<&'a Vec<Arc<Route>>>, method: &Method) -> Option<&'a Arc<Route>> {
    routes?.iter().find(|route| {
        let methods = &route.matches.methods;
        methods.is_empty() || methods.contains(method)
    })
}

/// Host names are compared without regard to case (RFC 9110 §4.2.3); most arrive in lower case.
fn lower_case(host: &str) -> Cow<'_, str> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}
