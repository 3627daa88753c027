use super::*;
use crate::{
    clock::{ManualClock, UnixTime},
    telemetry::sink::testing::Recorder,
};
use serde_json::Value;
use std::sync::Arc;

const SECRET: &str = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";

fn written(format: LogFormat, level: LogLevel, log: impl FnOnce()) -> String {
    let recorder = Recorder::default();
    let out = recorder.clone();
    let clock = Arc::new(ManualClock::at(UnixTime::from_secs(1_763_734_662)));
    let settings = LogSettings {
        format,
        level,
        ..LogSettings::default()
    };
    let subscriber = subscriber(&settings, clock, move || out.clone());
    tracing::subscriber::with_default(subscriber, log);
    recorder.text()
}

/// Imitates pingora, h2 and others: raw request heads at every level, as message, as field and inside a span.
fn foreign_crates_talk() {
    let head = format!("GET / HTTP/1.1\r\nAuthorization: Bearer {SECRET}");
    tracing::error!(target: "pingora_core::apps", "{head}");
    tracing::warn!(target: "h2::codec", head = %head);
    tracing::info!(target: "pingora_proxy", "{head}");
    tracing::debug!(target: "hyper", "{head}");
    tracing::trace!(target: "rustls", "{head}");
    tracing::error!(target: "obo_gateway_lookalike", "{head}");
    let span = tracing::error_span!(target: "hyper", "request", head = %head);
    span.in_scope(|| tracing::error!("inside a foreign span"));
}

#[test]
fn no_byte_of_another_crates_message_is_written_at_any_level_in_any_format() {
    for format in [LogFormat::Json, LogFormat::Text] {
        for level in [LogLevel::Error, LogLevel::Info, LogLevel::Trace] {
            let text = written(format, level, foreign_crates_talk);
            assert!(!text.contains("Authorization"), "{text}");
            assert!(!text.contains("eyJ"), "{text}");
            assert!(!text.contains("GET /"), "{text}");
            assert!(!text.contains("pingora_core"), "{text}");
        }
    }
}

#[test]
fn an_event_of_the_log_crate_is_never_the_gateways_own() {
    use tracing_log::log;
    let text = written(LogFormat::Json, LogLevel::Trace, || {
        for target in ["pingora_core::apps", "obo_gateway", "obo_gateway::proxy"] {
            let mut record = log::Record::builder();
            record.level(log::Level::Error).target(target);
            tracing_log::format_trace(
                &record
                    .args(format_args!("Authorization: Bearer {SECRET}"))
                    .build(),
            )
            .unwrap();
        }
    });
    assert!(!text.contains("Authorization"), "{text}");
    assert!(!text.contains("eyJ"), "{text}");
    assert_eq!(text, "");
}

#[test]
fn other_crates_events_are_counted_by_library_and_level_and_write_no_line() {
    let count = |library: &str, level: &str| {
        let mut all = library_events();
        let found = all.find(|(of, at, _)| *of == library && *at == level);
        found.unwrap().2
    };
    let before = count("pingora", "error");
    let text = written(LogFormat::Json, LogLevel::Trace, || {
        for _ in 0..1_000 {
            tracing::error!(target: "pingora_core::apps", "{SECRET}");
        }
        tracing::warn!(target: "nobody_knows", "{SECRET}");
    });
    assert_eq!(text, "");
    assert!(count("pingora", "error") >= before + 1_000);
    assert!(count("other", "warn") >= 1);
}

#[test]
fn the_gateways_own_events_are_json_with_their_fields_and_the_injected_time() {
    let text = written(LogFormat::Json, LogLevel::Info, || {
        tracing::info!(listener = "127.0.0.1:8080", "listening");
        tracing::debug!("too detailed");
    });
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["timestamp"], "2025-11-21T14:17:42.000Z");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["message"], "listening");
    assert_eq!(line["listener"], "127.0.0.1:8080");
}

#[test]
fn only_this_crates_targets_are_admitted_whole_and_only_at_the_configured_level() {
    use Admission::{Nothing, Notice, Whole};
    for (target, level, configured, expected) in [
        ("obo_gateway", Level::ERROR, LogLevel::Error, Whole),
        ("obo_gateway::proxy", Level::TRACE, LogLevel::Trace, Whole),
        ("obo_gateway::proxy", Level::DEBUG, LogLevel::Info, Nothing),
        ("obo_gateways", Level::ERROR, LogLevel::Trace, Notice),
        ("log", Level::ERROR, LogLevel::Trace, Notice),
        ("pingora_core::apps", Level::ERROR, LogLevel::Trace, Notice),
        ("hyper", Level::WARN, LogLevel::Error, Notice),
        ("hyper", Level::INFO, LogLevel::Trace, Nothing),
        ("", Level::ERROR, LogLevel::Trace, Notice),
    ] {
        assert_eq!(
            admission(target, level, configured),
            expected,
            "{target} {level}"
        );
    }
}
