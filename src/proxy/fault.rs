//! What pingora's errors mean: to the client, and to the operator.
//!
//! The texts are the gateway's own. pingora's may hold what an upstream sent, so of those only what its TLS library says
//! about a certificate is read.

use crate::{
    clock::{UnixTime, with_dates},
    error::{Refusal, UpstreamFault},
    gate::{GateError, PathAmbiguity, wire::HeadFault},
    telemetry::RequestId,
};
use pingora::{Error, ErrorSource, ErrorType, upstreams::peer::HttpPeer};
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

/// How an attempt at an upstream failed.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// One of few texts.
    pub(super) cause: &'static str,
    /// What else is known: dates, names, the system's word.
    pub(super) detail: Option<String>,
}

impl Failure {
    pub(super) const fn of(cause: &'static str) -> Self {
        Self {
            cause,
            detail: None,
        }
    }

    /// The upstream sent nothing for too long.
    pub(super) const fn timed_out(stage: Stage) -> Self {
        Self::of(match stage {
            Stage::Connecting | Stage::Head => "timed out reading the response head",
            Stage::Body => "timed out reading the response body",
        })
    }
}

/// How far an attempt had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// No connection yet.
    Connecting,
    /// Sending the request, or waiting for the head of the response.
    Head,
    /// The head has come.
    Body,
}

/// The refusal that `error` amounts to; none where the client is gone.
#[allow(clippy::wildcard_enum_match_arm)] // ErrorType is a foreign, open enum; what is not named is a fault of ours
pub(super) fn classify(error: &Error, stage: Stage) -> Option<Refusal> {
    match (error.esource(), error.etype()) {
        (
            ErrorSource::Downstream,
            ErrorType::WriteError
            | ErrorType::ReadError
            | ErrorType::ConnectionClosed
            | ErrorType::WriteTimedout
            | ErrorType::ReadTimedout,
        ) => None,
        (ErrorSource::Downstream, ErrorType::H2Error) => None,
        // the one thing of a head that passed the gate which pingora does not take
        (ErrorSource::Downstream, ErrorType::InvalidHTTPHeader) => {
            Some(GateError::from(HeadFault::Connection).into())
        }
        // a head that cannot be forwarded
        (ErrorSource::Downstream, _) => {
            Some(GateError::AmbiguousPath(PathAmbiguity::Character).into())
        }
        (
            ErrorSource::Upstream,
            ErrorType::ConnectTimedout
            | ErrorType::TLSHandshakeTimedout
            | ErrorType::ReadTimedout
            | ErrorType::WriteTimedout,
        ) => Some(UpstreamFault::Timeout.into()),
        (
            ErrorSource::Upstream,
            ErrorType::InvalidHTTPHeader
            | ErrorType::H1Error
            | ErrorType::H2Error
            | ErrorType::InvalidH2
            | ErrorType::H2Downgrade
            | ErrorType::Custom(_),
        ) => Some(UpstreamFault::Framing.into()),
        // what ended within its body had been reached
        (ErrorSource::Upstream, ErrorType::ConnectionClosed | ErrorType::ReadError)
            if stage == Stage::Body =>
        {
            Some(UpstreamFault::Framing.into())
        }
        (ErrorSource::Upstream, _) => Some(UpstreamFault::Unreachable.into()),
        (ErrorSource::Internal | ErrorSource::Unset, _) => Some(Refusal::Fault),
    }
}

