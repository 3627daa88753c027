//! Writes the gateway's own responses.

use super::{context::Context, cors};
use crate::error::ErrorResponse;
use bytes::Bytes;
use http::header;
use pingora::{Result, http::ResponseHeader, proxy::Session};

/// Writes `response`. The connection is kept open unless [`ErrorResponse::closes`] is set.
pub(super) async fn refuse(
    session: &mut Session,
    response: &ErrorResponse,
    ctx: &Context,
) -> Result<()> {
    if response.closes {
        session.set_keepalive(None);
    }
    let head = head_of(session, response, ctx)?;
    write(session, head, response.body()).await
}

/// Returns `response` as the bytes of an HTTP/1.1 response that closes its connection.
pub(super) fn whole(session: &Session, response: &ErrorResponse, ctx: &Context) -> Bytes {
    let body = response.body();
    let mut bytes = format!("HTTP/1.1 {}\r\n", response.status).into_bytes();
    let head = head_of(session, response, ctx).ok();
    for (name, value) in head.iter().flat_map(|head| &head.headers) {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    let length = body.len();
    bytes.extend_from_slice(
        format!("content-length: {length}\r\nconnection: close\r\n\r\n").as_bytes(),
    );
    bytes.extend_from_slice(&body);
    bytes.into()
}

fn head_of(session: &Session, response: &ErrorResponse, ctx: &Context) -> Result<ResponseHeader> {
    let mut head = ResponseHeader::build(response.status, Some(6))?;
    let resource = ctx.record.route.as_ref().and_then(|route| route.resource());
    for (name, value) in response.headers(resource.map(|resource| resource.metadata_url())) {
        head.insert_header(name, value)?;
    }
    head.insert_header("x-request-id", ctx.id.as_str())?;
    cors::open_refusal(&mut head, session, ctx)?;
    Ok(head)
}

/// Writes a document.
pub(super) async fn document(session: &mut Session, response: http::Response<Bytes>) -> Result<()> {
    let (parts, body) = response.into_parts();
    let mut head = ResponseHeader::build(parts.status, Some(parts.headers.len() + 1))?;
    for (name, value) in &parts.headers {
        head.append_header(name.clone(), value.clone())?;
    }
    write(session, head, body).await
}

async fn write(session: &mut Session, mut head: ResponseHeader, body: Bytes) -> Result<()> {
    head.insert_header(header::CONTENT_LENGTH, body.len())?;
    let without_body = body.is_empty() || session.req_header().method == http::Method::HEAD;
    session
        .write_response_header(Box::new(head), without_body)
        .await?;
    if !without_body {
        session.write_response_body(Some(body), true).await?;
    }
    Ok(())
}
