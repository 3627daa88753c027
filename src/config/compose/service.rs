//! The token endpoint's part of a configuration: who its clients are, and by what their tokens are verified.

use super::{Composer, Read};
use crate::{
    egress::Egress,
    exchange::EngineParts,
    policy::{ClientParts, Clients},
    settings::Building,
    token::Audience,
    verify::{Directory, TokenEndpointVerifier, TrustedIssuer},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What the token endpoint decides with.
#[derive(Debug)]
pub(super) struct TokenEndpoint {
    /// The clients, and what each may do.
    pub(super) clients: Clients,
    /// Verifies subjects and actors.
    pub(super) verifier: TokenEndpointVerifier,
}

impl Composer<'_> {
    /// Reads the directory and compiles the clients' policies.
    pub(super) fn token_endpoint(
        &self,
        read: &Read,
        engine: Option<&EngineParts>,
        issuers: &BTreeMap<String, Arc<TrustedIssuer>>,
        building: &mut Building<'_>,
    ) -> Option<TokenEndpoint> {
        let directory = read
            .directory
            .as_ref()
            .and_then(|directory| building.within("directory", |b| directory.build(b)));
        let engine = engine?;
        let egress = Egress::new(self.surroundings.io.clone());
        let routed = read
            .routes
            .iter()
            .filter_map(|(_, route)| route.exchange.as_ref());
        let audiences: BTreeSet<Audience> =
            routed.map(|exchange| exchange.audience.clone()).collect();
        let clients = building.within("clients", |b| {
            let parts = ClientParts {
                gateway: &engine.identity,
                lifetime: engine.lifetime,
                issuers: read.listed_issuers,
                directory: directory.as_ref(),
                directory_written: read.directory.is_some(),
                opaque: engine.opaque_keys.is_some(),
                audiences: &audiences,
                clock: &self.surroundings.clock,
                egress: &egress,
            };
            Clients::build(&read.clients, b, &parts)
        });
        let verifier = self.endpoint_verifier(engine, issuers, directory, &egress);
        Some(TokenEndpoint { clients, verifier })
    }

    fn endpoint_verifier(
        &self,
        engine: &EngineParts,
        issuers: &BTreeMap<String, Arc<TrustedIssuer>>,
        directory: Option<Arc<dyn Directory>>,
        egress: &Egress,
    ) -> TokenEndpointVerifier {
        let clock = &self.surroundings.clock;
        let issuer = &engine.identity.issuer;
        let trusted = issuers.values().map(Arc::clone);
        let verifier = TokenEndpointVerifier::new(trusted, issuer, directory, Arc::clone(clock));
        let metrics = self.metrics.issuer(TrustedIssuer::OWN);
        match TrustedIssuer::own(issuer, &engine.keys, clock, egress, metrics) {
            Some(own) => {
                let reader = Arc::clone(&engine.reader);
                verifier.accepting_own(own, &engine.identity.actor, reader)
            }
            None => verifier,
        }
    }
}
