use super::*;
use crate::{
    clock::{Clock, ManualClock, SystemClock, SystemRandomness, UnixTime},
    settings::{BaseDir, Effects, Findings},
    telemetry::{IdSource, Metrics, sink::testing::Recorder},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{net::Ipv4Addr, path::Path};

const PATIENCE: Duration = Duration::from_secs(20);

fn clock() -> SharedClock {
    Arc::new(ManualClock::at(UnixTime::from_secs(1_763_734_662)))
}

fn record(ids: &IdSource) -> AccessRecord<'static> {
    AccessRecord {
        route: "orders",
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
        duration: Duration::from_micros(1_234),
        ended: SystemClock.instant(),
        exchange: None,
        upstream: Some(Duration::from_micros(1_000)),
        upstream_error: None,
        request_id: ids.request_id(),
        trace: None,
        client: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
    }
}

fn ids() -> IdSource {
    IdSource::new(&SystemRandomness).unwrap()
}

fn log() -> (AccessLog, Recorder, Counter) {
    let (recorder, dropped) = (Recorder::default(), Metrics::new().log_dropped());
    let log = AccessLog::to(Box::new(recorder.clone()), clock(), dropped.clone()).unwrap();
    (log, recorder, dropped)
}

#[test]
fn a_line_holds_what_is_known_and_nothing_else() {
    let (log, recorder, _) = log();
    let ids = ids();
    let plain = record(&ids);
    let refused = AccessRecord {
        outcome: Outcome::Refused,
        reason: Some(Reason::Expired),
        status: 401,
        cache: None,
        upstream: None,
        exchange: Some(Duration::from_micros(5)),
        trace: TraceContext::parse(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        client: Some("2001:db8::1".parse().unwrap()),
        ..plain
    };
    log.record(&plain);
    log.record(&refused);
    assert!(log.flush(PATIENCE));
    let text = recorder.text();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let id = plain.request_id.as_str();
    assert_eq!(
        lines,
        [
            json!({"ts": "2025-11-21T14:17:42.000Z", "route": "orders", "method": "GET", "status": 200,
                "outcome": "forwarded", "cache": "hit", "duration_us": 1234, "upstream_us": 1000,
                "request_id": id, "client": "192.0.2.1"}),
            json!({"ts": "2025-11-21T14:17:42.000Z", "route": "orders", "method": "GET", "status": 401,
                "outcome": "refused", "reason": "expired", "duration_us": 1234, "exchange_us": 5,
                "request_id": id, "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "client": "2001:db8::1"}),
        ]
    );
}

#[test]
fn a_line_is_written_without_anybody_asking() {
    let (log, recorder, _) = log();
    log.record(&record(&ids()));
    wait_until(|| recorder.text().ends_with("}\n"));
}

#[test]
fn the_lines_of_every_thread_arrive_whole_and_none_is_lost() {
    let (log, recorder, dropped) = log();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let log = log.clone();
            let ids = ids();
            std::thread::spawn(move || (0..2_000).for_each(|_| log.record(&record(&ids))))
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert!(log.flush(PATIENCE));
    let text = recorder.text();
    assert_eq!(text.lines().count(), 8_000);
    assert!(
        text.lines()
            .all(|line| serde_json::from_str::<Value>(line).is_ok())
    );
    assert_eq!(dropped.value(), 0);
}

#[test]
fn buffers_of_threads_that_ended_are_let_go() {
    let (log, _recorder, _) = log();
    for _ in 0..10 {
        let log = log.clone();
        std::thread::spawn(move || log.record(&record(&ids())))
            .join()
            .unwrap();
    }
    let shared = &log.open.as_ref().unwrap().shared;
    wait_until(|| log.flush(PATIENCE) && shared.buffers() == 0);
}

#[test]
fn a_stuck_disk_drops_lines_and_counts_them_and_stops_no_request() {
    let (log, recorder, dropped) = log();
    let ids = ids();
    let blocked = recorder.block();
    for _ in 0..60_000 {
        log.record(&record(&ids));
    }
    assert!(dropped.value() > 0);
    drop(blocked);
    assert!(log.flush(PATIENCE));
    let written = recorder.text().lines().count() as u64;
    assert_eq!(written + dropped.value(), 60_000);
}

#[test]
fn lines_lost_to_a_full_disk_are_counted_and_the_log_recovers() {
    let (log, recorder, dropped) = log();
    let ids = ids();
    recorder.room(Some(10));
    log.record(&record(&ids));
    assert!(log.flush(PATIENCE));
    assert_eq!(dropped.value(), 1);
    recorder.room(None);
    log.record(&record(&ids));
    assert!(log.flush(PATIENCE));
    let text = recorder.text();
    assert!(serde_json::from_str::<Value>(text.lines().last().unwrap()).is_ok());
}

#[test]
fn what_was_recorded_before_the_last_handle_went_is_still_written() {
    let (log, recorder, _) = log();
    log.record(&record(&ids()));
    drop(log);
    wait_until(|| recorder.text().ends_with("}\n"));
}

#[test]
fn a_thread_may_write_to_several_logs() {
    let ((first, one, _), (second, two, _)) = (log(), log());
    let ids = ids();
    for _ in 0..3 {
        first.record(&record(&ids));
        second.record(&record(&ids));
    }
    assert!(first.flush(PATIENCE) && second.flush(PATIENCE));
    assert_eq!(one.text().lines().count(), 3);
    assert_eq!(two.text().lines().count(), 3);
}

#[test]
fn a_method_that_could_be_a_credential_is_not_shown() {
    let (log, recorder, _) = log();
    let ids = ids();
    for method in ["eyJhbGciOiJFUzI1NiJ9.e30.c2ln", "", "GET\"", "get"] {
        log.record(&AccessRecord {
            method,
            ..record(&ids)
        });
    }
    assert!(log.flush(PATIENCE));
    assert_eq!(recorder.text().matches("\"method\":\"OTHER\"").count(), 4);
}

#[test]
fn settings_open_a_file_or_nothing_but_not_both() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.jsonl");
    let build = |settings: AccessSettings, effects| {
        let (base, mut findings) = (BaseDir::of_file(Path::new("x.yaml")), Findings::default());
        let mut building = Building {
            base: &base,
            effects,
            findings: &mut findings,
        };
        let opened = settings.build(clock(), Metrics::new().log_dropped(), &mut building)?;
        opened.continue_from(&AccessLog::off()).ok()
    };
    let to_file = AccessSettings {
        file: Some(file.clone()),
        off: false,
        ..AccessSettings::default()
    };
    assert!(!build(to_file.clone(), Effects::None).unwrap().is_on());
    assert!(!file.exists());
    let log = build(to_file, Effects::Allowed).unwrap();
    log.record(&record(&ids()));
    assert!(log.flush(PATIENCE));
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 1);
    let off = AccessSettings {
        file: None,
        off: true,
        ..AccessSettings::default()
    };
    assert!(!build(off, Effects::Allowed).unwrap().is_on());
    let both = AccessSettings {
        file: Some(file),
        off: true,
        ..AccessSettings::default()
    };
    assert!(build(both, Effects::Allowed).is_none());
}

#[test]
fn a_log_that_is_continued_elsewhere_writes_there_and_loses_no_line() {
    let folder = tempfile::tempdir().unwrap();
    let (base, dropped) = (
        BaseDir::of_file(&folder.path().join("x")),
        Metrics::new().log_dropped(),
    );
    let open = |name: &str| {
        let settings = AccessSettings {
            file: Some(name.into()),
            off: false,
            ..AccessSettings::default()
        };
        let mut findings = Findings::default();
        let mut building = Building {
            base: &base,
            effects: Effects::Allowed,
            findings: &mut findings,
        };
        settings
            .build(clock(), dropped.clone(), &mut building)
            .unwrap()
    };
    let before = open("before").continue_from(&AccessLog::off()).unwrap();
    before.record(&record(&ids()));
    assert!(before.flush(PATIENCE));
    let after = open("after").continue_from(&before).unwrap();
    before.record(&record(&ids()));
    after.record(&record(&ids()));
    assert!(after.flush(PATIENCE));
    let lines = ["before", "after"].map(|name| {
        let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
        text.lines().count()
    });
    assert_eq!(lines, [1, 2]);
}

proptest! {
    #[test]
    fn any_record_is_one_line_that_a_json_parser_reads_back(
        route in any::<String>(), method in any::<String>(), status in any::<u16>(), micros in any::<u64>(),
        client in any::<Option<IpAddr>>(), host in any::<Option<String>>(), path in prop::option::of("(?s:.){0,40}|/x{0,3000}"),
        detail in any::<Option<String>>(), target in any::<Option<SocketAddr>>(),
    ) {
        let mut out = Vec::new();
        let ids = ids();
        let record = AccessRecord {
            route: &route, method: &method, status, duration: Duration::from_micros(micros), client,
            host: host.as_deref(), path: path.as_deref(), detail: detail.as_deref(), target, ..record(&ids)
        };
        Phrases::new().line(&record, AccessFields::default(), Duration::from_secs(1), &mut out);
        let text = String::from_utf8(out).unwrap();
        prop_assert_eq!(text.matches('\n').count(), 1);
        let line: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&line["route"], &json!(route));
        prop_assert_eq!(&line["status"], &json!(status));
        prop_assert_eq!(&line["duration_us"], &json!(micros));
        let cut = |text: &Option<String>, most| text.as_deref().map(|text| json!(crate::telemetry::decision::bounded(text, most)));
        prop_assert_eq!(line.get("host").cloned(), cut(&host, 255));
        prop_assert_eq!(line.get("path").cloned(), cut(&path, 1024));
        prop_assert_eq!(line.get("detail").cloned(), cut(&detail, 1024));
        let shown = line["target"].as_str().map(|text| text.parse::<SocketAddr>().unwrap());
        let place = |address: SocketAddr| (address.ip(), address.port());
        prop_assert_eq!(shown.map(place), target.map(place));
        let shown = line["client"].as_str().map(|text| text.parse::<IpAddr>().unwrap());
        prop_assert_eq!(shown, client.map(|address| address.to_canonical()));
    }
}

