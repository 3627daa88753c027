//! Builds the token endpoint: its clients, and the verifier of the tokens that they present.

use super::{Composer, Read};
use crate::{
    egress::Egress,
    exchange::EngineParts,
    policy::{ClientParts, Clients},
    settings::Building,
    store::Revocations,
    token::Audience,
    verify::{Directory, TrustedIssuer, UserIds, Verifier},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The components with which the token endpoint decides.
#[derive(Debug)]
pub(super) struct TokenEndpoint {
    /// The clients and their policies.
    pub(super) clients: Clients,
    /// Verifies subject and actor tokens.
    pub(super) verifier: Verifier,
}

impl Composer<'_> {
    /// Reads the directory and compiles the clients' policies.
    pub(super) fn token_endpoint(
        &self,
        read: &Read,
        engine: Option<&EngineParts>,
        issuers: &BTreeMap<String, Arc<TrustedIssuer>>,
        revocations: &Revocations,
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
        let trusted = read.trusted_issuers.iter();
        // an issuer with an invalid name may be meant to have another one
        let trusted = trusted.filter(|(_, issuer)| issuer.has_name());
        let names: BTreeSet<String> = trusted.map(|(_, issuer)| issuer.name.clone()).collect();
        let clients = building.within("clients", |b| {
            let parts = ClientParts {
                gateway: &engine.identity,
                lifetime: engine.lifetime,
                issuers: &names,
                listed_issuers: read.listed_issuers,
                directory: directory.as_ref(),
                directory_written: read.directory.is_some() || read.doubtful.contains("directory"),
                opaque: engine.opaque_keys.is_some(),
                stored: read.store.is_some() || read.doubtful.contains("store"),
                audiences: &audiences,
                clock: &self.surroundings.clock,
                egress: &egress,
            };
            Clients::build(&read.clients, b, &parts)
        });
        if let (Some(directory), Some(UserIds::Qualified)) = (&directory, clients.user_ids()) {
            // an issuer that could not be read may be the one that an id names
            let all_known = read.listed_issuers == names.len();
            let is_name = |name: &str| !all_known || names.contains(name);
            building.within("directory", |b| warn_of_bare_ids(&**directory, is_name, b));
        }
        let verifier = self.endpoint_verifier(engine, issuers, directory, &egress, revocations);
        Some(TokenEndpoint { clients, verifier })
    }

    fn endpoint_verifier(
        &self,
        engine: &EngineParts,
        issuers: &BTreeMap<String, Arc<TrustedIssuer>>,
        directory: Option<Arc<dyn Directory>>,
        egress: &Egress,
        revocations: &Revocations,
    ) -> Verifier {
        let clock = &self.surroundings.clock;
        let issuer = &engine.identity.issuer;
        let trusted = issuers.values().map(Arc::clone);
        let verifier = Verifier::new(trusted, issuer, revocations.clone(), Arc::clone(clock))
            .with_directory(directory);
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

/// Warns about user ids that no token can match: if clients accept several issuers, ids begin with the issuer's name.
fn warn_of_bare_ids(
    directory: &dyn Directory,
    is_name: impl Fn(&str) -> bool,
    building: &mut Building<'_>,
) {
    let is_bare = |id: &&str| {
        let prefix = id.split_once(':').map(|(name, _)| name);
        prefix.is_none_or(|name| !is_name(name))
    };
    let bare: Vec<&str> = directory.ids().into_iter().filter(is_bare).collect();
    let Some(first) = bare.first() else { return };
    building.within("file", |b| {
        b.findings.warn(
            format!("{} of its user ids contain no issuer name, e.g. {first:?}", bare.len()),
            "the clients accept several issuers, so user ids are <issuer name>:<sub>, and these match no user",
            "write the issuer's name and a colon in front of each id",
        );
    });
}
