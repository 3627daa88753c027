//! Builds the head of a request that is sent to the upstream.
//!
//! Each attempt gets a head of its own, made from the copy that pingora would send. This is the only place where a
//! credential is attached.

use super::{
    context::{Context, RequestState, refused},
    hygiene::{Outgoing, clean_request},
};
use crate::{
    error::Refusal,
    pipeline::{Forward, OnBehalfOf},
};
use pingora::{Result, http::RequestHeader, proxy::Session};

/// Builds the head of the next attempt.
///
/// # Errors
/// The request has neither a credential nor the proof that it needs none.
pub(super) fn attach(session: &Session, head: &mut RequestHeader, ctx: &mut Context) -> Result<()> {
    // a request without either proof is refused: the missing case must not forward anything
    let (authorization, presented) = match &ctx.state {
        RequestState::Forwarding(Forward::OnBehalfOf(OnBehalfOf { credential, .. })) => {
            let presented = credential.presented().map(std::slice::from_ref);
            (
                Some(credential.authorization()),
                presented.unwrap_or_default(),
            )
        }
        RequestState::Forwarding(Forward::Public(_, unread)) => (None, unread.as_slice()),
        RequestState::Received
        | RequestState::Refused(_)
        | RequestState::Preflight
        | RequestState::TokenService(..) => {
            return Err(refused(ctx, Refusal::Fault));
        }
    };
    let (Some(route), Some(authority)) = (&ctx.record.route, ctx.authority.take()) else {
        return Err(refused(ctx, Refusal::Fault));
    };
    let trace = ctx.trace.map(|trace| trace.child(&ctx.hooks.ids));
    let outgoing = Outgoing {
        route,
        authorization,
        presented,
        authority: &authority,
        client: ctx.client.as_ref(),
        encrypted: session
            .digest()
            .is_some_and(|digest| digest.ssl_digest.is_some()),
        id: &ctx.id,
        trace: trace.as_ref(),
    };
    clean_request(head, &outgoing)?;
    ctx.sent = Some(ctx.hooks.clock.instant());
    Ok(())
}