proptest! {
    #[test]
    fn a_line_does_not_depend_on_the_lines_before_it(
        kinds in proptest::collection::vec((0_usize..3, 0_usize..3, 0_usize..3, 0_usize..3, 0_usize..3), 1..60),
    ) {
        let ids = ids();
        let mut phrases = Phrases::new();
        for (route, method, end, client, host) in kinds {
            let fields = [AccessFields::default(), without(AccessField::Method), without(AccessField::Sub)][host];
            let (status, outcome, reason, cache) = [
                (200, Outcome::Forwarded, None, Some(CacheResult::Hit)),
                (200, Outcome::Forwarded, None, Some(CacheResult::Miss)),
                (401, Outcome::Refused, Some(Reason::Expired), None),
            ][end];
            let record = AccessRecord {
                route: ["orders", "stock", "none"][route],
                method: ["GET", "a.secret", "OTHER"][method],
                client: [None, "192.0.2.1".parse().ok(), "2001:db8::1".parse().ok()][client],
                host: [None, Some("a.example"), Some("b\"")][host],
                target: ["192.0.2.1:80", "[2001:db8::1]:443", "192.0.2.1:81"][host].parse().ok(),
                status, outcome, reason, cache, ..record(&ids)
            };
            let (mut line, mut first) = (Vec::new(), Vec::new());
            phrases.line(&record, fields, Duration::from_secs(1), &mut line);
            Phrases::new().line(&record, fields, Duration::from_secs(1), &mut first);
            prop_assert_eq!(String::from_utf8(line), String::from_utf8(first));
        }
    }
}

