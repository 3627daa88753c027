//! A private certificate authority, and TLS servers and clients that use it.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{path::Path, sync::Arc};
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, both PEM.
pub struct Identity {
    pub certificate: String,
    pub private_key: String,
}

impl Authority {
    pub fn new() -> Self {
        crate::streaming::support::install_crypto();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self {
            issuer: CertifiedIssuer::self_signed(params, key).unwrap(),
        }
    }

    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub fn identity(&self, name: &str) -> Identity {
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        Identity {
            certificate: params.signed_by(&key, &self.issuer).unwrap().pem(),
            private_key: key.serialize_pem(),
        }
    }

    /// Returns the TLS settings of a server named `name` with these `protocols`.
    pub fn server(&self, name: &str, protocols: &[&str]) -> TlsAcceptor {
        let config = ServerConfig::builder().with_no_client_auth();
        acceptor(config, &self.identity(name), protocols)
    }

    /// Returns such settings for a server that requires client certificates of this authority.
    pub fn server_for_known(&self, name: &str, protocols: &[&str]) -> TlsAcceptor {
        let verifier: Arc<dyn ClientCertVerifier> =
            WebPkiClientVerifier::builder(Arc::new(self.roots()))
                .build()
                .unwrap();
        let config = ServerConfig::builder().with_client_cert_verifier(verifier);
        acceptor(config, &self.identity(name), protocols)
    }

    /// Returns the TLS settings of a client that trusts only this authority, with this `protocol`.
    pub fn client(&self, protocol: &str) -> TlsConnector {
        let mut config = ClientConfig::builder()
            .with_root_certificates(self.roots())
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        TlsConnector::from(Arc::new(config))
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        roots
    }
}

impl Identity {
    /// Writes `<name>.pem` and `<name>.key`.
    pub fn write(&self, folder: &Path, name: &str) {
        std::fs::write(folder.join(format!("{name}.pem")), &self.certificate).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), &self.private_key).unwrap();
    }
}

fn acceptor(
    config: rustls::ConfigBuilder<ServerConfig, rustls::server::WantsServerCert>,
    identity: &Identity,
    protocols: &[&str],
) -> TlsAcceptor {
    let chain = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.private_key.as_bytes()).unwrap();
    let mut config = config.with_single_cert(vec![chain], key).unwrap();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    TlsAcceptor::from(Arc::new(config))
}
