//! The TLS files that the configuration names.

use serde::Deserialize;
use std::path::PathBuf;

/// A listener's certificate.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerTlsSettings {
    /// PEM chain, the server's certificate first.
    pub certificate: PathBuf,
    /// PEM key (PKCS#8, SEC 1 or PKCS#1).
    pub private_key: PathBuf,
}

/// How a TLS server that the gateway calls is verified.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamTlsSettings {
    /// PEM certificates to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// PEM client certificate chain, with `private_key`.
    pub certificate: Option<PathBuf>,
    /// PEM key of the client certificate.
    pub private_key: Option<PathBuf>,
    /// The name to ask for (SNI) and to verify, where it is not the URL's host.
    pub server_name: Option<String>,
}
