//! The TLS files of an upstream: the authorities that it is verified against, and the gateway's client certificate.

use crate::{clock::UnixTime, edge::certificate::expiry};
use pingora::{
    protocols::tls::CaType,
    utils::tls::{CertKey, WrappedX509, parse_x509},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use thiserror::Error;

/// Why an upstream's TLS files cannot be used.
#[derive(Debug, Error)]
pub enum UpstreamTlsError {
    /// The file cannot be read as PEM.
    #[error("{}: expected {expected} in PEM form: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What it should contain.
        expected: &'static str,
        /// What is wrong.
        source: rustls_pki_types::pem::Error,
    },
    /// The file does not contain what it should.
    #[error("{}: expected {expected} in PEM form, found none", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What it should contain.
        expected: &'static str,
    },
}

impl UpstreamTlsError {
    /// Returns `true` if a file does not exist or is not readable. Returns `false` if its contents are wrong.
    pub fn is_unreadable(&self) -> bool {
        match self {
            Self::Unreadable { source, .. } => {
                matches!(source, rustls_pki_types::pem::Error::Io(_))
            }
            Self::Empty { .. } => false,
        }
    }
}

pub(super) fn authorities(path: &Path) -> Result<Arc<CaType>, UpstreamTlsError> {
    let certificates = certificates(path)?;
    let wrapped: Vec<WrappedX509> = certificates
        .into_iter()
        .map(|der| WrappedX509::new(der, parse_x509))
        .collect();
    Ok(Arc::from(wrapped))
}

/// The client certificate of the gateway, and when it expires.
pub(super) struct Identity {
    pub(super) certificate: Arc<CertKey>,
    pub(super) expires_at: Option<UnixTime>,
}

pub(super) fn identity(certificate: &Path, key: &Path) -> Result<Identity, UpstreamTlsError> {
    let chain = certificates(certificate)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|source| UpstreamTlsError::Unreadable {
        path: key.to_owned(),
        expected: "a private key",
        source,
    })?;
    Ok(Identity {
        expires_at: chain.first().and_then(|own| expiry(own)),
        certificate: Arc::new(CertKey::new(chain, key.secret_der().to_vec())),
    })
}

fn certificates(path: &Path) -> Result<Vec<Vec<u8>>, UpstreamTlsError> {
    const EXPECTED: &str = "certificates";
    let unreadable = |source| UpstreamTlsError::Unreadable {
        path: path.to_owned(),
        expected: EXPECTED,
        source,
    };
    let certificates = CertificateDer::pem_file_iter(path)
        .map_err(unreadable)?
        .map(|certificate| {
            certificate
                .map(|der| der.as_ref().to_vec())
                .map_err(unreadable)
        })
        .collect::<Result<Vec<_>, _>>()?;
    if certificates.is_empty() {
        return Err(UpstreamTlsError::Empty {
            path: path.to_owned(),
            expected: EXPECTED,
        });
    }
    Ok(certificates)
}
