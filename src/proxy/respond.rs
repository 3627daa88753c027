//! Writing the gateway's own answers.

use super::{context::Context, cors};
use crate::error::Answer;
use bytes::Bytes;
use http::header;
use pingora::{Result, http::ResponseHeader, proxy::Session};

/// Writes `answer`; the connection is kept unless the answer says otherwise.
pub(super) async fn refuse(session: &mut Session, answer: &Answer, ctx: &Context) -> Result<()> {
    if answer.closes {
        session.set_keepalive(None);
    }
    let mut head = ResponseHeader::build(answer.status, Some(6))?;
    let resource = ctx.trail.route.as_ref().and_then(|route| route.resource());
    for (name, value) in answer.headers(resource.map(|resource| resource.metadata_url())) {
        head.insert_header(name, value)?;
    }
    head.insert_header("x-request-id", ctx.id.as_str())?;
    cors::open_refusal(&mut head, session, ctx)?;
    write(session, head, answer.body()).await
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
