//! Whether the gateway can issue the form of token that a route asks for.

use crate::{
    exchange::EngineParts,
    policy::{AccessTokenForm, ExchangeSettings},
    settings::Building,
};

/// Opaque tokens are sealed: without keys for that there are none.
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
                "an opaque token is sealed with a key of the gateway's own",
                "write opaque_keys: [ { file: keys/opaque-1.key, generate: true } ] in issuer",
            );
        });
    });
}
