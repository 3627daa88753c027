//! The gateway's own tokens that a route accepts as subject tokens (`chain.accept_own`).

use super::RouteDependencies;
use crate::{
    exchange::EngineParts,
    policy::ExchangeSettings,
    settings::Building,
    token::Audience,
    verify::{Origins, OwnTokens},
};
use std::sync::Arc;

/// Accepts own tokens with the audience `issuer.url` or the route's `resource`. Returns `None` if the route accepts
/// none.
pub(super) fn own_tokens(
    settings: &ExchangeSettings,
    resource: Option<&str>,
    engine: &EngineParts,
    building: &mut Building<'_>,
    parts: &RouteDependencies<'_>,
) -> Option<OwnTokens> {
    if !settings.chain.accept_own {
        return None;
    }
    let Some(issuer) = parts.own else {
        building.within("chain", |b| {
            b.within("accept_own", |b| {
                b.findings.error(
                    "none of the gateway's keys can verify the tokens that it signs",
                    "replace issuer.signing_keys",
                );
            });
        });
        return None;
    };
    let names = [Some(&*engine.identity.issuer), resource];
    let audiences = names
        .into_iter()
        .flatten()
        .filter_map(|name| Audience::parse(name).ok());
    let origins = if parts.listed_issuers == 1 {
        Origins::Sole
    } else {
        Origins::Several
    };
    let own = OwnTokens::addressed_to(
        Arc::clone(issuer),
        audiences.collect(),
        &engine.identity.actor,
        origins,
    );
    Some(own.read_by(Arc::clone(&engine.reader)))
}
