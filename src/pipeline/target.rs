//! The request line, searched for the token that the request presents.

use crate::{
    error::Refusal, gate::CleanTarget, route::Route, source::Imprint, telemetry::LeakPlace,
};
use http::request::Parts;

/// The request line is forwarded as it came, and so is the host, as X-Forwarded-Host: a copy of the token in them would
/// reach the downstream and its logs.
pub(super) fn keep_out_of_target<I: std::borrow::Borrow<Imprint>>(
    presented: &[I],
    head: &Parts,
    target: &CleanTarget<'_>,
    route: &Route,
) -> Result<(), Refusal> {
    let parts = [
        head.method.as_str().as_bytes(),
        target.path().as_bytes(),
        target.query().unwrap_or_default().as_bytes(),
        // of two spellings, that of the Host field goes no further
        target.authority().as_bytes(),
    ];
    let repeats = |imprint: &I| parts.iter().any(|part| imprint.borrow().is_in(part));
    if presented.iter().any(repeats) {
        route.metrics().leak(LeakPlace::RequestTarget);
        return Err(Refusal::TokenInTarget);
    }
    Ok(())
}
