//! Why a listener's certificates or keys cannot be used.

use rustls_pki_types::pem;
use std::path::PathBuf;

/// Why a certificate or a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate chain cannot be read.
    #[error("cannot read the certificate chain {}: {}", file.display(), reason(cause))]
    Certificate {
        /// The configured file.
        file: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: pem::Error,
    },
    /// The file contains no certificate.
    #[error("no certificate in {}: expected at least one PEM block `CERTIFICATE`", file.display())]
    NoCertificate {
        /// The configured file.
        file: PathBuf,
    },
    /// The private key cannot be read.
    #[error("cannot read the private key {}: {}", file.display(), reason(cause))]
    PrivateKey {
        /// The configured file.
        file: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: pem::Error,
    },
    /// Both files parse but do not work together: usually the key belongs to another certificate.
    #[error("the certificate {} and the private key {} cannot be used together: {cause}", certificate.display(), private_key.display())]
    Unusable {
        /// The file of the certificate chain.
        certificate: PathBuf,
        /// The file of the key.
        private_key: PathBuf,
        /// The error of rustls.
        #[source]
        cause: rustls::Error,
    },
    /// The authorities for client certificates cannot be read.
    #[error("cannot read the CA certificates {}: {}", file.display(), reason(cause))]
    ClientCa {
        /// The configured file.
        file: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: pem::Error,
    },
    /// The file contains no certificate that can be an authority.
    #[error("no CA certificate in {}", file.display())]
    NoClientCa {
        /// The configured file.
        file: PathBuf,
    },
    /// The program did not install a crypto provider before it asked for TLS.
    #[error("no TLS crypto provider is installed in this process")]
    NoCryptoProvider,
}

impl TlsError {
    /// Returns `true` if a file does not exist or is not readable. Returns `false` if its contents are wrong.
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

/// Returns a reason that an operator can act on; the messages of the PEM crate describe its sections and I/O wrappers.
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
