//! What a listener needs to speak TLS. A certificate chain and a private key in PEM files enter; terms that are known to
//! work leave: the files parse, the key belongs to the certificate, the protocols to offer by ALPN (RFC 7301) are set.
//! Pingora's own loader panics on a bad file, so nothing is left for it to find.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pingora::listeners::tls::Acceptor;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::ClientTrust;
use crate::{clock::UnixTime, proxy::certificate as own_certificate};

/// Whether clients are offered HTTP/2 beside HTTP/1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Http2 {
    /// `h2` is preferred over `http/1.1`.
    Offered,
    /// `http/1.1` alone.
    Off,
}

/// Terms of TLS that a listener can be started with.
#[derive(Clone)]
pub struct TlsTerms {
    acceptor: Arc<Acceptor>,
    expires_at: Option<UnixTime>,
}

/// Why certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate chain cannot be read.
    #[error("cannot read the certificate chain {}: {}", file.display(), reason(cause))]
    Certificate {
        /// The file that was named.
        file: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: pem::Error,
    },
    /// The file holds no certificate.
    #[error("no certificate in {}: expected at least one PEM block `CERTIFICATE`", file.display())]
    NoCertificate {
        /// The file that was named.
        file: PathBuf,
    },
    /// The private key cannot be read.
    #[error("cannot read the private key {}: {}", file.display(), reason(cause))]
    PrivateKey {
        /// The file that was named.
        file: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: pem::Error,
    },
    /// Both files parse and do not work together: most often the key belongs to another certificate.
    #[error("the certificate {} and the private key {} cannot be used together: {cause}", certificate.display(), private_key.display())]
    Unusable {
        /// The file of the chain.
        certificate: PathBuf,
        /// The file of the key.
        private_key: PathBuf,
        /// What rustls found.
        #[source]
        cause: rustls::Error,
    },
    /// The authorities of clients' certificates cannot be read.
    #[error("cannot read the authorities {}: {}", file.display(), reason(cause))]
    ClientCa {
        /// The file that was named.
        file: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: pem::Error,
    },
    /// The file holds no certificate that can be an authority.
    #[error("no certificate of an authority in {}", file.display())]
    NoClientCa {
        /// The file that was named.
        file: PathBuf,
    },
    /// The program did not install a provider of cryptography before it asked for TLS.
    #[error("no TLS crypto provider is installed in this process")]
    NoCryptoProvider,
}

impl TlsError {
    /// Returns `true` if a file is not there or may not be read, rather than being wrong.
    pub fn is_unreadable(&self) -> bool {
        match self {
            Self::Certificate { cause, .. }
            | Self::PrivateKey { cause, .. }
            | Self::ClientCa { cause, .. } => matches!(cause, pem::Error::Io(_)),
            Self::NoCertificate { .. }
            | Self::Unusable { .. }
            | Self::NoClientCa { .. }
            | Self::NoCryptoProvider => false,
        }
    }
}

impl TlsTerms {
    /// Reads a certificate chain (the server's own first) and its private key (PKCS #8, SEC 1 or PKCS #1), both PEM.
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

    /// When the server's own certificate expires; `None` where it does not say so in a form that can be read.
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

/// What a reader of the message can act on; the crate's own words speak of its sections and I/O wrappers.
fn reason(cause: &pem::Error) -> String {
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "the foreign enum is non-exhaustive"
    )]
    match cause {
        pem::Error::Io(cause) => cause.to_string(),
        pem::Error::NoItemsFound => "no PEM block of this kind in it".to_owned(),
        other => format!("not valid PEM ({other})"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

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