/// What `error` says about the upstream; none where it is about something else.
#[allow(clippy::wildcard_enum_match_arm)] // as above
pub(super) fn explain(error: &Error, stage: Stage) -> Option<Failure> {
    if *error.esource() != ErrorSource::Upstream {
        return None;
    }
    let cause = match (error.etype(), stage) {
        (ErrorType::ConnectRefused, _) => "connection refused",
        (ErrorType::ConnectNoRoute, _) => "no route to the host",
        (ErrorType::ConnectTimedout, _) if !in_handshake(error) => "timed out connecting",
        (ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout, _) => {
            "timed out in the TLS handshake"
        }
        (ErrorType::TLSHandshakeFailure | ErrorType::InvalidCert, _) => return Some(tls(error)),
        (ErrorType::ReadTimedout, Stage::Connecting | Stage::Head) => {
            "timed out reading the response head"
        }
        (ErrorType::ReadTimedout, Stage::Body) => "timed out reading the response body",
        (ErrorType::WriteTimedout, _) => "timed out sending the request",
        (ErrorType::WriteError, _) => "connection lost while sending the request",
        (ErrorType::ConnectionClosed, Stage::Body) => "connection closed within the response body",
        (ErrorType::ConnectionClosed, _) => "connection closed before the response head",
        (ErrorType::ReadError, Stage::Body) => "connection lost within the response body",
        (ErrorType::ReadError, _) => "connection lost before the response head",
        (ErrorType::InvalidHTTPHeader, _) => "the response head is no HTTP",
        (ErrorType::Custom(_), _) => "the response body is not framed as HTTP says",
        (
            ErrorType::H1Error | ErrorType::H2Error | ErrorType::InvalidH2 | ErrorType::H2Downgrade,
            _,
        ) => "broken HTTP",
        (_, Stage::Connecting) => "no connection",
        (_, Stage::Head | Stage::Body) => "the exchange with the upstream failed",
    };
    Some(Failure {
        cause,
        detail: system_word(error),
    })
}

/// Returns `true` if a connection that timed out was there, and its TLS handshake did not end. pingora gives both one
/// type; the deadline for the TCP connection alone is looked at first, and says so.
fn in_handshake(error: &Error) -> bool {
    let text = error.to_string();
    let before = text.split(" connecting to server ").next();
    text.contains("scheme: HTTPS") && before.is_some_and(|before| !before.contains("timeout "))
}

/// What the operating system says, where it is what failed.
fn system_word(error: &Error) -> Option<String> {
    let mut cause: &(dyn std::error::Error + 'static) = error.cause.as_deref()?;
    loop {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return io.raw_os_error().map(|_| io.to_string());
        }
        let inner = cause
            .downcast_ref::<Error>()
            .or_else(|| cause.downcast_ref::<Box<Error>>().map(AsRef::as_ref));
        cause = match inner {
            Some(error) => error.cause.as_deref()?,
            None => cause.source()?,
        };
    }
}

/// What a TLS handshake failed of. pingora keeps no more of it than rustls's text, which is about the certificate and
/// the connection, never about a request.
fn tls(error: &Error) -> Failure {
    const CAUSES: [(&str, &str); 9] = [
        ("UnknownIssuer", "certificate unknown issuer"),
        ("certificate expired", "certificate expired"),
        ("Expired", "certificate expired"),
        ("not valid yet", "certificate not yet valid"),
        ("NotValidYet", "certificate not yet valid"),
        ("not valid for", "certificate name mismatch"),
        ("NotValidForName", "certificate name mismatch"),
        ("Revoked", "certificate revoked"),
        ("invalid peer certificate", "certificate not acceptable"),
    ];
    let text = error.to_string();
    let known = CAUSES.iter().find(|(part, _)| text.contains(part));
    Failure {
        cause: known.map_or("TLS handshake failed", |(_, cause)| cause),
        detail: Some(tls_detail(&text)),
    }
}

/// The part of pingora's text that rustls wrote, with its times as dates.
fn tls_detail(text: &str) -> String {
    const FRAMES: [&str; 4] = [
        "context: ",
        "cause: ",
        "failed: ",
        "invalid peer certificate: ",
    ];
    let mut said = text.split(", SNI:").next().unwrap_or(text);
    for frame in FRAMES {
        said = said.rsplit(frame).next().unwrap_or(said);
    }
    let mut said = with_dates(said);
    said.retain(|c| c.is_ascii_graphic() || c == ' ');
    said.truncate(LONGEST);
    said
}

/// The longest detail, in bytes: a certificate may name many hosts.
const LONGEST: usize = 300;

