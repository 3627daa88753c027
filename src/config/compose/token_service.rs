//! The token service: what its endpoints work with.

use super::{Composer, Read, TokenEndpoint};
use crate::{
    exchange::EngineParts,
    gate::RateLimiter,
    store::{Revocations, Stores},
    sts::{Documents, Families, Introspection, Issuing, Revoking, ServiceParts, TokenService},
    telemetry::AuditLog,
};
use std::sync::Arc;

/// What the token service stands on.
pub(super) struct ServiceGround<'a> {
    pub(super) engine: &'a EngineParts,
    pub(super) store: Option<&'a Stores>,
    pub(super) revocations: &'a Revocations,
    pub(super) audit: &'a AuditLog,
}

impl<'a> ServiceGround<'a> {
    /// None where a part that it cannot do without has a mistake.
    pub(super) fn of(
        engine: Option<&'a EngineParts>,
        store: Option<&'a Stores>,
        revocations: &'a Revocations,
        audit: Option<&'a AuditLog>,
    ) -> Option<Self> {
        Some(Self {
            engine: engine?,
            store,
            revocations,
            audit: audit?,
        })
    }
}

impl Composer<'_> {
    /// Builds the service around what its token endpoint decides with.
    pub(super) fn token_service(
        &self,
        read: &Read,
        endpoint: TokenEndpoint,
        ground: &ServiceGround<'_>,
    ) -> TokenService {
        let (clock, engine) = (&self.surroundings.clock, ground.engine);
        let once = self.succession.once();
        let families = ground.store.zip(engine.opaque_keys.as_ref());
        let issuing = Issuing {
            clients: Arc::new(endpoint.clients),
            verifier: endpoint.verifier.heeding(Some(ground.revocations.clone())),
            engine: Arc::clone(&engine.engine),
            families: families.map(|(store, keys)| Families {
                store: store.clone(),
                keys: Arc::clone(keys),
                issuer: engine.identity.issuer.clone(),
                randomness: Arc::clone(&self.surroundings.randomness),
                clock: Arc::clone(clock),
            }),
            revocations: ground.revocations.clone(),
            audit: ground.audit.clone(),
            once: once.clone(),
            token_limit: read.limits.token.as_len(),
            clock: Arc::clone(clock),
        };
        let parts = ServiceParts {
            once,
            rates: RateLimiter::new(read.limits.token_service.requests_per_second, clock),
            issuing: Arc::new(issuing),
            introspection: Arc::new(Introspection::new(
                Arc::clone(&engine.reader),
                Arc::clone(&engine.keys),
                ground.revocations.clone(),
                Arc::clone(clock),
            )),
            revoking: Revoking {
                reader: Arc::clone(&engine.reader),
                store: ground.store.cloned(),
            },
            clock: Arc::clone(clock),
        };
        TokenService::new(Documents::of(engine), parts)
    }
}
