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
    /// A PEM file with the authorities that clients' certificates may come from; clients are asked for none without it.
    pub client_ca: Option<PathBuf>,
    /// Whether a client must have a certificate where `client_ca` is written: `required`, the default, or `optional`. One
    /// that is presented is verified either way.
    pub client_certificates: Option<ClientCertificates>,
}

/// Whether clients must have a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientCertificates {
    /// Those without one get in too.
    Optional,
    /// The handshake fails without one.
    Required,
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
