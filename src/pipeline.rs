//! The life of a request, on one screen.
//!
//! What enters is a request's head; what leaves is an [`Admission`], which holds the one thing that may be attached to
//! the request, or a [`Refusal`]. There is no third way, and none of the types on the way can be skipped:
//! `PresentedToken → SubjectToken → ExchangeRequest → PermittedExchange → TokenResponse → IssuedToken →
//! ForwardCredential`.

mod record;

use crate::{
    cache::{
        AuthorizationContext, CacheKey, ExchangeCache, ForwardCredential, Granted, Occasion,
        Renewal,
    },
    clock::SharedClock,
    error::Refusal,
    exchange::{ExchangeError, IssuedToken},
    gate::{CleanTarget, Gate},
    policy::ExchangeRequest,
    route::{Access, Protected, Public, Route, RouteTable},
    source::{self, Imprint, PresentedToken},
    telemetry::{CacheResult, LeakPlace, RequestId},
    token::TokenTypeUri,
};
use http::{header, request::Parts};
use std::{sync::Arc, time::Duration};

use record::Principal;
pub use record::Recorder;

/// Everything that a request meets before it may be forwarded.
#[derive(Debug)]
pub struct Pipeline {
    /// Refuses what is ambiguous.
    pub gate: Gate,
    /// Finds the route.
    pub routes: RouteTable,
    /// The longest token that is read, in bytes.
    pub token_limit: usize,
    /// Remembers exchanges.
    pub cache: ExchangeCache<Refusal>,
    /// Puts every exchange on record.
    pub recorder: Recorder,
    /// The time.
    pub clock: SharedClock,
}

/// What a request may be forwarded with.
#[derive(Debug)]
pub enum Admission {
    /// The credential that replaces what the client presented.
    Authorized(Box<Authorized>),
    /// The operator said that this route needs none.
    Public(Public),
}

/// A request whose token was exchanged.
#[derive(Debug)]
pub struct Authorized {
    /// What is attached.
    pub credential: ForwardCredential,
    presented: PresentedToken,
    key: CacheKey,
}

/// What is known of a request besides its admission, for the logs.
#[derive(Debug, Default)]
pub struct Trail {
    /// The route, once one is found.
    pub route: Option<Arc<Route>>,
    /// What the cache said.
    pub cache: Option<CacheResult>,
    /// How long the request waited for an exchange.
    pub exchange: Option<Duration>,
}

impl Pipeline {
    /// Takes a request from its head to what it may be forwarded with.
    ///
    /// # Errors
    /// The first stage that refuses.
    pub async fn admit(
        &self,
        head: &Parts,
        id: RequestId,
        trail: &mut Trail,
    ) -> Result<Admission, Refusal> {
        let target = self.gate.pass(head)?;
        let route = self
            .routes
            .find(&target, &head.method)
            .ok_or(Refusal::NoRoute)?;
        trail.route = Some(Arc::clone(route));
        let protected = match route.access() {
            Access::Public(public) => {
                keep_out_of_target(&source::imprints(&head.headers)?, head, &target, route)?;
                return Ok(Admission::Public(*public));
            }
            Access::Protected(protected) => protected,
        };
        let presented = source::bearer(&head.headers, target.query(), self.token_limit)?;
        let key = context(route, protected, &presented).key();
        let credential = match self.cache.hit(&key, protected.policy_generation).await {
            Ok(Some(credential)) => {
                trail.note(route, CacheResult::Hit);
                credential
            }
            Ok(None) => {
                self.exchange(
                    route,
                    protected,
                    &presented,
                    key,
                    Occasion::FirstUse,
                    id,
                    trail,
                )
                .await?
            }
            Err(refusal) => {
                trail.note(route, CacheResult::Negative);
                return Err(refusal);
            }
        };
        keep_out_of_target(credential.presented().as_slice(), head, &target, route)?;
        Ok(Admission::Authorized(Box::new(Authorized {
            credential,
            presented,
            key,
        })))
    }

