//! What becomes of a downstream's answer: measured, searched for tokens, and where it refuses the token, asked again.

use super::{
    Serving,
    context::{Context, Progress, refused},
    cors,
    hygiene::{RepeatsToken, clean_fields, clean_response},
};
use crate::{
    error::{Refusal, UpstreamFault},
    source::Imprint,
    telemetry::{LeakPlace, StatusClass},
};
use http::{HeaderMap, StatusCode};
use pingora::{Error, ErrorType, Result, http::ResponseHeader, proxy::Session};
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

    /// What the client gets of the head of the downstream's answer.
    ///
    /// # Errors
    /// The downstream may not answer so, or repeats a token.
    pub(super) fn pass_answer(
        &self,
        session: &Session,
        head: &mut ResponseHeader,
        ctx: &mut Context,
    ) -> Result<()> {
        let terms = ctx.trail.route.as_ref().and_then(|r| r.response_terms());
        let terms = terms.map(|terms| (terms, cors::origin(session)));
        clean_response(head, ctx.id, terms, tokens(ctx))
            .map_err(|RepeatsToken| leak(LeakPlace::ResponseHead, ctx))
    }

    /// What the client gets of the trailers of the downstream's answer.
    ///
    /// # Errors
    /// They repeat a token.
    pub(super) fn pass_trailers(&self, trailers: &mut HeaderMap, ctx: &mut Context) -> Result<()> {
        clean_fields(trailers, tokens(ctx))
            .map_err(|RepeatsToken| leak(LeakPlace::ResponseTrailer, ctx))
    }
}

/// The tokens that the client does not get from the downstream.
fn tokens(ctx: &Context) -> [Option<&Imprint>; 2] {
    match &ctx.progress {
        Progress::Authorized(authorized) => {
            let credential = &authorized.credential;
            [credential.issued(), credential.presented()]
        }
        Progress::Received | Progress::Public(..) | Progress::Answered(_) => [None, None],
    }
}

fn leak(place: LeakPlace, ctx: &mut Context) -> Box<Error> {
    if let Some(route) = &ctx.trail.route {
        route.metrics().leak(place);
    }
    refused(ctx, Refusal::Leak(place))
}
