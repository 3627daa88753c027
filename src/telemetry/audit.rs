//! The audit log: who acted for whom, one JSON line for each token issued or refused.
//!
//! What enters are names, never a token; what leaves is `Ok` only once the whole line was handed to the operating
//! system. Nothing is ever dropped: the caller refuses the exchange whose event cannot be written. Lines are not
//! synced to the disk one by one: they survive the gateway's end, not the machine's.

use super::{
    AuditSettings, Reason, RequestId,
    json::{Stamp, ascii},
    sink::LineSink,
};
use crate::{
    clock::{SharedClock, UnixTime},
    settings::Building,
    token::{Actor, Audience, ScopeSet},
};
use serde::Serialize;
use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
};
use thiserror::Error;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditedAct {
    /// A token was issued.
    TokenIssued,
    /// A token was refused.
    TokenRefused(Reason),
}

/// One event. What is unknown, because the token could not be trusted so far, is absent.
#[derive(Debug, Clone, Copy)]
pub struct AuditEvent<'a> {
    /// What happened.
    pub act: AuditedAct,
    /// The request that caused it.
    pub request_id: RequestId,
    /// The route's name in the configuration.
    pub route: &'a str,
    /// The name in the configuration of the issuer of the subject token.
    pub issuer: Option<&'a str>,
    /// `sub` of the subject token.
    pub subject: Option<&'a str>,
    /// The calling application.
    pub client_id: Option<&'a str>,
    /// Who acts for the subject; absent where the token does not say (impersonation).
    pub actor: Option<&'a Actor>,
    /// For which downstream.
    pub audience: Option<&'a Audience>,
    /// With which scopes.
    pub scope: Option<&'a ScopeSet>,
    /// `exp` of the issued token.
    pub expires_at: Option<UnixTime>,
    /// `jti` of the issued token.
    pub jti: Option<&'a str>,
}

/// The event could not be written: the token must not be used.
#[derive(Debug, Error)]
#[error("the audit log cannot be written")]
pub struct AuditError(#[from] io::Error);

/// Where audit events go. Cloning shares it.
#[derive(Clone)]
pub struct AuditLog(Arc<Open>);

struct Open {
    out: Mutex<Out>,
    clock: SharedClock,
}

struct Out {
    sink: LineSink,
    stamp: Stamp,
    line: Vec<u8>,
}

impl AuditSettings {
    /// Opens the log that the settings name; a finding where the file cannot be appended to.
    pub fn build(&self, clock: SharedClock, building: &mut Building<'_>) -> Option<AuditLog> {
        let sink = LineSink::open(self.file.as_deref(), building)?;
        Some(AuditLog::start(sink, clock))
    }
}

impl AuditLog {
    /// A log that writes to `out`.
    pub fn to(out: Box<dyn io::Write + Send>, clock: SharedClock) -> Self {
        Self::start(LineSink::new(out), clock)
    }

    fn start(sink: LineSink, clock: SharedClock) -> Self {
        let out = Out {
            sink,
            stamp: Stamp::new(),
            line: Vec::new(),
        };
        Self(Arc::new(Open {
            out: Mutex::new(out),
            clock,
        }))
    }

    /// Writes one event.
    ///
    /// # Errors
    /// [`AuditError`] where the line could not be written whole.
    pub fn record(&self, event: &AuditEvent<'_>) -> Result<(), AuditError> {
        let mut out = self.0.out.lock().unwrap_or_else(PoisonError::into_inner);
        let Out { sink, stamp, line } = &mut *out;
        line.clear();
        stamp.write(self.0.clock.since_epoch(), line);
        let ts = ascii(line).to_owned();
        line.clear();
        serde_json::to_writer(&mut *line, &Line::of(event, &ts)).map_err(io::Error::from)?;
        line.push(b'\n');
        Ok(sink.append(line)?)
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog").finish_non_exhaustive()
    }
}

/// The line's members, in their order.
#[derive(Serialize)]
struct Line<'a> {
    event: &'static str,
    ts: &'a str,
    request_id: &'a str,
    route: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<ActorLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audience: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a ScopeSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

#[derive(Serialize)]
struct ActorLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    sub: &'a str,
}

impl<'a> Line<'a> {
    fn of(event: &'a AuditEvent<'a>, ts: &'a str) -> Self {
        let (name, reason) = match event.act {
            AuditedAct::TokenIssued => ("token_issued", None),
            AuditedAct::TokenRefused(reason) => ("token_refused", Some(reason.as_str())),
        };
        Self {
            event: name,
            ts,
            request_id: event.request_id.as_str(),
            route: event.route,
            issuer: event.issuer,
            subject: event.subject,
            client_id: event.client_id,
            actor: event.actor.map(|actor| ActorLine {
                iss: actor.iss.as_deref(),
                sub: &actor.sub,
            }),
            audience: event.audience.map(Audience::as_str),
            scope: event.scope,
            expires_at: event.expires_at.map(UnixTime::as_secs),
            jti: event.jti,
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
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
        AuditEvent {
            act: AuditedAct::TokenRefused(Reason::Expired),
            request_id: IdSource::new(&SystemRandomness).unwrap().request_id(),
            route: "orders",
            issuer: None,
            subject: None,
            client_id: None,
            actor: None,
            audience: None,
            scope: None,
            expires_at: None,
            jti: None,
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
            audience: Some(&audience),
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
}