#[test]
fn the_time_of_day_goes_on_between_two_looks_at_the_clock_and_follows_one_that_was_set() {
    let (recorder, dropped) = (Recorder::default(), Metrics::new().log_dropped());
    let clock = Arc::new(ManualClock::at(UnixTime::from_secs(1_763_734_662)));
    let log = AccessLog::to(Box::new(recorder.clone()), clock.clone(), dropped).unwrap();
    let ids = ids();
    let note = || {
        log.record(&AccessRecord {
            ended: clock.instant(),
            ..record(&ids)
        });
    };
    note();
    clock.advance(Duration::from_millis(30));
    note();
    clock.jump_to(UnixTime::from_secs(1_763_730_000));
    clock.advance(Duration::from_millis(100));
    note();
    assert!(log.flush(PATIENCE));
    let text = recorder.text();
    let stamps: Vec<&str> = text.lines().filter_map(|line| line.get(7..31)).collect();
    assert_eq!(
        stamps,
        [
            "2025-11-21T14:17:42.000Z",
            "2025-11-21T14:17:42.030Z",
            "2025-11-21T13:00:00.100Z"
        ]
    );
}

fn wait_until(done: impl Fn() -> bool) {
    let started = SystemClock.instant();
    while !done() {
        assert!(started.elapsed() < PATIENCE, "it never happened");
        std::thread::yield_now();
    }
}

