//! CORS fields in responses to preflight requests, in the gateway's own responses and in those of the upstream.

use super::context::Context;
use crate::route::{Cors, Speaker};
use http::{HeaderValue, StatusCode, header};
use pingora::{Result, http::ResponseHeader, proxy::Session};

/// Responds to a preflight request. A refusal is a response without the permitting fields; the browser enforces it.
pub(super) async fn respond_to_preflight(session: &mut Session, ctx: &Context) -> Result<()> {
    let mut head = ResponseHeader::build(StatusCode::NO_CONTENT, Some(8))?;
    if let Some(cors) = cors(ctx) {
        for (name, value) in cors.preflight(origin(session)) {
            head.append_header(name, value)?;
        }
    }
    head.insert_header(header::CACHE_CONTROL, "no-store")?;
    head.insert_header("x-request-id", ctx.id.as_str())?;
    session.write_response_header(Box::new(head), true).await
}

/// Lets scripts of allowed origins read a response of the gateway itself, if the route is known.
pub(super) fn open_refusal(
    head: &mut ResponseHeader,
    session: &Session,
    ctx: &Context,
) -> Result<()> {
    if let Some(cors) = cors(ctx) {
        for (name, value) in cors.fields(origin(session), Speaker::Gateway) {
            head.append_header(name, value)?;
        }
    }
    Ok(())
}

/// Returns the origin that the request names.
pub(super) fn origin(session: &Session) -> Option<&HeaderValue> {
    session.req_header().headers.get(header::ORIGIN)
}

fn cors(ctx: &Context) -> Option<&Cors> {
    ctx.record.route.as_ref()?.cors()
}
