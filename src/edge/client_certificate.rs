//! Client certificates: creates an acceptor that verifies them against the authorities in a PEM file, and attaches the
//! verified certificate to every request of the connection.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use pingora::listeners::TlsAccept;
use pingora::listeners::tls::{Acceptor, TlsSettings};
use pingora::protocols::ALPN;
use pingora::protocols::tls::TlsRef;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::{http2::Http2, tls_error::TlsError};
use crate::settings::ClientCertificates;

/// The authorities whose client certificates are accepted, and whether a certificate is required.
pub struct ClientTrust {
    roots: Arc<RootCertStore>,
    certificates: ClientCertificates,
    file: std::path::PathBuf,
}

/// The certificate of a client in DER, verified in the handshake.
pub(crate) struct ClientCertificate(Arc<[u8]>);

impl ClientTrust {
    /// Reads the authorities from a PEM file.
    ///
    /// # Errors
    /// The file cannot be read or contains no authority.
    pub fn read(file: &Path, certificates: ClientCertificates) -> Result<Self, TlsError> {
        let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
        let read: Vec<_> = read.map_err(|cause| TlsError::ClientCa {
            file: file.to_owned(),
            cause,
        })?;
        let mut roots = RootCertStore::empty();
        let (added, ignored) = roots.add_parsable_certificates(read);
        if added == 0 || ignored > 0 {
            return Err(TlsError::NoClientCa {
                file: file.to_owned(),
            });
        }
        Ok(Self {
            roots: Arc::new(roots),
            certificates,
            file: file.to_owned(),
        })
    }

    /// Creates an acceptor with the server certificate `own`. pingora keeps a client's certificate only if it builds
    /// the acceptor itself. With a certificate resolver it reads no file, so it cannot panic on an invalid one.
    pub(super) fn acceptor(
        &self,
        own: CertifiedKey,
        http2: Http2,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Acceptor, TlsError> {
        let roots = Arc::clone(&self.roots);
        let provider = Arc::clone(provider);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
        let verifier = match self.certificates {
            ClientCertificates::Optional => verifier.allow_unauthenticated(),
            ClientCertificates::Required => verifier,
        };
        let unusable = || TlsError::NoClientCa {
            file: self.file.clone(),
        };
        let verifier = verifier.build().map_err(|_| unusable())?;
        let mut settings =
            TlsSettings::with_callbacks(Box::new(KeepCertificate)).map_err(|_| unusable())?;
        settings.set_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
        settings.set_client_cert_verifier(verifier);
        settings.set_alpn(match http2 {
            Http2::Offered => ALPN::H2H1,
            Http2::Off => ALPN::H1,
        });
        Ok(settings.build())
    }
}

impl std::fmt::Debug for ClientTrust {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ClientTrust")
            .finish_non_exhaustive()
    }
}

impl ClientCertificate {
    pub(crate) fn der(&self) -> Arc<[u8]> {
        Arc::clone(&self.0)
    }
}

struct KeepCertificate;

#[async_trait]
impl TlsAccept for KeepCertificate {
    async fn handshake_complete_callback(
        &self,
        tls: &TlsRef,
    ) -> Option<Arc<dyn Any + Send + Sync>> {
        let der = tls.peer_certificate_der()?;
        Some(Arc::new(ClientCertificate(der.into())))
    }
}
