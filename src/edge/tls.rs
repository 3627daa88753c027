//! Builds the TLS acceptor of a listener from PEM files, and checks everything first: the files parse, the key belongs
//! to the certificate, and the ALPN protocols (RFC 7301) are set. pingora's own loader panics on an invalid file and is
//! not used.

use std::path::Path;
use std::sync::Arc;

use pingora::listeners::tls::Acceptor;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::certificate as own_certificate;
use super::{ClientTrust, http2::Http2, tls_error::TlsError};
use crate::clock::UnixTime;

/// TLS settings that were checked, for starting a listener.
#[derive(Clone)]
pub struct TlsTerms {
    acceptor: Arc<Acceptor>,
    expires_at: Option<UnixTime>,
}

impl TlsTerms {
    /// Reads a certificate chain (the server's own certificate first) and its private key (PKCS #8, SEC 1 or PKCS #1),
    /// both PEM.
    ///
    /// # Errors
    /// Names the file at fault and what is wrong with it; never shows its contents.
    pub fn read(
        certificate: &Path,
        private_key: &Path,
        http2: Http2,
        clients: Option<&ClientTrust>,
    ) -> Result<Self, TlsError> {
        let unreadable = |cause| TlsError::Certificate {
            file: certificate.to_owned(),
            cause,
        };
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(unreadable)?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate {
                file: certificate.to_owned(),
            });
        }
        let expires_at = chain.first().and_then(|own| own_certificate::expiry(own));
        let key =
            PrivateKeyDer::from_pem_file(private_key).map_err(|cause| TlsError::PrivateKey {
                file: private_key.to_owned(),
                cause,
            })?;
        let unusable = |cause| TlsError::Unusable {
            certificate: certificate.to_owned(),
            private_key: private_key.to_owned(),
            cause,
        };
        let provider = CryptoProvider::get_default().ok_or(TlsError::NoCryptoProvider)?;
        let acceptor = match clients {
            Some(clients) => {
                let own = CertifiedKey::from_der(chain, key, provider).map_err(unusable)?;
                clients.acceptor(own, http2, provider)?
            }
            None => {
                let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
                    .with_safe_default_protocol_versions()
                    .map_err(unusable)?
                    .with_no_client_auth()
                    .with_single_cert(chain, key)
                    .map_err(unusable)?;
                config.alpn_protocols = match http2 {
                    Http2::Offered => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
                    Http2::Off => vec![b"http/1.1".to_vec()],
                };
                Acceptor::from_server_config(Arc::new(config))
            }
        };
        Ok(Self {
            acceptor: Arc::new(acceptor),
            expires_at,
        })
    }

    /// Returns when the server's own certificate expires, or `None` if the certificate cannot be parsed.
    pub fn expires_at(&self) -> Option<UnixTime> {
        self.expires_at
    }

    pub(crate) fn acceptor(&self) -> &Acceptor {
        &self.acceptor
    }
}

impl std::fmt::Debug for TlsTerms {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TlsTerms").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use std::path::PathBuf;

    fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
        let path = directory.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn refusal(certificate: &Path, private_key: &Path) -> String {
        TlsTerms::read(certificate, private_key, Http2::Offered, None)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn each_unusable_file_is_named_with_what_is_wrong() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let other = rcgen::KeyPair::generate().unwrap();
        let certificate = write(folder.path(), "cert.pem", &own.cert.pem());
        let key = write(folder.path(), "key.pem", &own.signing_key.serialize_pem());
        let foreign = write(folder.path(), "foreign.pem", &other.serialize_pem());
        let empty = write(folder.path(), "empty.pem", "");
        let absent = folder.path().join("absent.pem");

        assert!(TlsTerms::read(&certificate, &key, Http2::Off, None).is_ok());
        let cases = [
            (refusal(&absent, &key), "absent.pem", "No such file"),
            (refusal(&empty, &key), "empty.pem", "certificate"),
            (refusal(&certificate, &empty), "empty.pem", "private key"),
            (
                refusal(&certificate, &certificate),
                "cert.pem",
                "private key",
            ),
            (refusal(&certificate, &foreign), "foreign.pem", "together"),
        ];
        for (message, file, wrong) in cases {
            assert!(
                message.contains(file) && message.contains(wrong),
                "{message}"
            );
        }
    }
}
