//! What becomes of a downstream's answer: measured, searched for tokens, and where it refuses the token, asked again.

use super::{
    Serving,
    context::{Context, Progress, refused},
    hygiene::repeats,
};
use crate::{
    error::{Refusal, UpstreamFault},
    telemetry::{LeakPlace, StatusClass},
};
use http::{HeaderMap, StatusCode};
use pingora::{Error, ErrorType, Result, proxy::Session};
use std::time::Duration;

impl Serving {
    pub(super) fn observe_upstream(&self, status: StatusCode, ctx: &mut Context) {
        let now = ctx.hooks.clock.instant();
        let took = ctx
            .sent
            .map_or(Duration::ZERO, |sent| now.saturating_duration_since(sent));
        ctx.upstream = Some(took);
        if let Some(route) = &ctx.trail.route {
            route
                .metrics()
                .upstream(StatusClass::of(status.as_u16()), took);
        }
    }

    /// The downstream refused the token: one fresh exchange, and the request once more, if it can be repeated.
    pub(super) async fn renew(&self, session: &mut Session, ctx: &mut Context) -> Box<Error> {
        if session.as_ref().retry_buffer_truncated() || ctx.renewed {
            return refused(
                ctx,
                if ctx.renewed {
                    UpstreamFault::Unauthorized
                } else {
                    UpstreamFault::NotRepeatable
                }
                .into(),
            );
        }
        let Progress::Authorized(authorized) = &mut ctx.progress else {
            return refused(ctx, Refusal::Fault);
        };
        let head = session.req_header();
        let renewed = ctx
            .hooks
            .pipeline
            .renew(head, ctx.id, authorized, &mut ctx.trail)
            .await;
        match renewed {
            None => refused(ctx, UpstreamFault::Unauthorized.into()),
            Some(Err(refusal)) => refused(ctx, refusal),
            Some(Ok(())) => {
                ctx.renewed = true;
                ctx.repeat = true;
                Error::explain(ErrorType::HTTPStatus(502), "repeating with a fresh token")
            }
        }
    }

    pub(super) fn keep_tokens_in(
        &self,
        fields: &HeaderMap,
        place: LeakPlace,
        ctx: &mut Context,
    ) -> Result<()> {
        let Progress::Authorized(authorized) = &ctx.progress else {
            return Ok(());
        };
        let credential = &authorized.credential;
        if repeats(fields, [credential.issued(), credential.presented()]) {
            if let Some(route) = &ctx.trail.route {
                route.metrics().leak(place);
            }
            return Err(refused(ctx, Refusal::Leak(place)));
        }
        Ok(())
    }
}
