//! Translates pingora's errors for the client and for the operator.
//!
//! The texts are the gateway's own, because pingora's texts may contain what an upstream sent. Only the part that its
//! TLS library says about a certificate is used.

use crate::{
    clock::{UnixTime, with_dates},
    error::{Refusal, UpstreamFault},
    gate::{GateError, PathAmbiguity, wire::HeadFault},
    telemetry::RequestId,
};
use pingora::{Error, ErrorSource, ErrorType, upstreams::peer::HttpPeer};
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

/// Why an attempt at an upstream failed.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// One of a fixed set of texts.
    pub(super) cause: &'static str,
    /// Further facts: dates, names, the message of the operating system.
    pub(super) detail: Option<String>,
}

impl Failure {
    pub(super) const fn of(cause: &'static str) -> Self {
        Self {
            cause,
            detail: None,
        }
    }

    /// The upstream sent nothing within its timeout.
    pub(super) const fn timed_out(stage: Stage) -> Self {
        Self::of(match stage {
            Stage::Connecting | Stage::Head => "timed out reading the response head",
            Stage::Body => "timed out reading the response body",
        })
    }
}

/// The progress of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// There is no connection yet.
    Connecting,
    /// The request is being sent, or the head of the response is awaited.
    Head,
    /// The head of the response has arrived.
    Body,
}

/// Returns the refusal for `error`, or `None` if the client is gone.
#[allow(clippy::wildcard_enum_match_arm)] // ErrorType is a foreign, open enum; an unlisted variant counts as our own fault
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
        // the only field of a head that passes the gate and that pingora refuses
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
        // if the connection failed within the body, the upstream was reachable
        (ErrorSource::Upstream, ErrorType::ConnectionClosed | ErrorType::ReadError)
            if stage == Stage::Body =>
        {
            Some(UpstreamFault::Framing.into())
        }
        (ErrorSource::Upstream, _) => Some(UpstreamFault::Unreachable.into()),
        (ErrorSource::Internal | ErrorSource::Unset, _) => Some(Refusal::Fault),
    }
}

/// Returns what `error` says about the upstream, or `None` if the error is not about the upstream.
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
        (ErrorType::InvalidHTTPHeader, _) => "the response head is not HTTP",
        (ErrorType::Custom(_), _) => "the response body is not framed as HTTP requires",
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

/// Returns `true` if the timeout occurred in the TLS handshake, after the connection was established. pingora uses one
/// error type for both; the message of the TCP connect timeout, which expires first, contains "timeout".
fn in_handshake(error: &Error) -> bool {
    let text = error.to_string();
    let before = text.split(" connecting to server ").next();
    text.contains("scheme: HTTPS") && before.is_some_and(|before| !before.contains("timeout "))
}

/// Returns the message of the operating system, if the failure came from it.
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

/// Returns why a TLS handshake failed. pingora keeps only the text of rustls, which describes the certificate and the
/// connection, never a request.
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

/// Returns the part of pingora's text that rustls wrote, with its timestamps as dates.
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

/// Maximum length of a detail in bytes: a certificate may name many hosts.
const LONGEST: usize = 300;

/// A failed attempt, for the log.
pub(super) struct Attempt<'a> {
    pub(super) route: &'a str,
    pub(super) request_id: RequestId,
    pub(super) peer: Option<&'a HttpPeer>,
    pub(super) now: UnixTime,
}

/// Logs why an attempt failed. While an upstream is down, every request fails: at most ten lines per second are
/// written, and the access log contains the cause of each failure.
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