    /// Replaces a credential that the downstream refused by a fresh one.
    ///
    /// # Errors
    /// The refusal of the new exchange; `None` where another exchange would be pointless.
    pub async fn renew(
        &self,
        authorized: &mut Authorized,
        id: RequestId,
        trail: &mut Trail,
    ) -> Option<Result<(), Refusal>> {
        let route = trail.route.clone()?;
        let Access::Protected(protected) = route.access() else {
            return None;
        };
        if self
            .cache
            .refused_by_downstream(&authorized.key, &authorized.credential)
            .await
            == Renewal::Pointless
        {
            return None;
        }
        let renewed = self
            .exchange(
                &route,
                protected,
                &authorized.presented,
                authorized.key,
                Occasion::DownstreamRefused,
                id,
                trail,
            )
            .await;
        Some(renewed.map(|credential| authorized.credential = credential))
    }

    #[allow(clippy::too_many_arguments)] // each is one stage's product; a struct of them would have no name
    async fn exchange(
        &self,
        route: &Arc<Route>,
        protected: &Protected,
        presented: &PresentedToken,
        key: CacheKey,
        occasion: Occasion,
        id: RequestId,
        trail: &mut Trail,
    ) -> Result<ForwardCredential, Refusal> {
        let started = self.clock.instant();
        let cold = cold(
            Arc::clone(route),
            protected.clone(),
            presented.clone(),
            self.recorder.clone(),
            Arc::clone(&self.clock),
            id,
        );
        let exchanged = self
            .cache
            .exchange_once(key, presented, occasion, cold)
            .await;
        trail.exchange = Some(self.clock.instant().saturating_duration_since(started));
        let Granted { credential, result } =
            exchanged.inspect_err(|_| trail.note(route, CacheResult::Miss))?;
        trail.note(route, result);
        Ok(credential)
    }
}

/// One exchange: proves the token, narrows it, has it replaced, and puts that on record.
async fn cold(
    route: Arc<Route>,
    stages: Protected,
    presented: PresentedToken,
    recorder: Recorder,
    clock: SharedClock,
    id: RequestId,
) -> Result<IssuedToken, Refusal> {
    let started = clock.instant();
    let mut principal = None;
    let steps = async {
        let subject = stages.verifier.verify(&presented).await?;
        principal = Some(Principal::of(&subject));
        let permitted = stages
            .policy
            .permit(ExchangeRequest::new(subject), clock.now())?;
        let response = stages.exchange.exchange(&permitted).await?;
        let issued =
            IssuedToken::accept(permitted, response, stages.exchange.issuer(), clock.now())
                .map_err(ExchangeError::from)?;
        recorder.issued(&route, id, &issued)?;
        Ok(issued)
    };
    let result = steps.await;
    let took = clock.instant().saturating_duration_since(started);
    recorder.ended(&route, id, principal.as_ref(), &result, took);
    result
}

fn context<'a>(
    route: &'a Route,
    protected: &Protected,
    presented: &'a PresentedToken,
) -> AuthorizationContext<'a> {
    AuthorizationContext {
        route: route.name(),
        operation: "",
        policy_generation: protected.policy_generation,
        token_type: TokenTypeUri::AccessToken,
        presented,
        actor: None,
        confirmation: None,
    }
}

/// The request line is forwarded as it came, and so is the host, as X-Forwarded-Host: a copy of the token in them would
/// reach the downstream and its logs.
fn keep_out_of_target<I: std::borrow::Borrow<Imprint>>(
    presented: &[I],
    head: &Parts,
    target: &CleanTarget<'_>,
    route: &Route,
) -> Result<(), Refusal> {
    let authority = head.uri.authority().map(|authority| authority.as_str());
    let host = head.headers.get(header::HOST).map(|host| host.as_bytes());
    let parts = [
        head.method.as_str().as_bytes(),
        target.path().as_bytes(),
        target.query().unwrap_or_default().as_bytes(),
        authority.unwrap_or_default().as_bytes(),
        host.unwrap_or_default(),
    ];
    let repeats = |imprint: &I| parts.iter().any(|part| imprint.borrow().is_in(part));
    if presented.iter().any(repeats) {
        route.metrics().leak(LeakPlace::RequestTarget);
        return Err(Refusal::TokenInTarget);
    }
    Ok(())
}

impl Trail {
    fn note(&mut self, route: &Route, result: CacheResult) {
        route.metrics().cache(result);
        self.cache = Some(result);
    }
}
