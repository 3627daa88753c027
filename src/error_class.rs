//! What kind of failure an error is. The errors of the stages that decide on a token (verify, policy, exchange) have a
//! `class()`; responses and logs depend on it.

/// The kind of a failure. It decides who has to act, and so the status of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The presented token is not acceptable. The client needs another one: 401 `invalid_token` (RFC 6750 §3.1).
    Unacceptable,
    /// The token lacks scope, or more scope was requested than is allowed: 403 `insufficient_scope`, or
    /// `invalid_scope` at the token endpoint (RFC 6749 §5.2).
    Scope,
    /// The client may not get a token for this target: 403, or `invalid_target` at the token endpoint (RFC 8693 §2.2.2).
    Target,
    /// The policy refuses the request: 403.
    Denied,
    /// Something that the gateway needs does not respond now. A client may retry: 503.
    Unavailable,
    /// The configuration, or a key that it names, has to be fixed by the operator: 503.
    OperatorFault,
    /// An identity provider refuses the gateway as its client. The operator has to fix the client's registration or its
    /// credentials: 502.
    ClientRefused,
    /// An identity provider returned something unusable, or more than was permitted: 502.
    UnusableResponse,
    /// The gateway itself made a mistake: 503.
    Fault,
}