fn without(field: AccessField) -> AccessFields {
    let settings = AccessFieldsSettings {
        remove: vec![field],
        ..AccessFieldsSettings::default()
    };
    built(&settings).unwrap()
}

fn built(settings: &AccessFieldsSettings) -> Option<AccessFields> {
    let (base, mut findings) = (BaseDir::of_file(Path::new("/x.yaml")), Findings::default());
    settings.build(&mut Building {
        base: &base,
        effects: Effects::None,
        findings: &mut findings,
    })
}

fn line(record: &AccessRecord<'_>, fields: AccessFields) -> Value {
    let line = AccessLog::off()
        .with_fields(fields)
        .line(record, Duration::ZERO);
    serde_json::from_slice(&line).unwrap()
}

#[test]
fn every_field_can_be_removed_and_those_that_are_not_usual_added() {
    let ids = ids();
    let names = crate::telemetry::DecisionNames {
        issuer: Some("corp"),
        subject: Some("alice"),
        sub: Some("pseudonym"),
        client_id: Some("web"),
        actor: Some("gateway"),
        jti: Some("j"),
    };
    let decision = crate::telemetry::TokenDecision::new(&names, &[]);
    let whole = AccessRecord {
        host: Some("a.example"),
        path: Some("/x"),
        target: "192.0.2.9:443".parse().ok(),
        decision: Some(&decision),
        detail: Some("why"),
        exchange: Some(Duration::ZERO),
        trace: TraceContext::parse(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ..record(&ids)
    };
    let all = AccessFieldsSettings {
        add: vec![AccessField::HttpVersion, AccessField::Attempts],
        ..AccessFieldsSettings::default()
    };
    let full = line(&whole, built(&all).unwrap());
    for field in AccessField::ALL {
        let name = serde_json::to_value(field).unwrap();
        let name = name.as_str().unwrap();
        assert!(full.get(name).is_some(), "{name} of {full}");
        let is_usual = AccessFields::default().has(*field);
        assert_eq!(
            line(&whole, AccessFields::default()).get(name).is_some(),
            is_usual
        );
        let less = line(&whole, without(*field));
        assert!(less.get(name).is_none(), "{name} of {less}");
        for always in ["ts", "route", "status", "outcome", "request_id"] {
            assert!(less.get(always).is_some(), "{always} of {less}");
        }
    }
    assert_eq!(full["target"], "192.0.2.9:443");
    assert_eq!(
        (&full["http_version"], &full["attempts"]),
        (&json!("HTTP/1.1"), &json!(1))
    );
}

#[test]
fn a_field_is_not_added_and_removed_and_an_unknown_one_is_refused() {
    let both: AccessFieldsSettings =
        serde_yaml::from_str("{ add: [path, attempts], remove: [attempts] }").unwrap();
    assert!(built(&both).is_none());
    for text in [
        "{ add: [query] }",
        "{ remove: [ts] }",
        "{ add: [Path] }",
        "{ only: [] }",
        "[path]",
    ] {
        assert!(
            serde_yaml::from_str::<AccessFieldsSettings>(text).is_err(),
            "{text}"
        );
    }
}
