//! The route table finds the same route as a search through the whole list.

use crate::properties::cases;
use http::Method;
use obo_gateway::{
    clock::{SharedClock, SystemClock},
    gate::{Gate, LimitsSettings},
    route::{RouteDependencies, RouteSettings, RouteTable},
    settings::{BaseDir, Building, Effects, Findings},
    store::Revocations,
    telemetry::Metrics,
};
use proptest::{collection::vec, prelude::*, sample::subsequence};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path, sync::Arc};

const HOSTS: [&str; 4] = [
    "api.example.com",
    "*.example.com",
    "*.com",
    "*.b.example.com",
];
const METHODS: [&str; 3] = ["GET", "POST", "DELETE"];

#[derive(Debug, Clone)]
struct Rule {
    hosts: Vec<&'static str>,
    exact: bool,
    path: String,
    methods: Vec<&'static str>,
}

/// How specific a match is: host, kind of path, length of the path, methods. The greatest value wins.
type Fit = (u8, bool, usize, bool);

fn any_rule() -> impl Strategy<Value = Rule> {
    let hosts = prop_oneof![Just(Vec::new()), subsequence(HOSTS.to_vec(), 1..=2)];
    let methods = prop_oneof![2 => Just(Vec::new()), 1 => subsequence(METHODS.to_vec(), 1..=2)];
    let path = prop_oneof![1 => Just("/".to_owned()), 5 => "(/(a|ab|b)){1,3}"];
    (hosts, any::<bool>(), path, methods).prop_map(|(hosts, exact, path, methods)| Rule {
        hosts,
        exact,
        path,
        methods,
    })
}

impl Rule {
    fn settings(&self, position: usize) -> Value {
        let key = if self.exact { "exact" } else { "prefix" };
        let matches = json!({ "hosts": self.hosts, key: self.path, "methods": self.methods });
        route(&format!("r{position}"), matches)
    }

    /// One entry for any host if the rule has no hosts.
    fn patterns(&self) -> Vec<&'static str> {
        if self.hosts.is_empty() {
            vec!["*"]
        } else {
            self.hosts.clone()
        }
    }

    /// Returns `true` if one request can match both rules equally well.
    fn clashes(&self, other: &Self) -> bool {
        let common = |a: &[&str], b: &[&str]| a.iter().any(|item| b.contains(item));
        let methods = (self.methods.is_empty() && other.methods.is_empty())
            || common(&self.methods, &other.methods);
        common(&self.patterns(), &other.patterns())
            && self.exact == other.exact
            && self.path == other.path
            && methods
    }

    fn fit(&self, host: &str, path: &str, method: &str) -> Option<Fit> {
        let host = host
            .split(':')
            .next()
            .unwrap()
            .trim_end_matches('.')
            .to_lowercase();
        let host = self
            .patterns()
            .into_iter()
            .filter_map(|pattern| host_fit(pattern, &host))
            .max()?;
        let below = path.strip_prefix(self.path.trim_end_matches('/'));
        let matches = if self.exact {
            path == self.path
        } else {
            below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let method_fits = self.methods.is_empty() || self.methods.contains(&method);
        (matches && method_fits).then(|| {
            (
                host,
                self.exact,
                self.path.trim_end_matches('/').len(),
                !self.methods.is_empty(),
            )
        })
    }
}

fn host_fit(pattern: &str, host: &str) -> Option<u8> {
    match (pattern, pattern.strip_prefix("*.")) {
        ("*", _) => Some(0),
        (_, Some(parent)) => {
            let label = host.strip_suffix(parent)?.strip_suffix('.')?;
            (!label.contains('.')).then_some(1)
        }
        (_, None) => (host == pattern).then_some(2),
    }
}

/// Returns a public route with this match.
pub fn route(name: &str, matches: Value) -> Value {
    json!({
        "name": name,
        "match": matches,
        "upstream": { "targets": [{ "url": "http://127.0.0.1:9" }] },
        "public": true,
    })
}

/// Returns a table of these routes, and the number of reported errors.
pub fn table(routes: Vec<Value>) -> (RouteTable, usize) {
    thread_local! {
        static METRICS: Metrics = Metrics::new();
    }
    let metrics = METRICS.with(Metrics::clone);
    let clock: SharedClock = Arc::new(SystemClock);
    let issuers = BTreeMap::new();
    let clients = Default::default();
    let parts = RouteDependencies {
        revocations: &Revocations::of_one_process(),
        own: None,
        clients: &clients,
        issuers: &issuers,
        listed_issuers: 0,
        engine: None,
        exchanger: None,
        metrics: &metrics,
        clock: &clock,
    };
    let base = BaseDir::of_file(Path::new("x"));
    let mut findings = Findings::default();
    let mut building = Building {
        base: &base,
        effects: Effects::None,
        findings: &mut findings,
    };
    let built = routes.into_iter().map(|settings| {
        let settings: RouteSettings = serde_json::from_value(settings).unwrap();
        settings.build(&mut building, &parts).unwrap()
    });
    let built = built.enumerate().collect();
    let table = RouteTable::build(built, &mut findings);
    (table, findings.errors())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_table_finds_the_most_specific_of_all_routes_that_match(
        rules in vec(any_rule(), 0..6),
        host in "(api|API|x|a\\.b)\\.(example\\.com|b\\.example\\.com|org)\\.?(:8443)?",
        path in "(/(a|ab|b)){0,4}/?",
        method in prop::sample::select(METHODS.to_vec()),
    ) {
        let path = if path.is_empty() { "/" } else { &path };
        let settings = rules.iter().enumerate().map(|(position, rule)| rule.settings(position));
        let (table, mistakes) = table(settings.collect());
        let clash = rules.iter().enumerate().any(|(position, rule)| {
            rules[..position].iter().any(|other| rule.clashes(other))
        });
        prop_assert_eq!(mistakes > 0, clash, "equal routes are refused, others are not");
        if clash {
            return Ok(());
        }
        let request = http::Request::builder().method(method).uri(path).header("host", &host);
        let head = request.body(()).unwrap().into_parts().0;
        let clean = Gate::new(&LimitsSettings::default()).pass(&head).unwrap();
        let found = table.find(&clean, &Method::from_bytes(method.as_bytes()).unwrap());
        let expected = rules
            .iter()
            .enumerate()
            .filter_map(|(position, rule)| Some((rule.fit(&host, path, method)?, position)))
            .max()
            .map(|(_, position)| format!("r{position}"));
        prop_assert_eq!(found.map(|route| route.name().to_owned()), expected);
    }
}
