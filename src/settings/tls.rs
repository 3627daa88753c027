//! The TLS files that the configuration names.

use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

/// A listener's certificate.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerTlsSettings {
    /// A PEM file: the certificate chain, the server's own first.
    pub certificate: PathBuf,
    /// A PEM file with its key (PKCS#8, SEC 1 or PKCS#1).
    pub private_key: PathBuf,
}

/// How a TLS server that the gateway calls is verified.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamTlsSettings {
    /// A PEM file with the certificates to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// A PEM file with the gateway's client certificate chain; needs `private_key`.
    pub certificate: Option<PathBuf>,
    /// A PEM file with the key of the client certificate.
    pub private_key: Option<PathBuf>,
    /// The name to ask for (SNI) and to verify, where it is not the URL's host.
    pub server_name: Option<String>,
}
