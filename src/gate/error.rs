//! Why a request is refused before anything in it is interpreted.

use super::{HostFault, PathAmbiguity, limits::MOST_FIELDS};
use thiserror::Error;

/// The reason why a head is refused before any other check.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GateError {
    /// Path and query are longer than `limits.target`.
    #[error("request target longer than {limit} bytes")]
    TargetTooLong {
        /// The configured limit in bytes.
        limit: usize,
    },
    /// The header fields are larger than `limits.headers`.
    #[error("header fields larger than {limit} bytes")]
    HeadersTooLarge {
        /// The configured limit in bytes.
        limit: usize,
    },
    /// Two parsers could interpret the path differently.
    #[error("ambiguous path: {0}")]
    AmbiguousPath(#[from] PathAmbiguity),
    /// The authority of the target and the Host field differ (RFC 9112 §3.2.2).
    #[error("request target and host field name different authorities")]
    AuthorityMismatch,
    /// The method must not be forwarded: TRACE and TRACK would echo the credential (RFC 9110 §9.3.8).
    #[error("method not forwarded")]
    MethodNotForwarded,
    /// The head is not in the one form that every parser interprets alike.
    #[error("malformed request head: {0}")]
    MalformedHead(#[from] HeadFault),
    /// The chunked encoding of the body is not in the one form that every parser interprets alike.
    #[error(transparent)]
    MalformedBody(#[from] ChunkFault),
    /// The request names no host, or more than one (RFC 9112 §3.2).
    #[error("host: {0}")]
    Host(#[from] HostFault),
    /// There are more header fields, or a longer field name, than the parser accepts.
    #[error("more than {} header fields", MOST_FIELDS)]
    TooManyFields,
}

/// The reason why a head is not in the one form that every parser interprets alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeadFault {
    /// The request line is not `METHOD SP target SP HTTP/1.x`: it has other blanks, no target, an unknown version, or a
    /// method that is not in capitals.
    #[error("the request line is not method, target and version")]
    RequestLine,
    /// The target has a fragment, or is neither a path nor an http or https URL.
    #[error("the target has a fragment or is neither a path nor an http URL")]
    Target,
    /// The target contains a character that RFC 3986 does not allow and that cannot be forwarded unchanged.
    #[error("the target contains a character that must be percent-encoded")]
    TargetCharacter,
    /// A line ends with a bare line feed, or contains a carriage return (RFC 9112 §2.2).
    #[error("a line does not end in CR LF")]
    LineEnd,
    /// A header field continues on the next line (RFC 9112 §5.2).
    #[error("a field line is folded")]
    Folded,
    /// A field name is empty or not a token, or whitespace precedes the colon (RFC 9112 §5.1).
    #[error("a field name is not a token")]
    FieldName,
    /// A header field contains a control character.
    #[error("a field value contains a control character")]
    Control,
    /// Content-Length is not a plain decimal number.
    #[error("content-length is not one decimal number")]
    ContentLength,
    /// Both Content-Length and Transfer-Encoding are present (RFC 9112 §6.1).
    #[error("both content-length and transfer-encoding are present")]
    LengthAndCoding,
    /// Transfer-Encoding is not exactly `chunked`, or the request is HTTP/1.0.
    #[error("transfer-encoding is not exactly chunked")]
    TransferCoding,
    /// Expect is not exactly `100-continue` (RFC 9110 §10.1.1).
    #[error("the expectation is not 100-continue")]
    Expectation,
    /// Connection names a field that every request needs, or something that is not a field name (RFC 9110 §7.6.1).
    #[error("the connection field names a field that it must not name")]
    Connection,
    /// The HTTP library refused the stream of HTTP/2 (RFC 9113 §8.1.1): `:authority` and Host name no host or differ,
    /// `:path` contains a control character, or Content-Length is not a number. The head is not known.
    #[error(
        "the HTTP/2 stream names no host or two, has a control character in its path, or a length that is no number"
    )]
    Stream,
}

/// The framing of the body is not in the one form that every decoder interprets alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("malformed chunked body")]
pub struct ChunkFault;
