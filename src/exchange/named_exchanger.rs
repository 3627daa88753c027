//! The exchanger of a route.

use super::{
    accept::{AcceptProfile, IssuedToken},
    embedded::Embedded,
    error::ExchangeError,
    exchanger::Exchanger,
    response::TokenResponse,
};
use crate::{clock::UnixTime, policy::PermittedExchange, source::PresentedToken};
use std::{fmt, pin::Pin, sync::Arc};

/// The exchanger of a route, with its name in the configuration. Clones share it.
#[derive(Debug, Clone)]
pub struct NamedExchanger {
    name: Arc<str>,
    by: By,
}

#[derive(Debug, Clone)]
enum By {
    /// Called directly, so that an exchange without I/O needs no boxed future.
    Embedded(Arc<Embedded>),
    /// Any other exchanger. A boxed future costs little compared with a request to an identity provider.
    Other(Arc<dyn BoxedExchanger>),
}

/// [`Exchanger`] as a trait object.
trait BoxedExchanger: Send + Sync + fmt::Debug {
    fn exchange_boxed<'a>(
        &'a self,
        permitted: &'a PermittedExchange,
        presented: &'a PresentedToken,
    ) -> Pin<Box<dyn Future<Output = Result<TokenResponse, ExchangeError>> + Send + 'a>>;

    fn profile_of<'a>(&'a self, presented: &'a PresentedToken) -> AcceptProfile<'a>;
}

impl<E: Exchanger> BoxedExchanger for E {
    fn exchange_boxed<'a>(
        &'a self,
        permitted: &'a PermittedExchange,
        presented: &'a PresentedToken,
    ) -> Pin<Box<dyn Future<Output = Result<TokenResponse, ExchangeError>> + Send + 'a>> {
        Box::pin(self.exchange(permitted, presented))
    }

    fn profile_of<'a>(&'a self, presented: &'a PresentedToken) -> AcceptProfile<'a> {
        self.profile(presented)
    }
}

impl NamedExchanger {
    /// The name of the embedded engine, which every configuration has.
    pub const EMBEDDED: &'static str = "embedded";

    /// Names an exchanger. The name is the value of a metric label, so it must come from the configuration.
    pub fn new(name: &str, exchanger: impl Exchanger + 'static) -> Self {
        Self {
            name: name.into(),
            by: By::Other(Arc::new(exchanger)),
        }
    }

    /// The embedded engine, under its name.
    pub fn embedded(engine: Arc<Embedded>) -> Self {
        Self {
            name: Self::EMBEDDED.into(),
            by: By::Embedded(engine),
        }
    }

    /// The name: the `exchanger` label of metrics.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Performs the exchange. The response is not checked yet.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub async fn exchange(
        &self,
        permitted: &PermittedExchange,
        presented: &PresentedToken,
    ) -> Result<TokenResponse, ExchangeError> {
        match &self.by {
            By::Embedded(engine) => engine.exchange(permitted, presented).await,
            By::Other(exchanger) => exchanger.exchange_boxed(permitted, presented).await,
        }
    }

    /// Accepts the response to the exchange of `presented` by this exchanger's profile.
    ///
    /// # Errors
    /// [`ExchangeError`] says how the response exceeds what was permitted. It must not be used.
    pub fn accept(
        &self,
        permitted: PermittedExchange,
        response: TokenResponse,
        presented: &PresentedToken,
        now: UnixTime,
    ) -> Result<IssuedToken, ExchangeError> {
        let profile = match &self.by {
            By::Embedded(engine) => engine.profile(presented),
            By::Other(exchanger) => exchanger.profile_of(presented),
        };
        let accepted = IssuedToken::accept(permitted, response, profile, now);
        accepted.map_err(|error| profile.failure(error))
    }
}
