//! Why a request presents no token.

use thiserror::Error;

/// The reason why a request presents no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SourceError {
    /// There is no Authorization header field, or it uses a scheme other than Bearer.
    #[error("no bearer credentials")]
    NoCredentials,
    /// The header field has the scheme Bearer without a valid token (RFC 6750 §2.1), or a form parameter is not a valid
    /// token.
    #[error("malformed authorization field")]
    Malformed,
    /// There is more than one Authorization header field.
    #[error("more than one authorization field")]
    Several,
    /// The query contains a token, which would end up in logs and referrers (RFC 6750 §2.3, RFC 9700 §4.3.2).
    #[error("a token in the query")]
    InQuery,
    /// The token is longer than `limits.token`.
    #[error("token longer than {limit} bytes")]
    TooLong {
        /// The configured limit in bytes.
        limit: usize,
    },
}
