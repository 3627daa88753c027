//! A browser's question whether a script may send a request (Fetch, "CORS-preflight request").

use crate::{
    gate::CleanTarget,
    route::{Route, RouteTable},
};
use http::{Method, header, request::Parts};
use std::sync::Arc;

/// The route whose CORS rules answer the request; none where it is no preflight, or meets no such route.
///
/// It is the route of the request that would follow: the preflight carries no token, and a route that serves only POST
/// is asked about with OPTIONS all the same.
pub(super) fn answering<'a>(
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
