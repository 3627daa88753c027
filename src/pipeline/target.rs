//! The search for the presented token in the request target.

use crate::{
    error::Refusal, gate::CleanTarget, route::Route, source::TokenNeedle, telemetry::LeakPlace,
};
use http::request::Parts;

/// Refuses a request whose target contains a copy of the presented token. The request line is forwarded unchanged, and
/// the host is forwarded as X-Forwarded-Host, so the upstream and its logs would receive the token.
pub(super) fn keep_out_of_target<I: std::borrow::Borrow<TokenNeedle>>(
    presented: &[I],
    head: &Parts,
    target: &CleanTarget<'_>,
    route: &Route,
) -> Result<(), Refusal> {
    let parts = [
        head.method.as_str().as_bytes(),
        target.path().as_bytes(),
        target.query().unwrap_or_default().as_bytes(),
        // a Host field that is spelled differently is not forwarded
        target.authority().as_bytes(),
    ];
    let repeats = |needle: &I| parts.iter().any(|part| needle.borrow().is_in(part));
    if presented.iter().any(repeats) {
        route.metrics().leak(LeakPlace::RequestTarget);
        return Err(Refusal::TokenInTarget);
    }
    Ok(())
}
