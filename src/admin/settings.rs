//! The `admin` section of the configuration.

use super::tokens::Tokens;
use crate::settings::{
    Building, Secret, SecretSettings, fingerprint, listen_address, socket_address,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};
use subtle::ConstantTimeEq;

/// The operator's listener. It serves `/metrics`, `/healthz`, `/readyz` and `/revocations`. It does not serve routes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdminSettings {
    /// Address and port to listen on. Port 0 selects a free port, which the log reports.
    #[schemars(schema_with = "listen_address")]
    #[serde(deserialize_with = "socket_address")]
    pub address: SocketAddr,
    /// The bearer token for all requests to this listener, at least 16 characters. Set either this or `tokens`. One
    /// of them is required if the address is not loopback. Requests without the token still get the status of
    /// `/healthz` and `/readyz`, without details.
    pub token: Option<SecretSettings>,
    /// Separate bearer tokens for reading and revoking, instead of one `token`. A metrics scraper can then not revoke
    /// anything.
    pub tokens: Option<AdminTokensSettings>,
    /// The listener's certificate. Without it the listener serves plain http. Required if the address is not
    /// loopback, unless `insecure: true` is set.
    pub tls: Option<AdminTlsSettings>,
    /// Allows plain http on an address that is not loopback. Anyone on the network path can then read the admin
    /// tokens and use them.
    pub insecure: bool,
}

fingerprint!(AdminSettings {
    without: { [address, token, tokens, tls, insecure]: "are about another listener" },
});

/// The certificate of the admin listener. The commands `revoke` and `explain` trust exactly this certificate,
/// regardless of the host names in it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminTlsSettings {
    /// A PEM file with the certificate chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// A PEM file with the private key of the certificate (PKCS#8, SEC 1 or PKCS#1).
    pub private_key: PathBuf,
}

/// One bearer token per purpose, each at least 16 characters. Neither token can be used for the other purpose.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminTokensSettings {
    /// Token for reading metrics, health and decisions, and for listing revocations.
    pub read: SecretSettings,
    /// Token for creating and lifting revocations.
    pub revoke: SecretSettings,
}

/// Admin settings that were checked.
#[derive(Debug)]
pub struct AdminTerms {
    /// The address to listen on.
    pub address: SocketAddr,
    pub(super) tokens: Tokens,
}

/// Minimum length of an admin token in bytes: 16 random letters have too many values to try.
const SHORTEST_TOKEN: usize = 16;

impl AdminTerms {
    /// Returns the token for reading, for the commands that call the admin listener.
    pub fn expose_read_token(&self) -> Option<&[u8]> {
        match &self.tokens {
            Tokens::None => None,
            Tokens::One(token) => Some(token.expose()),
            Tokens::Separate { read, .. } => Some(read.expose()),
        }
    }

    /// Returns the token for revoking, for the commands that call the admin listener.
    pub fn expose_revoke_token(&self) -> Option<&[u8]> {
        match &self.tokens {
            Tokens::None => None,
            Tokens::One(token) => Some(token.expose()),
            Tokens::Separate { revoke, .. } => Some(revoke.expose()),
        }
    }
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 9090)),
            token: None,
            tokens: None,
            tls: None,
            insecure: false,
        }
    }
}

impl AdminSettings {
    /// Reads the tokens. Reports an error if other machines can reach the listener without a token or without TLS.
    pub fn build(&self, building: &mut Building<'_>) -> Option<AdminTerms> {
        let is_private = self.address.ip().to_canonical().is_loopback();
        let is_readable = is_private || self.check_encryption(building);
        let tokens = self.tokens(building)?;
        if matches!(tokens, Tokens::None) && !is_private {
            building.findings.within("address", |findings| {
                findings.error_because(
                    format!("{} can be reached from other machines", self.address),
                    "the admin listener shows who uses the gateway and how",
                    "write 127.0.0.1 as the address, or set token: { env: ADMIN_TOKEN }",
                );
            });
            return None;
        }
        is_readable.then_some(AdminTerms {
            address: self.address,
            tokens,
        })
    }

    /// Returns `true` if other machines cannot read the tokens on the network, or if the operator allows plain http.
    fn check_encryption(&self, building: &mut Building<'_>) -> bool {
        const WHY: &str = "anyone on the network path can read the admin tokens and use them";
        if self.tls.is_some() {
            return true;
        }
        let what = format!("{} serves plain http to other machines", self.address);
        building
            .findings
            .within("address", |findings| match self.insecure {
                true => findings.warn(
                    what,
                    WHY,
                    "write tls, unless you trust everyone on the network",
                ),
                false => findings.error_because(
                    what,
                    WHY,
                    "write tls: { certificate, private_key }, or insecure: true if that is meant",
                ),
            });
        self.insecure
    }

    fn tokens(&self, building: &mut Building<'_>) -> Option<Tokens> {
        match (&self.token, &self.tokens) {
            (None, None) => Some(Tokens::None),
            (Some(token), None) => {
                let token = building.within("token", |b| read_token(token, b))?;
                Some(Tokens::One(token))
            }
            (None, Some(tokens)) => building.within("tokens", |b| tokens.build(b)),
            (Some(_), Some(_)) => {
                building.within("tokens", |b| {
                    b.findings.error(
                        "token and tokens are both set",
                        "keep token (one token for everything) or tokens (one token per purpose)",
                    );
                });
                None
            }
        }
    }
}

impl AdminTokensSettings {
    fn build(&self, building: &mut Building<'_>) -> Option<Tokens> {
        let read = building.within("read", |b| read_token(&self.read, b));
        let revoke = building.within("revoke", |b| read_token(&self.revoke, b));
        let (read, revoke) = (read?, revoke?);
        if bool::from(read.expose().ct_eq(revoke.expose())) {
            building.within("revoke", |b| {
                b.findings.error_because(
                    "the same token as for reading",
                    "anyone who scrapes metrics could revoke tokens",
                    "store two different tokens, or write one `token`",
                );
            });
            return None;
        }
        Some(Tokens::Separate { read, revoke })
    }
}

fn read_token(settings: &SecretSettings, building: &mut Building<'_>) -> Option<Secret> {
    let token = settings.build(building)?;
    let length = token.expose().len();
    if length < SHORTEST_TOKEN {
        building.findings.error_because(
            format!("expected a token of {SHORTEST_TOKEN} bytes or more, found {length}"),
            "a short token can be guessed",
            "store a random one, e.g. from `openssl rand -hex 32`",
        );
        return None;
    }
    Some(token)
}
