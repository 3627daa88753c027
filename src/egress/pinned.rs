//! TLS to a server whose certificate is in a local file: the gateway's own admin listener, for its commands.
//!
//! Exactly this certificate is trusted, regardless of its names and issuer, because only the gateway has its key.

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
};
use rustls_pki_types::{
    CertificateDer, ServerName, UnixTime,
    pem::{self, PemObject},
};
use std::{path::Path, sync::Arc};
use thiserror::Error;

/// TLS to a server with one specific certificate.
#[derive(Debug, Clone)]
pub struct PinnedTls(ClientConfig);

/// The reason why the certificate could not be loaded.
#[derive(Debug, Error)]
pub enum PinnedTlsError {
    /// The file cannot be read, or contains no certificate.
    #[error("{0}")]
    Certificate(#[from] pem::Error),
    /// The program has not installed a cryptography provider.
    #[error("TLS is not set up")]
    NoTls(#[source] Option<Error>),
}

impl PinnedTls {
    /// Trusts only the first certificate in the PEM file at `path`.
    ///
    /// # Errors
    /// [`PinnedTlsError`].
    pub fn read(path: &Path) -> Result<Self, PinnedTlsError> {
        let certificate = CertificateDer::from_pem_file(path)?;
        let provider = CryptoProvider::get_default().ok_or(PinnedTlsError::NoTls(None))?;
        let verifier = Pinned {
            certificate,
            provider: Arc::clone(provider),
        };
        let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| PinnedTlsError::NoTls(Some(error)))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        // the address is known, and its name in a URL is not the server's
        config.enable_sni = false;
        Ok(Self(config))
    }

    pub(super) fn config(&self) -> &ClientConfig {
        &self.0
    }
}

#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        presented: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *presented == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::UnknownIssuer.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
