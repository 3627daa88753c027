//! The audit log: one JSON line for each token that is issued, refused or revoked, and for each impersonation.
//!
//! Events contain names, never a token. [`AuditLog::record`] returns `Ok` only after the whole line was passed to the
//! operating system. No event is dropped: if the event of an exchange cannot be written, the caller refuses the
//! exchange. Lines are not synced to disk one by one: they survive a crash of the gateway, but not of the machine.

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
use serde::{Serialize, Serializer};
use std::{
    fmt, io,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use thiserror::Error;

/// The action that an event records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditedAct {
    /// A token was issued.
    TokenIssued,
    /// A token was refused.
    TokenRefused(Reason),
    /// Tokens were revoked.
    TokenRevoked(Revoked),
    /// A revocation was lifted.
    RevocationLifted(Revoked),
    /// A token was issued to an actor that impersonates its subject (RFC 8693 §1.1). This event precedes the event of
    /// that token.
    Impersonation,
}

/// The kind of tokens that a revocation selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// One token.
    Token,
    /// A refresh token, and all tokens made from it.
    RefreshToken,
    /// All tokens of a subject.
    Subject,
    /// All tokens with which an actor acts for another subject.
    Actor,
    /// All tokens of a session.
    Session,
    /// All tokens of an application.
    Client,
    /// All tokens that were signed with a key.
    SigningKey,
}

impl Revoked {
    /// Returns the kind with this name.
    pub fn named(name: &str) -> Option<Self> {
        let kinds = [
            Self::Token,
            Self::RefreshToken,
            Self::Subject,
            Self::Actor,
            Self::Session,
            Self::Client,
            Self::SigningKey,
        ];
        kinds.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The name in the audit log, at the admin endpoint and in the command.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::RefreshToken => "refresh_token",
            Self::Subject => "subject",
            Self::Actor => "actor",
            Self::Session => "session",
            Self::Client => "client",
            Self::SigningKey => "signing_key",
        }
    }
}

/// One event. Values that are unknown, because the token was not verified yet, are absent.
#[derive(Debug, Clone, Copy)]
pub struct AuditEvent<'a> {
    /// The action.
    pub act: AuditedAct,
    /// The request that caused it.
    pub request_id: RequestId,
    /// The route's name in the configuration. Absent at the token service and for actions of an operator.
    pub route: Option<&'a str>,
    /// The configured name of the subject token's issuer. For a revocation, the `iss` of what is revoked.
    pub issuer: Option<&'a str>,
    /// `sub` of the subject token.
    pub subject: Option<&'a str>,
    /// The calling application.
    pub client_id: Option<&'a str>,
    /// The actor that acts for the subject. Absent if the token names none (impersonation).
    pub actor: Option<&'a Actor>,
    /// The audiences of the token.
    pub audiences: &'a [Audience],
    /// The scopes of the token.
    pub scope: Option<&'a ScopeSet>,
    /// `exp` of the issued token.
    pub expires_at: Option<UnixTime>,
    /// `jti` of the issued or revoked token.
    pub jti: Option<&'a str>,
    /// `sid` of a revoked session, or `kid` of a revoked key.
    pub named: Option<&'a str>,
    /// The time until which a revocation is in force.
    pub until: Option<UnixTime>,
    /// The operator or client that made or lifted a revocation.
    pub by: Option<AuditedBy<'a>>,
}

/// The party that caused an event other than a token request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct AuditedBy<'a> {
    /// The configured name of an operator's credential, never the credential itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<&'a str>,
    /// A client of the token service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<&'a str>,
    /// The address that the request came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
}

impl<'a> AuditEvent<'a> {
    /// Creates an event without any other values.
    pub fn new(act: AuditedAct, request_id: RequestId) -> Self {
        Self {
            act,
            request_id,
            route: None,
            issuer: None,
            subject: None,
            client_id: None,
            actor: None,
            audiences: &[],
            scope: None,
            expires_at: None,
            jti: None,
            named: None,
            until: None,
            by: None,
        }
    }
}

