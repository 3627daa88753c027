use super::*;
use crate::{
    clock::{ManualClock, SystemRandomness},
    telemetry::{IdSource, sink::testing::Recorder},
};
use serde_json::{Value, json};

fn log() -> (AuditLog, Recorder) {
    let recorder = Recorder::default();
    let clock = Arc::new(ManualClock::at(UnixTime::from_secs(1_763_734_662)));
    (AuditLog::to(Box::new(recorder.clone()), clock), recorder)
}

fn refusal() -> AuditEvent<'static> {
    let id = IdSource::new(&SystemRandomness).unwrap().request_id();
    AuditEvent {
        route: Some("orders"),
        ..AuditEvent::new(AuditedAct::TokenRefused(Reason::Expired), id)
    }
}

#[test]
fn an_issued_token_says_who_acts_for_whom_where_and_how_long() {
    let (log, recorder) = log();
    let actor = Actor::new("https://gw", "obo-gateway");
    let audience = Audience::parse("orders-api").unwrap();
    let scope = ScopeSet::parse("orders.read orders.list").unwrap();
    let event = AuditEvent {
        act: AuditedAct::TokenIssued,
        issuer: Some("corp"),
        subject: Some("ali\"ce\n"),
        client_id: Some("portal"),
        actor: Some(&actor),
        audiences: std::slice::from_ref(&audience),
        scope: Some(&scope),
        expires_at: Some(UnixTime::from_secs(1_763_734_962)),
        jti: Some("j-1"),
        ..refusal()
    };
    log.record(&event).unwrap();
    let text = recorder.text();
    assert_eq!(text.matches('\n').count(), 1);
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap(),
        json!({"event": "token_issued", "ts": "2025-11-21T14:17:42.000Z", "request_id": event.request_id.as_str(),
            "route": "orders", "issuer": "corp", "subject": "ali\"ce\n", "client_id": "portal",
            "actor": {"iss": "https://gw", "sub": "obo-gateway"}, "audience": "orders-api",
            "scope": "orders.list orders.read", "expires_at": 1_763_734_962, "jti": "j-1"})
    );
}

#[test]
fn a_refused_token_says_why_and_claims_nothing_that_was_not_proven() {
    let (log, recorder) = log();
    let event = refusal();
    log.record(&event).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&recorder.text()).unwrap(),
        json!({"event": "token_refused", "ts": "2025-11-21T14:17:42.000Z",
            "request_id": event.request_id.as_str(), "route": "orders", "reason": "expired"})
    );
}

#[test]
fn an_impersonation_names_who_is_behind_it_and_the_application() {
    let (log, recorder) = log();
    let actor = Actor::new("https://idp", "support-1");
    let event = AuditEvent {
        subject: Some("alice"),
        client_id: Some("portal"),
        actor: Some(&actor),
        ..AuditEvent::new(AuditedAct::Impersonation, refusal().request_id)
    };
    log.record(&event).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&recorder.text()).unwrap(),
        json!({"event": "impersonation", "ts": "2025-11-21T14:17:42.000Z",
            "request_id": event.request_id.as_str(), "subject": "alice", "application_id": "portal",
            "actor": {"issuer": "https://idp", "user_id": "support-1"}})
    );
}

#[test]
fn a_revocation_says_what_is_revoked() {
    let (log, recorder) = log();
    let event = AuditEvent {
        issuer: Some("https://idp"),
        named: Some("s-1"),
        ..AuditEvent::new(
            AuditedAct::TokenRevoked(Revoked::Session),
            refusal().request_id,
        )
    };
    log.record(&event).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&recorder.text()).unwrap(),
        json!({"event": "token_revoked", "ts": "2025-11-21T14:17:42.000Z", "revoked": "session",
            "request_id": event.request_id.as_str(), "issuer": "https://idp", "sid": "s-1"})
    );
}

#[test]
fn several_audiences_are_a_list() {
    let (log, recorder) = log();
    let audiences = ["a", "b"].map(|one| Audience::parse(one).unwrap());
    let event = AuditEvent {
        audiences: &audiences,
        ..refusal()
    };
    log.record(&event).unwrap();
    let line: Value = serde_json::from_str(&recorder.text()).unwrap();
    assert_eq!(line["audience"], json!(["a", "b"]));
}

#[test]
fn an_unwritable_log_is_an_error_each_time_and_works_again_afterwards() {
    let (log, recorder) = log();
    recorder.room(Some(0));
    assert!(log.record(&refusal()).is_err());
    assert!(log.record(&refusal()).is_err());
    recorder.room(None);
    log.record(&refusal()).unwrap();
    assert_eq!(recorder.text().lines().count(), 1);
}

#[test]
fn a_line_written_in_part_is_an_error_and_spoils_no_other() {
    let (log, recorder) = log();
    recorder.room(Some(20));
    assert!(log.record(&refusal()).is_err());
    recorder.room(None);
    log.record(&refusal()).unwrap();
    let text = recorder.text();
    let last = text.lines().last().unwrap();
    assert!(serde_json::from_str::<Value>(last).is_ok(), "{text}");
}

#[test]
fn simultaneous_events_are_whole_lines() {
    let (log, recorder) = log();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let log = log.clone();
            std::thread::spawn(move || (0..100).for_each(|_| log.record(&refusal()).unwrap()))
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    let text = recorder.text();
    assert_eq!(text.lines().count(), 400);
    assert!(
        text.lines()
            .all(|line| serde_json::from_str::<Value>(line).is_ok())
    );
}

#[test]
fn a_log_that_could_not_be_written_is_tried_again_and_says_from_when_on_it_can_be() {
    let (log, recorder) = log();
    assert!(log.is_writable());
    assert_eq!(recorder.text(), "", "a log that works is left alone");
    recorder.room(Some(0));
    log.record(&refusal()).unwrap_err();
    assert!(!log.is_writable() && !log.is_writable());
    recorder.room(None);
    assert!(log.is_writable());
    let text = recorder.text();
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap(),
        json!({"event": "audit_resumed", "ts": "2025-11-21T14:17:42.000Z"})
    );
    assert!(log.is_writable());
    assert_eq!(recorder.text(), text, "once");
}

#[test]
fn what_is_left_of_a_torn_event_spoils_neither_the_resumption_nor_the_next_event() {
    let (log, recorder) = log();
    recorder.room(Some(10));
    log.record(&refusal()).unwrap_err();
    assert!(!log.is_writable());
    recorder.room(None);
    log.record(&refusal()).unwrap();
    assert!(log.is_writable());
    let text = recorder.text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(serde_json::from_str::<Value>(lines[1]).is_ok(), "{text}");
}
