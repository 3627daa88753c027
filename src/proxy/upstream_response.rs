//! Handles responses of the upstream: measures them, searches them for tokens, and repeats a request whose token was
//! refused.

use super::{
    Serving,
    context::{Context, RequestState, refused},
    cors,
    fault::{Failure, Stage},
    hygiene::{Follows, Look, Unfit, Unreadable, check_framing, clean_response, lead_back},
    media,
};
use crate::{
    edge::lease::{Lease, Phase},
    error::{Refusal, UpstreamFault},
    pipeline::Forward,
    source::TokenNeedle,
    telemetry::{LeakPlace, StatusClass},
};
use http::{HeaderMap, StatusCode, header};
use pingora::{Error, ErrorType, Result, http::ResponseHeader, proxy::Session};
use std::{hint::cold_path, time::Duration};

impl Serving {
    pub(super) fn observe_upstream(&self, status: StatusCode, ctx: &mut Context) {
        let now = ctx.hooks.clock.instant();
        let took = ctx
            .sent
            .map_or(Duration::ZERO, |sent| now.saturating_duration_since(sent));
        ctx.upstream = Some(took);
        if let Some(route) = &ctx.record.route {
            route
                .metrics()
                .upstream(StatusClass::of(status.as_u16()), took);
        }
    }

    /// Handles a token that the upstream refused: makes one fresh exchange and repeats the request once, if it is
    /// repeatable.
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
        let RequestState::Forwarding(Forward::OnBehalfOf(proof)) = &mut ctx.state else {
            return refused(ctx, Refusal::Fault);
        };
        let head = session.req_header();
        let renewed = ctx
            .hooks
            .pipeline
            .renew(head, ctx.id, proof, &mut ctx.record)
            .await;
        match renewed {
            None => refused(ctx, UpstreamFault::Unauthorized.into()),
            Some(Err(refusal)) => refused(ctx, refusal),
            Some(Ok(())) => {
                ctx.renewed = true;
                ctx.repeat = true;
                Error::explain(
                    ErrorType::HTTPStatus(502),
                    "repeating the request with a new token",
                )
            }
        }
    }

    /// Turns the head of the upstream's response into the head that the client receives.
    ///
    /// # Errors
    /// The head can be read in more than one way, or contains a token.
    pub(super) fn pass_head(
        &self,
        session: &Session,
        head: &mut ResponseHeader,
        ctx: &mut Context,
    ) -> Result<()> {
        let look = Look::at(&head.headers, tokens(ctx))
            .map_err(|unfit| self.unfit(unfit, LeakPlace::ResponseHead, ctx))?;
        let method = &session.req_header().method;
        let (follows, repair) = check_framing(head, method, look.coding, look.length)
            .map_err(|unreadable| self.unreadable(unreadable, ctx))?;
        if head.status.is_informational() && head.status != StatusCode::SWITCHING_PROTOCOLS {
            cold_path();
            ctx.informational = ctx.informational.saturating_add(1);
            if ctx.informational > MOST_INFORMATIONAL {
                return Err(self.unreadable(Unreadable::Informational, ctx));
            }
        } else {
            ctx.stage = Stage::Body;
            if let Some(lease) = &ctx.lease {
                lease.head_came();
            }
        }
        let terms = ctx.record.route.as_ref().and_then(|r| r.response_rules());
        let terms = terms.map(|terms| (terms, cors::origin(session)));
        ctx.phase = match media::is_stream_type(look.media_type) {
            true => Phase::Stream,
            false => Phase::Body,
        };
        let (leads, drops) = (look.leads, look.drops());
        repair.apply(head);
        clean_response(head, ctx.id, terms, drops);
        if (follows, ctx.phase) == (Follows::Body, Phase::Body) {
            // if the upstream fails before it sends any of the body, the gateway sends a response of its own
            Lease::hold_head();
        }
        if let (true, Some(route)) = (leads, &ctx.record.route) {
            lead_back(head, route, || asked_host(session));
        }
        Ok(())
    }

    /// Turns the trailers of the upstream's response into the trailers that the client receives.
    ///
    /// # Errors
    /// They contain a token.
    pub(super) fn pass_trailers(&self, trailers: &mut HeaderMap, ctx: &mut Context) -> Result<()> {
        let drops = Look::at(trailers, tokens(ctx))
            .map(Look::drops)
            .map_err(|unfit| self.unfit(unfit, LeakPlace::ResponseTrailer, ctx))?;
        drops.take_out_of(trailers);
        Ok(())
    }

    #[cold]
    fn unfit(&self, unfit: Unfit, place: LeakPlace, ctx: &mut Context) -> Box<Error> {
        match unfit {
            Unfit::RepeatsToken => leak(place, ctx),
            Unfit::Unreadable(unreadable) => self.unreadable(unreadable, ctx),
        }
    }

    #[cold]
    fn unreadable(&self, unreadable: Unreadable, ctx: &mut Context) -> Box<Error> {
        ctx.failure = Some(Failure::of(unreadable.as_str()));
        refused(ctx, UpstreamFault::Framing.into())
    }
}

/// More than any server sends: one for each early hint, and a 102 every few seconds of a long operation.
const MOST_INFORMATIONAL: u8 = 16;

/// Returns the host that the client named.
fn asked_host(session: &Session) -> Option<&str> {
    let head = session.req_header();
    let field = || head.headers.get(header::HOST)?.to_str().ok();
    head.uri
        .authority()
        .map(|name| name.as_str())
        .or_else(field)
}

/// Returns the tokens that the upstream must not send to the client.
fn tokens(ctx: &Context) -> [Option<&TokenNeedle>; 2] {
    match ctx.credential() {
        Some(credential) => [credential.issued(), credential.presented()],
        None => [None, None],
    }
}

fn leak(place: LeakPlace, ctx: &mut Context) -> Box<Error> {
    if let Some(route) = &ctx.record.route {
        route.metrics().leak(place);
    }
    refused(ctx, Refusal::Leak(place))
}
