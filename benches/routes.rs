//! Measures the cost of finding a route with 10, 1,000 and 10,000 routes: the same requests against tables of each size, in
//! turns, so that other load on the machine affects all of them. Prints each cost, and its ratio to that of 10 routes.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]
#![allow(clippy::disallowed_methods, reason = "measures real time")]

use std::{
    collections::BTreeMap,
    hint::black_box,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{Criterion, criterion_group, criterion_main};
use http::request::Parts;
use obo_gateway::{
    clock::{SharedClock, SystemClock},
    gate::{CleanTarget, Gate, LimitsSettings},
    route::{RouteDependencies, RouteSettings, RouteTable},
    settings::{BaseDir, Building, Effects, Findings},
    store::Revocations,
    telemetry::Metrics,
};
use serde_json::json;

const SIZES: [usize; 3] = [10, 1_000, 10_000];
/// Number of routes that get requests at the same time, unless the table has fewer.
const BUSY: usize = 256;
const ROUNDS: usize = 201;

/// A table, and one request for each of its busy routes.
struct Subject {
    table: RouteTable,
    heads: Vec<Parts>,
}

impl Subject {
    /// Routes as in one file: by prefix, every fourth with its own host, every tenth for some methods.
    fn new(routes: usize) -> Self {
        let metrics = Metrics::new();
        let clock: SharedClock = Arc::new(SystemClock);
        let parts = RouteDependencies {
            revocations: &Revocations::of_one_process(),
            issuers: &BTreeMap::new(),
            listed_issuers: 0,
            engine: None,
            exchanger: None,
            own: None,
            clients: &Arc::default(),
            metrics: &metrics,
            clock: &clock,
        };
        let (base, mut findings) = (BaseDir::of_file(Path::new("x")), Findings::default());
        let mut building = Building {
            base: &base,
            effects: Effects::None,
            findings: &mut findings,
        };
        let built = (0..routes).map(|route| {
            let methods: &[&str] = if route % 10 == 3 {
                &["GET", "POST"]
            } else {
                &[]
            };
            let hosts: Vec<String> = host_of(route).into_iter().collect();
            let settings = json!({
                "name": format!("route-{route:05}"),
                "match": { "hosts": hosts, "prefix": prefix_of(route), "methods": methods },
                "upstream": { "targets": [ { "url": "http://127.0.0.1:9" } ] },
                "public": true,
            });
            let settings: RouteSettings = serde_json::from_value(settings).unwrap();
            (route, settings.build(&mut building, &parts).unwrap())
        });
        let built = built.collect();
        let table = RouteTable::build(built, &mut findings);
        assert_eq!(findings.errors(), 0);
        // spread over the table in an order that a prefetcher cannot learn, with the same number of heads for each size
        let heads = (0..BUSY).map(|turn| head((turn * 7_919 + 13) % routes));
        Self {
            heads: heads.collect(),
            table,
        }
    }

    fn targets(&self) -> Vec<(CleanTarget<'_>, &Parts)> {
        let gate = Gate::new(&LimitsSettings::default());
        let pass = |head| (gate.pass(head).unwrap(), head);
        self.heads.iter().map(pass).collect()
    }
}

fn prefix_of(route: usize) -> String {
    format!("/team-{:03}/service-{route:05}", route % 128)
}

fn host_of(route: usize) -> Option<String> {
    (route % 4 == 1).then(|| format!("tenant-{}.example.com", route % 64))
}

fn head(route: usize) -> Parts {
    let host = host_of(route).unwrap_or_else(|| "api.example.com".to_owned());
    let uri = format!("{}/items/4711?expand=lines", prefix_of(route));
    let request = http::Request::builder().uri(uri).header("host", host);
    request.body(()).unwrap().into_parts().0
}

/// Finds the route of every request once.
fn find_all(table: &RouteTable, targets: &[(CleanTarget<'_>, &Parts)]) {
    for (target, head) in targets {
        let found = table.find(black_box(target), &head.method);
        assert!(black_box(found).is_some());
    }
}

fn routes(c: &mut Criterion) {
    let subjects = SIZES.map(Subject::new);
    for (size, subject) in SIZES.iter().zip(&subjects) {
        let targets = subject.targets();
        c.bench_function(&format!("find among {size} routes, {BUSY} times"), |b| {
            b.iter(|| find_all(&subject.table, &targets));
        });
    }
    compare(&subjects);
}

/// The median over the rounds of the cost for each size, and of its ratio to the smallest size in the same round.
fn compare(subjects: &[Subject]) {
    let targets: Vec<_> = subjects.iter().map(Subject::targets).collect();
    let mut costs = vec![Vec::new(); subjects.len()];
    for _ in 0..ROUNDS {
        for ((subject, targets), costs) in subjects.iter().zip(&targets).zip(&mut costs) {
            // one run refills the CPU caches that the other sizes emptied
            find_all(&subject.table, targets);
            let began = Instant::now();
            for _ in 0..20 {
                find_all(&subject.table, targets);
            }
            costs.push(began.elapsed().as_secs_f64() * 1e9 / (20 * BUSY) as f64);
        }
    }
    let smallest = costs.first().cloned().unwrap_or_default();
    for (size, costs) in SIZES.iter().zip(&costs) {
        let ratios = costs.iter().zip(&smallest).map(|(cost, one)| cost / one);
        let (cost, ratio) = (median(costs.clone()), median(ratios.collect()));
        println!("{size:>6} routes: {cost:7.1} ns to find one, ratio {ratio:.3}");
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = routes
}
criterion_main!(benches);
