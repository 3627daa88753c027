//! What routes are built from, besides their own settings.

use crate::{
    clock::SharedClock,
    exchange::{EngineParts, NamedExchanger},
    policy::ClientCeilings,
    store::Revocations,
    telemetry::Metrics,
    verify::TrustedIssuer,
};
use std::{collections::BTreeMap, sync::Arc};

/// The components from which routes are built.
#[derive(Debug)]
pub struct RouteDependencies<'a> {
    /// The trusted issuers by name.
    pub issuers: &'a BTreeMap<String, Arc<TrustedIssuer>>,
    /// The number of issuers in the file, including those that could not be built.
    pub listed_issuers: usize,
    /// The embedded engine. `None` if it could not be built, which was reported.
    pub engine: Option<&'a EngineParts>,
    /// The exchanger of the routes. `None` if it could not be built.
    pub exchanger: Option<&'a NamedExchanger>,
    /// The gateway itself as an issuer. `None` if it could not be built.
    pub own: Option<&'a Arc<TrustedIssuer>>,
    /// The ceilings of the calling applications.
    pub clients: &'a Arc<ClientCeilings>,
    /// What is revoked.
    pub revocations: &'a Revocations,
    /// The metrics of this process.
    pub metrics: &'a Metrics,
    /// The source of the current time.
    pub clock: &'a SharedClock,
}
