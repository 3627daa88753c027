//! The check that the gateway can issue the token format of a route.

use crate::{
    exchange::EngineParts,
    policy::{AccessTokenForm, ExchangeSettings},
    settings::Building,
};

/// Opaque tokens require keys to seal them.
pub(super) fn check(
    settings: &ExchangeSettings,
    engine: &EngineParts,
    building: &mut Building<'_>,
) {
    if settings.token.format == AccessTokenForm::Jwt || engine.opaque_keys.is_some() {
        return;
    }
    building.within("token", |b| {
        b.within("format", |b| {
            b.findings.error_because(
                "opaque needs issuer.opaque_keys",
                "opaque tokens are sealed with these keys",
                "write opaque_keys: [ { file: keys/opaque-1.key, generate: true } ] in issuer",
            );
        });
    });
}