/// The event could not be written. The token must not be used.
#[derive(Debug, Error)]
#[error("the audit log cannot be written")]
pub struct AuditError(#[from] io::Error);

/// The destination of audit events. Clones share it.
#[derive(Clone)]
pub struct AuditLog(Arc<Open>);

struct Open {
    out: Mutex<Out>,
    clock: SharedClock,
    /// `true` if the last event could not be written.
    failing: AtomicBool,
}

struct Out {
    sink: LineSink,
    stamp: Stamp,
    line: Vec<u8>,
}

impl AuditSettings {
    /// Opens the configured log. Reports a finding if the file cannot be appended to.
    pub fn build(&self, clock: SharedClock, building: &mut Building<'_>) -> Option<AuditLog> {
        let sink = LineSink::open(self.file.as_deref(), building)?;
        Some(AuditLog::start(sink, clock))
    }
}

impl AuditLog {
    /// Returns a log that writes to `out`.
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
            failing: AtomicBool::new(false),
        }))
    }

    /// Writes one event.
    ///
    /// # Errors
    /// [`AuditError`] if the line could not be written completely.
    pub fn record(&self, event: &AuditEvent<'_>) -> Result<(), AuditError> {
        Ok(self.append(|line, ts| serde_json::to_writer(line, &Line::of(event, ts)))?)
    }

    /// Returns `true` if events can be written. After a failure, it tries again with an event of its own: a gateway
    /// that is not ready gets no requests, so no exchange would try.
    pub fn is_writable(&self) -> bool {
        if !self.0.failing.load(Ordering::Acquire) {
            return true;
        }
        let resumed = |line: &mut Vec<u8>, ts: &str| {
            let event = serde_json::json!({ "event": "audit_resumed", "ts": ts });
            serde_json::to_writer(line, &event)
        };
        self.append(resumed).is_ok()
    }

    fn append(
        &self,
        write: impl FnOnce(&mut Vec<u8>, &str) -> Result<(), serde_json::Error>,
    ) -> io::Result<()> {
        let mut out = self.0.out.lock().unwrap_or_else(PoisonError::into_inner);
        let Out { sink, stamp, line } = &mut *out;
        line.clear();
        stamp.write(self.0.clock.since_epoch(), line);
        let ts = ascii(line).to_owned();
        line.clear();
        write(line, &ts)?;
        line.push(b'\n');
        let appended = sink.append(line);
        self.0.failing.store(appended.is_err(), Ordering::Release);
        appended
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog").finish_non_exhaustive()
    }
}

/// The members of a line, in their order.
#[derive(Serialize)]
struct Line<'a> {
    event: &'static str,
    ts: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<ActorLine<'a>>,
    #[serde(
        skip_serializing_if = "<[Audience]>::is_empty",
        serialize_with = "one_or_many"
    )]
    audience: &'a [Audience],
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a ScopeSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<AuditedBy<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ActorLine<'a> {
    Acts {
        #[serde(skip_serializing_if = "Option::is_none")]
        iss: Option<&'a str>,
        sub: &'a str,
    },
    /// In the form that other servers use for an impersonator.
    Impersonates {
        #[serde(skip_serializing_if = "Option::is_none")]
        issuer: Option<&'a str>,
        user_id: &'a str,
    },
}

/// Serializes audiences like `aud` (RFC 7519 §4.1.3).
fn one_or_many<S: Serializer>(audiences: &[Audience], serializer: S) -> Result<S::Ok, S::Error> {
    match audiences {
        [only] => serializer.serialize_str(only.as_str()),
        several => serializer.collect_seq(several.iter().map(Audience::as_str)),
    }
}

impl<'a> Line<'a> {
    fn of(event: &'a AuditEvent<'a>, ts: &'a str) -> Self {
        let (name, reason, revoked) = match event.act {
            AuditedAct::TokenIssued => ("token_issued", None, None),
            AuditedAct::TokenRefused(reason) => ("token_refused", Some(reason.as_str()), None),
            AuditedAct::TokenRevoked(revoked) => ("token_revoked", None, Some(revoked)),
            AuditedAct::RevocationLifted(revoked) => ("revocation_lifted", None, Some(revoked)),
            AuditedAct::Impersonation => ("impersonation", None, None),
        };
        let impersonates = event.act == AuditedAct::Impersonation;
        Self {
            event: name,
            ts,
            request_id: event.request_id.as_str(),
            route: event.route,
            revoked: revoked.map(Revoked::as_str),
            issuer: event.issuer,
            subject: event.subject,
            client_id: event.client_id.filter(|_| !impersonates),
            application_id: event.client_id.filter(|_| impersonates),
            actor: event.actor.map(|actor| match impersonates {
                false => ActorLine::Acts {
                    iss: actor.iss.as_deref(),
                    sub: &actor.sub,
                },
                true => ActorLine::Impersonates {
                    issuer: actor.iss.as_deref(),
                    user_id: &actor.sub,
                },
            }),
            audience: event.audiences,
            scope: event.scope,
            expires_at: event.expires_at.map(UnixTime::as_secs),
            jti: event.jti,
            sid: event.named.filter(|_| revoked == Some(Revoked::Session)),
            kid: event.named.filter(|_| revoked == Some(Revoked::SigningKey)),
            until: event.until.map(UnixTime::as_secs),
            by: event.by,
            reason,
        }
    }
}

#[cfg(test)]
mod tests;