/// An attempt whose failure is logged.
pub(super) struct Attempt<'a> {
    pub(super) route: &'a str,
    pub(super) request_id: RequestId,
    pub(super) peer: Option<&'a HttpPeer>,
    pub(super) now: UnixTime,
}

/// Writes the line that says why an attempt failed. While an upstream is down there are as many failures as requests: ten
/// lines a second are enough, and the access log has the cause of each.
pub(super) fn log(failure: &Failure, attempt: &Attempt<'_>) {
    static SECOND: AtomicI64 = AtomicI64::new(0);
    static WRITTEN: AtomicU32 = AtomicU32::new(0);
    static LEFT_OUT: AtomicU32 = AtomicU32::new(0);
    let now = attempt.now.as_secs();
    if SECOND.swap(now, Ordering::Relaxed) != now {
        WRITTEN.store(0, Ordering::Relaxed);
    }
    if WRITTEN.fetch_add(1, Ordering::Relaxed) >= LINES_A_SECOND {
        LEFT_OUT.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let peer = attempt.peer;
    tracing::warn!(
        error = failure.cause,
        detail = failure.detail.as_deref().unwrap_or_default(),
        target_address = peer.map(|peer| peer._address.to_string()).unwrap_or_default(),
        target_name = peer.map_or("", |peer| peer.sni.as_str()),
        route = attempt.route,
        request_id = %attempt.request_id,
        left_out = LEFT_OUT.swap(0, Ordering::Relaxed),
        "the upstream failed"
    );
}

const LINES_A_SECOND: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(kind: ErrorType, context: &str) -> Box<Error> {
        Error::explain(kind, context.to_owned()).into_up()
    }

    #[test]
    fn a_certificate_that_is_not_acceptable_is_named_with_why() {
        let said = "TLS connect() failed: invalid peer certificate: ";
        for (text, cause, detail) in [
            (
                "UnknownIssuer",
                "certificate unknown issuer",
                "UnknownIssuer",
            ),
            (
                "certificate expired: verification time 1764381600 (UNIX), but certificate is not valid after 1700000000 (64381600 seconds ago)",
                "certificate expired",
                "certificate expired: verification time 2025-11-29T02:00:00Z but certificate is not valid after 2023-11-14T22:13:20Z (64381600 seconds ago)",
            ),
            (
                "certificate not valid for name \"api.internal\"; certificate is only valid for DnsName(\"other\")",
                "certificate name mismatch",
                "certificate not valid for name \"api.internal\"; certificate is only valid for DnsName(\"other\")",
            ),
            ("BadSignature", "certificate not acceptable", "BadSignature"),
        ] {
            let error = failed(
                ErrorType::TLSHandshakeFailure,
                &format!("{said}{text}, SNI: api.internal"),
            );
            let failure = explain(&error, Stage::Connecting).unwrap();
            assert_eq!(failure.cause, cause);
            assert_eq!(failure.detail.as_deref(), Some(detail));
        }
    }

    #[test]
    fn a_timeout_says_what_was_waited_for() {
        let causes = [
            (
                ErrorType::ConnectTimedout,
                Stage::Connecting,
                "timed out connecting",
            ),
            (
                ErrorType::ReadTimedout,
                Stage::Head,
                "timed out reading the response head",
            ),
            (
                ErrorType::ReadTimedout,
                Stage::Body,
                "timed out reading the response body",
            ),
            (
                ErrorType::WriteTimedout,
                Stage::Head,
                "timed out sending the request",
            ),
        ];
        for (kind, stage, cause) in causes {
            assert_eq!(explain(&failed(kind, ""), stage).unwrap().cause, cause);
        }
    }

    #[test]
    fn what_an_upstream_sent_is_in_no_text() {
        let error = failed(ErrorType::InvalidHTTPHeader, "buf: HTTP/1.1 200 secret");
        let failure = explain(&error, Stage::Head).unwrap();
        assert!(!format!("{failure:?}").contains("secret"), "{failure:?}");
    }
}
