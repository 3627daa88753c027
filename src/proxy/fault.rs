//! What pingora's errors mean to the client.

use crate::{
    error::{Refusal, UpstreamFault},
    gate::{GateError, PathAmbiguity},
};
use pingora::{Error, ErrorSource, ErrorType};

/// The refusal that `error` amounts to; none where the client is gone.
#[allow(clippy::wildcard_enum_match_arm)] // ErrorType is a foreign, open enum; what is not named is a fault of ours
pub(super) fn classify(error: &Error) -> Option<Refusal> {
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
        // a head that cannot be forwarded, such as a Connection field that names Host
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
            | ErrorType::H2Downgrade,
        ) => Some(UpstreamFault::Framing.into()),
        (ErrorSource::Upstream, _) => Some(UpstreamFault::Unreachable.into()),
        (ErrorSource::Internal | ErrorSource::Unset, _) => Some(Refusal::Fault),
    }
}
