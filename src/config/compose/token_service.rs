//! Builds the token service and the components that its endpoints use.

use super::{Composer, Read, TokenEndpoint};
use crate::{
    admin::{Ends, KeyIds, Known, KnownIssuer, OwnTokens, RefreshTokens},
    exchange::EngineParts,
    rate_limit::RateLimiter,
    store::{RevocationKey, Revocations, Stores},
    sts::{Documents, Families, Introspection, Issuing, Revoking, ServiceParts, TokenService},
    telemetry::AuditLog,
    token::RawToken,
    verify::TrustedIssuer,
};
use std::{collections::BTreeMap, sync::Arc};

/// The components that the token service depends on.
pub(super) struct ServiceGround<'a> {
    pub(super) engine: &'a EngineParts,
    pub(super) store: Option<&'a Stores>,
    pub(super) revocations: &'a Revocations,
    pub(super) audit: &'a AuditLog,
}

impl<'a> ServiceGround<'a> {
    /// Returns `None` if a required component has a mistake.
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
    /// Builds the service from its token endpoint.
    pub(super) fn token_service(
        &self,
        read: &Read,
        endpoint: TokenEndpoint,
        ground: &ServiceGround<'_>,
    ) -> TokenService {
        let (clock, engine) = (&self.surroundings.clock, ground.engine);
        let once = self.succession.once().kept_in(ground.store.cloned());
        let issuing = Issuing {
            clients: Arc::new(endpoint.clients),
            verifier: endpoint.verifier,
            issuer: engine.token_issuer.clone(),
            families: self.families(engine, ground.store),
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

    /// Returns `None` if there is no store for the families, or no key to seal them.
    fn families(&self, engine: &EngineParts, store: Option<&Stores>) -> Option<Families> {
        let (store, keys) = store.zip(engine.opaque_keys.as_ref())?;
        Some(Families {
            store: store.clone(),
            keys: Arc::clone(keys),
            issuer: engine.identity.issuer.clone(),
            randomness: Arc::clone(&self.surroundings.randomness),
            clock: Arc::clone(&self.surroundings.clock),
        })
    }

    /// Returns the readers of the gateway's own tokens, for revocations by operators.
    pub(super) fn own_tokens(
        &self,
        engine: Option<&EngineParts>,
        store: Option<&Stores>,
    ) -> OwnTokens {
        let families = engine.and_then(|engine| self.families(engine, store));
        OwnTokens {
            reader: engine.map(|engine| Arc::clone(&engine.reader)),
            families: families.map(|families| Arc::new(families) as Arc<dyn RefreshTokens>),
        }
    }
}

/// Returns the names that a revocation may use: all issuers and clients in the configuration.
pub(super) fn known_to_revoke(
    read: &Read,
    engine: Option<&EngineParts>,
    issuers: &BTreeMap<String, Arc<TrustedIssuer>>,
) -> Known {
    let trusted = issuers.values().map(|issuer| KnownIssuer {
        name: Some(issuer.name().into()),
        url: issuer.url().into(),
        keys: Arc::clone(issuer) as Arc<dyn KeyIds>,
    });
    let own = engine.map(|engine| KnownIssuer {
        name: None,
        url: (*engine.identity.issuer).into(),
        keys: Arc::new(
            engine
                .keys
                .iter()
                .map(|key| Box::from(key.kid()))
                .collect::<Vec<Box<str>>>(),
        ),
    });
    let listed = read.clients.iter().map(|(_, client)| client.id.clone());
    let routed = read.routes.iter().filter_map(|(_, route)| {
        let exchange = route.exchange.as_ref()?;
        exchange.clients.clone()
    });
    Known {
        issuers: trusted.chain(own).collect(),
        clients: listed.chain(routed.flatten()).collect(),
    }
}

impl RefreshTokens for Families {
    fn family(&self, token: &RawToken) -> Option<RevocationKey> {
        self.key_of(token)
    }

    fn ends<'a>(&'a self, token: &'a RawToken) -> Ends<'a> {
        Box::pin(self.ends_of(token))
    }
}
