//! Serves requests to the gateway's own endpoints. Reads their bodies, limited in size and time, and writes the
//! responses that [`TokenService`](crate::sts::TokenService) returns.

use super::{
    context::{Context, RequestState},
    respond,
};
use crate::{
    edge::ClientCertificate,
    sts::{MAX_BODY, Peer, Unread},
    telemetry::{Reason, TokenDecision},
};
use http::{HeaderValue, header};
use pingora::{Result, proxy::Session};
use std::{sync::Arc, time::Duration};

/// Maximum time for receiving a body.
const WITHIN: Duration = Duration::from_secs(10);

/// Handles the request of `session`, which is for the token service.
pub(super) async fn respond(session: &mut Session, ctx: &mut Context) -> Result<()> {
    let hooks = Arc::clone(&ctx.hooks);
    let service = &hooks.service;
    let peer = peer_of(session, ctx);
    let begun = service.begin(session.req_header(), &peer);
    let mut response = match begun {
        Err(response) => *response,
        Ok(expected) => match read_body(session).await? {
            Err(why) => {
                // the position of the next request in the stream is unknown
                session.set_keepalive(None);
                service.respond_unread(why)
            }
            Ok(body) => {
                service
                    .end(expected, session.req_header(), &body, &peer)
                    .await
            }
        },
    };
    let reason = response.extensions().get::<Reason>().copied();
    let decision = response.extensions_mut().remove::<Arc<TokenDecision>>();
    ctx.record.decision = decision;
    ctx.state = RequestState::TokenService(response.status(), reason);
    if let Ok(id) = HeaderValue::from_str(ctx.id.as_str()) {
        response.headers_mut().insert("x-request-id", id);
    }
    respond::document(session, response).await
}

/// Returns what the connection says about the sender of the request.
fn peer_of(session: &Session, ctx: &Context) -> Peer {
    let tls = session
        .digest()
        .and_then(|digest| digest.ssl_digest.as_ref());
    let certificate = tls.and_then(|tls| tls.extension.get::<ClientCertificate>());
    Peer {
        address: ctx.client,
        certificate: certificate.map(ClientCertificate::der),
        id: ctx.id,
    }
}

/// Returns the whole body, or why it was not read to its end.
async fn read_body(session: &mut Session) -> Result<Result<Vec<u8>, Unread>> {
    let head = session.req_header();
    let announced = head.headers.get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_BODY as u64) {
        return Ok(Err(Unread::TooLong));
    }
    let waits = head.headers.get(header::EXPECT).is_some();
    let session = session.as_downstream_mut();
    if waits {
        // RFC 9110 §10.1.1: a client that sent `Expect: 100-continue` waits for this response. It does not count as a
        // response before the end of the body, which would close the connection.
        session.set_close_on_response_before_downstream_finish(false);
        session.write_continue_response().await?;
        session.set_close_on_response_before_downstream_finish(true);
    }
    let reading = async {
        let mut body = Vec::new();
        while let Some(part) = session.read_request_body().await? {
            if body.len() + part.len() > MAX_BODY {
                return Ok(Err(Unread::TooLong));
            }
            body.extend_from_slice(&part);
        }
        Ok(Ok(body))
    };
    let read = tokio::time::timeout(WITHIN, reading).await;
    read.unwrap_or(Ok(Err(Unread::TooSlow)))
}
