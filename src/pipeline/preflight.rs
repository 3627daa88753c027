//! CORS preflight requests (Fetch, "CORS-preflight request").

use crate::{
    gate::CleanTarget,
    route::{Route, RouteTable},
};
use http::{Method, header, request::Parts};
use std::sync::Arc;

/// Returns the route whose CORS rules apply to a preflight request. Returns `None` if the request is not a preflight or
/// the route has no CORS rules.
///
/// The route is that of the announced request: a preflight has no token, and its method is OPTIONS even if the route
/// accepts only POST.
pub(super) fn responding<'a>(
    routes: &'a RouteTable,
    head: &Parts,
    target: &CleanTarget<'_>,
) -> Option<&'a Arc<Route>> {
    if head.method != Method::OPTIONS || !head.headers.contains_key(header::ORIGIN) {
        return None;
    }
    let announced = head.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    let announced = Method::from_bytes(announced.as_bytes()).ok()?;
    let route = routes.find(target, &announced)?;
    route.cors().is_some().then_some(route)
}
