//! Shared parts of the demo's provider and APIs.

use crate::{
    cli::serve::Uncounted,
    edge::{Edge, EdgeLimits, Listener, ThreadCount},
    proxy::{Site, SiteApp},
};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};
use std::{io, num::NonZeroUsize, sync::Arc, time::Duration};

/// Small limits: only the gateway and the user of the demo send requests.
const LIMITS: EdgeLimits = EdgeLimits {
    head_bytes: 64 << 10,
    header_timeout: Duration::from_secs(10),
    connections: 256,
    connections_per_address: 256,
};

/// Returns the edge that serves all sites of the demo, on one thread.
pub(super) fn edge() -> io::Result<Edge> {
    let threads = ThreadCount::Exactly(NonZeroUsize::MIN);
    Edge::start(LIMITS, threads, Arc::new(Uncounted))
}

/// Serves `site` on `listener`.
pub(super) fn serve<S: Site + 'static>(
    edge: &Edge,
    listener: Listener,
    site: &Arc<S>,
) -> io::Result<()> {
    edge.serve(listener, SiteApp::<S>::new(Arc::clone(site)))
}

/// Returns a JSON response that is formatted for people.
pub(super) fn json_response(status: u16, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(format!("{body:#}\n")));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

pub(super) fn not_found() -> Response<Bytes> {
    json_response(404, &json!({"error": "not_found"}))
}
