//! The TLS files that the configuration names.

use super::fingerprint;
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

/// A listener's certificate, and the client certificates that it accepts.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerTlsSettings {
    /// A PEM file with the certificate chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// A PEM file with the private key of the certificate (PKCS#8, SEC 1 or PKCS#1).
    pub private_key: PathBuf,
    /// A PEM file with the CA certificates that client certificates are verified against. Without it the listener
    /// does not request client certificates.
    pub client_ca: Option<PathBuf>,
    /// Whether clients must present a certificate. Requires `client_ca`. Default: `required`. A certificate that is
    /// presented is always verified.
    pub client_certificates: Option<ClientCertificates>,
}

/// Whether clients must present a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientCertificates {
    /// Clients without a certificate are accepted too.
    Optional,
    /// The TLS handshake fails without a certificate.
    Required,
}

/// How the gateway verifies an upstream's TLS certificate, and its own client certificate.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamTlsSettings {
    /// A PEM file with the CA certificates to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// A PEM file with the gateway's client certificate chain. Requires `private_key`. Default: no client
    /// certificate.
    pub certificate: Option<PathBuf>,
    /// A PEM file with the private key of the client certificate.
    pub private_key: Option<PathBuf>,
    /// The name for SNI and certificate verification. Default: the host of the URL.
    pub server_name: Option<String>,
}

fingerprint!(UpstreamTlsSettings {
    fields: [server_name],
    files: [ca, certificate, private_key],
});
