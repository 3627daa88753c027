//! The gateway's name at an issuer (`trusted_issuers[].known_as`, RFC 8693 §4.4).

use crate::settings::{Building, fingerprint};
use schemars::JsonSchema;
use serde::Deserialize;

/// The gateway's name at one issuer: the party that `may_act` must name.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KnownAsSettings {
    /// The expected `may_act.sub`, for example the gateway's client id at the issuer.
    #[schemars(length(min = 1))]
    pub sub: String,
}

fingerprint!(KnownAsSettings { fields: [sub] });

impl KnownAsSettings {
    pub(super) fn build(&self, building: &mut Building<'_>) -> Option<Box<str>> {
        if self.sub.is_empty() {
            building.within("sub", |b| {
                b.findings.error(
                    "expected the name of the gateway at the provider",
                    "write the may_act.sub of its tokens, e.g. gateway-app",
                );
            });
            return None;
        }
        Some(self.sub.as_str().into())
    }
}
