//! An exchanger that responds from a script, in the place of an identity provider.

use crate::properties::subject::GATEWAY;
use obo_gateway::{
    exchange::{
        AcceptProfile, ActorRule, ExchangeError, Exchanger, LongerLived, ProviderProfile,
        Readability, TokenResponse, TokenType, WithoutExpiry,
    },
    policy::PermittedExchange,
    source::PresentedToken,
    token::{ScopeSet, TokenTypeUri},
};
use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

pub const PROVIDER: &str = "https://sso.example.com";

type Script =
    dyn FnMut(&PermittedExchange, &PresentedToken) -> Result<TokenResponse, ExchangeError> + Send;

/// Responds from a script, and accepts its own responses by `profile`. Clones share the script.
#[derive(Clone)]
pub struct Scripted {
    profile: Arc<ProviderProfile>,
    script: Arc<Mutex<Box<Script>>>,
    exchanges: Arc<AtomicUsize>,
}

impl Scripted {
    pub fn new(
        profile: ProviderProfile,
        script: impl FnMut(&PermittedExchange, &PresentedToken) -> Result<TokenResponse, ExchangeError>
        + Send
        + 'static,
    ) -> Self {
        Self {
            profile: Arc::new(profile),
            script: Arc::new(Mutex::new(Box::new(script))),
            exchanges: Arc::default(),
        }
    }

    /// Returns the number of exchanges so far.
    pub fn exchanges(&self) -> usize {
        self.exchanges.load(Ordering::SeqCst)
    }

    /// Replaces the script.
    pub fn respond(
        &self,
        script: impl FnMut(&PermittedExchange, &PresentedToken) -> Result<TokenResponse, ExchangeError>
        + Send
        + 'static,
    ) {
        *self.script.lock().unwrap() = Box::new(script);
    }
}

impl Exchanger for Scripted {
    async fn exchange(
        &self,
        permitted: &PermittedExchange,
        presented: &PresentedToken,
    ) -> Result<TokenResponse, ExchangeError> {
        // like a request to a provider, the exchange is suspended before it has a result
        tokio::task::yield_now().await;
        self.exchanges.fetch_add(1, Ordering::SeqCst);
        let mut script = self.script.lock().unwrap();
        script(permitted, presented)
    }

    fn profile<'a>(&'a self, presented: &'a PresentedToken) -> AcceptProfile<'a> {
        AcceptProfile::provider(&self.profile, presented)
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripted").finish_non_exhaustive()
    }
}

/// A provider whose tokens the gateway may or may not be able to read.
pub fn profile() -> ProviderProfile {
    ProviderProfile {
        issuer: PROVIDER.into(),
        gateway: GATEWAY.into(),
        readability: Readability::Optional,
        audience: None,
        issued_token_types: vec![TokenTypeUri::AccessToken, TokenTypeUri::Jwt],
        token_types: vec![TokenType::Bearer],
        tolerates: ScopeSet::parse("profile").unwrap(),
        actor: ActorRule::MayBeLost,
        longer_lived: LongerLived::Cap,
        without_expiry: WithoutExpiry::Refuse,
    }
}
