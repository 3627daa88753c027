//! The `admin` section of the configuration.

use crate::settings::{Building, Secret, SecretSettings, listen_address, socket_address};
use schemars::JsonSchema;
use serde::Deserialize;
use std::net::{Ipv4Addr, SocketAddr};

/// The operator's listener: `/metrics`, `/healthz` and `/readyz`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdminSettings {
    /// Address and port; port 0 takes a free one, which the log names.
    #[schemars(schema_with = "listen_address")]
    #[serde(deserialize_with = "socket_address")]
    pub address: SocketAddr,
    /// What a caller must present as a bearer token; required where the address is not loopback. Without it
    /// `/healthz` and `/readyz` still say yes or no.
    pub token: Option<SecretSettings>,
}

/// Admin settings that were found sound.
#[derive(Debug)]
pub struct AdminTerms {
    /// Where to listen.
    pub address: SocketAddr,
    pub(super) token: Option<Secret>,
}

impl AdminTerms {
    /// What a caller must present, for the one command that is such a caller.
    pub fn expose_token(&self) -> Option<&[u8]> {
        self.token.as_ref().map(Secret::expose)
    }
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 9090)),
            token: None,
        }
    }
}

impl AdminSettings {
    /// Reads the token; a finding where the listener could be reached from elsewhere and has none.
    pub fn build(&self, building: &mut Building<'_>) -> Option<AdminTerms> {
        let token = match &self.token {
            Some(settings) => Some(building.within("token", |building| settings.build(building))?),
            None => None,
        };
        if token.is_none() && !self.address.ip().to_canonical().is_loopback() {
            building.findings.within("address", |findings| {
                findings.error_because(
                    format!("{} can be reached from other machines", self.address),
                    "the admin listener tells who uses the gateway and how",
                    "write 127.0.0.1 as the address, or name a token: { env: ADMIN_TOKEN }",
                );
            });
            return None;
        }
        Some(AdminTerms {
            address: self.address,
            token,
        })
    }
}
