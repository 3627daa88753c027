//! The request line, searched for the token that the request presents.

use crate::{
    error::Refusal, gate::CleanTarget, route::Route, source::Imprint, telemetry::LeakPlace,
};
use http::{header, request::Parts};

/// The request line is forwarded as it came, and so is the host, as X-Forwarded-Host: a copy of the token in them would
/// reach the downstream and its logs.
pub(super) fn keep_out_of_target<I: std::borrow::Borrow<Imprint>>(
    presented: &[I],
    head: &Parts,
    target: &CleanTarget<'_>,
    route: &Route,
) -> Result<(), Refusal> {
    let authority = head.uri.authority().map(|authority| authority.as_str());
    let host = head.headers.get(header::HOST).map(|host| host.as_bytes());
    let parts = [
        head.method.as_str().as_bytes(),
        target.path().as_bytes(),
        target.query().unwrap_or_default().as_bytes(),
        authority.unwrap_or_default().as_bytes(),
        host.unwrap_or_default(),
    ];
    let repeats = |imprint: &I| parts.iter().any(|part| imprint.borrow().is_in(part));
    if presented.iter().any(repeats) {
        route.metrics().leak(LeakPlace::RequestTarget);
        return Err(Refusal::TokenInTarget);
    }
    Ok(())
}
