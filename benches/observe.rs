//! Measures the cost of observing one forwarded request: id, trace context, metrics and the access-log line.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{Criterion, criterion_group, criterion_main};
use obo_gateway::{
    clock::{Clock, SystemClock, SystemRandomness},
    telemetry::{
        AccessLog, AccessRecord, CacheResult, IdSource, Metrics, Outcome, RouteMetrics,
        StatusClass, TraceContext,
    },
};
use std::{fs::File, hint::black_box, sync::Arc, time::Duration};

fn count(route: &RouteMetrics) {
    route.cache(CacheResult::Hit);
    route.upstream(StatusClass::of(black_box(200)), Duration::from_micros(400));
    route.request(Outcome::Forwarded, Duration::from_micros(450));
}

fn note(ids: &IdSource, log: &AccessLog, trace: Option<TraceContext>) {
    log.record(&AccessRecord {
        route: black_box("orders"),
        method: "GET",
        host: None,
        path: None,
        target: None,
        decision: None,
        detail: None,
        http_version: "HTTP/1.1",
        attempts: 1,
        status: 200,
        outcome: Outcome::Forwarded,
        reason: None,
        cache: Some(CacheResult::Hit),
        duration: Duration::from_micros(450),
        ended: SystemClock.instant(),
        exchange: None,
        upstream: Some(Duration::from_micros(400)),
        upstream_error: None,
        request_id: ids.request_id(),
        trace,
        client: Some([192, 0, 2, 1].into()),
    });
}

fn observe(c: &mut Criterion) {
    let metrics = Metrics::new();
    let route = metrics.route("orders", "embedded");
    let ids = IdSource::new(&SystemRandomness).unwrap();
    let null = Box::new(File::options().write(true).open("/dev/null").unwrap());
    let dropped = metrics.log_dropped();
    let log = AccessLog::to(null, Arc::new(SystemClock), dropped.clone()).unwrap();
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    c.bench_function("request id", |b| b.iter(|| ids.request_id()));
    c.bench_function("trace context in and out", |b| {
        b.iter(|| TraceContext::parse(black_box(parent).as_bytes()).map(|t| t.child(&ids)));
    });
    c.bench_function("metrics of one request", |b| b.iter(|| count(&route)));
    c.bench_function("access-log line", |b| b.iter(|| note(&ids, &log, None)));
    c.bench_function("one request observed", |b| {
        b.iter(|| {
            let trace = TraceContext::parse(black_box(parent).as_bytes());
            black_box(trace.map(|t| t.child(&ids)));
            count(&route);
            note(&ids, &log, trace);
        });
    });
    assert!(log.flush(Duration::from_secs(10)));
    eprintln!("lines dropped: {}", dropped.value());
}

criterion_group!(benches, observe);
criterion_main!(benches);
