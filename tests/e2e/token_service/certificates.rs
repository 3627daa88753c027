//! Clients that authenticate with the certificate of their connection.

use super::FORM;
use crate::e2e::support::{Lab, PATIENCE, Setup};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use reqwest::{Certificate, Client, Identity};

const CLIENTS: &str = r"
clients:
  - id: by-name
    authentication: { method: tls_client_auth, san_dns: portal.example.com }
    audiences: [orders-api]
    scope: { allow: [orders.read] }
  - id: by-subject
    authentication: { method: tls_client_auth, subject_dn: 'CN=portal, O=Example' }
    audiences: [orders-api]
    scope: { allow: [orders.read] }
  - id: public
    authentication: { method: none }
    audiences: [orders-api]
    scope: { allow: [orders.read] }
";

type Ca = CertifiedIssuer<'static, KeyPair>;

struct World {
    lab: Lab,
    server: String,
    ca: Ca,
}

fn authority() -> Ca {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

async fn start(certificates: &str) -> World {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let ca = authority();
    let lab = Lab::with(Setup {
        listener: format!(
            "tls: {{ certificate: cert.pem, private_key: key.pem, client_ca: ca.pem{certificates} }}"
        ),
        sections: CLIENTS.to_owned(),
        files: vec![
            ("cert.pem", own.cert.pem()),
            ("key.pem", own.signing_key.serialize_pem()),
            ("ca.pem", ca.pem()),
        ],
        ..Setup::default()
    })
    .await;
    World {
        lab,
        server: own.cert.pem(),
        ca,
    }
}

impl World {
    /// Returns a certificate with its key, signed by `ca`.
    fn identity(ca: &Ca, dns: &str) -> Identity {
        let mut params = CertificateParams::new([dns.to_owned()]).unwrap();
        let name = &mut params.distinguished_name;
        *name = rcgen::DistinguishedName::new();
        name.push(rcgen::DnType::OrganizationName, "Example");
        name.push(rcgen::DnType::CommonName, "portal");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, ca).unwrap();
        let pem = format!("{}{}", certificate.pem(), key.serialize_pem());
        Identity::from_pem(pem.as_bytes()).unwrap()
    }

    /// Returns status and body of a request by the client `id`, or `None` if there is no connection.
    async fn ask(
        &self,
        identity: Option<Identity>,
        id: &str,
        http1: bool,
    ) -> Option<(u16, String)> {
        let mut client = Client::builder()
            .tls_certs_only([Certificate::from_pem(self.server.as_bytes()).unwrap()])
            .no_proxy()
            .resolve("localhost", self.lab.address())
            .timeout(PATIENCE);
        if http1 {
            client = client.http1_only();
        }
        if let Some(identity) = identity {
            client = client.identity(identity);
        }
        let url = format!(
            "https://localhost:{}{}",
            self.lab.address().port(),
            super::PATH
        );
        let request = client
            .build()
            .unwrap()
            .post(url)
            .header("content-type", FORM);
        let body = format!("grant_type=password&client_id={id}");
        let answer = request.body(body).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.unwrap()))
    }

    async fn gets_in(&self, identity: Option<Identity>, id: &str) -> bool {
        let (status, body) = self.ask(identity, id, false).await.unwrap();
        let authenticated = (status, body.contains("unsupported_grant_type"));
        assert!(
            authenticated == (400, true) || status == 401,
            "{status} {body}"
        );
        status == 400
    }
}

#[tokio::test]
async fn the_name_in_a_verified_certificate_is_the_client() {
    let world = start(", client_certificates: optional").await;
    let portal = || World::identity(&world.ca, "portal.example.com");
    assert!(world.gets_in(Some(portal()), "by-name").await);
    assert!(world.gets_in(Some(portal()), "by-subject").await);
    let other = || World::identity(&world.ca, "other.example.com");
    assert!(!world.gets_in(Some(other()), "by-name").await);
    assert!(world.gets_in(Some(other()), "by-subject").await);
    assert!(!world.gets_in(None, "by-name").await);
    assert!(world.gets_in(None, "public").await);
    assert!(world.gets_in(Some(other()), "public").await);
    let (status, _) = world.ask(Some(portal()), "by-name", true).await.unwrap();
    assert_eq!(status, 400, "over HTTP/1.1 too");
}

#[tokio::test]
async fn a_certificate_of_another_authority_gets_no_connection_even_where_none_is_needed() {
    let world = start(", client_certificates: optional").await;
    let forged = World::identity(&authority(), "portal.example.com");
    assert_eq!(world.ask(Some(forged), "by-name", false).await, None);
}

#[tokio::test]
async fn where_certificates_are_required_there_is_no_connection_without_one() {
    let world = start("").await;
    assert_eq!(world.ask(None, "public", false).await, None);
    let portal = World::identity(&world.ca, "portal.example.com");
    assert!(world.gets_in(Some(portal), "by-name").await);
}
