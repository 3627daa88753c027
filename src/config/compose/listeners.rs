//! Builds the listeners for clients and the admin listener: addresses and certificates.

use crate::{
    admin::{AdminSettings, AdminTerms},
    edge::{ClientTrust, Http2, TlsError, TlsTerms},
    proxy::ListenerSettings,
    settings::{Building, ClientCertificates, Effects, PublicUrl, ServerTlsSettings},
};
use std::net::{IpAddr, SocketAddr};

/// One listener, with its certificate.
#[derive(Debug, Clone)]
pub struct ListenerTerms {
    /// Address and port.
    pub address: SocketAddr,
    /// The origin under which clients reach it, if it is known.
    pub public_url: Option<PublicUrl>,
    /// The certificate.
    pub tls: Option<TlsTerms>,
}

/// Reads the certificates. Reports mistakes in every listener.
pub(super) fn build(
    settings: Vec<(usize, ListenerSettings)>,
    building: &mut Building<'_>,
) -> Option<Vec<ListenerTerms>> {
    let mut listeners: Vec<ListenerTerms> = Vec::new();
    let mut complete = true;
    for (position, settings) in settings {
        building.within(position, |b| {
            let address = settings.address;
            if let Some(other) = listeners
                .iter()
                .find(|other| conflict(other.address, address))
            {
                let what = match other.address == address {
                    true => format!("a second listener on {address}"),
                    false => format!("{address} is part of the listener on {}", other.address),
                };
                b.within("address", |b| b.findings.error(what, "remove one of them"));
            }
            if settings.tls.is_none() && settings.http2 == Some(true) {
                b.within("http2", |b| {
                    b.findings.error(
                        "HTTP/2 is negotiated in the TLS handshake",
                        "write tls, or remove http2",
                    )
                });
            }
            let public_url = public_url(&settings, b);
            let tls = settings.tls.map(|tls| {
                let http2 = if settings.http2.unwrap_or(true) {
                    Http2::Offered
                } else {
                    Http2::Off
                };
                let (certificate, key) = (
                    b.base.resolve(&tls.certificate),
                    b.base.resolve(&tls.private_key),
                );
                let clients = b.within("tls", |b| client_trust(&tls, b))?;
                TlsTerms::read(&certificate, &key, http2, clients.as_ref())
            });
            match terms(address, public_url, tls, b) {
                Some(listener) => listeners.push(listener),
                None => complete = false,
            }
        });
    }
    complete.then_some(listeners)
}

/// Builds the admin listener and its access rules. Its port must differ from those of `listeners`.
pub(super) fn admin(
    settings: &AdminSettings,
    listeners: &[ListenerTerms],
    building: &mut Building<'_>,
) -> Option<(AdminTerms, ListenerTerms)> {
    let admitted = settings.build(building);
    let address = settings.address;
    let taken = listeners
        .iter()
        .find(|other| conflict(other.address, address));
    if let Some(other) = taken {
        building.within("address", |b| {
            b.findings.error_because(
                format!("{address} conflicts with {} in `listeners`", other.address),
                "applications must not reach the admin listener",
                "write another port in admin.address",
            );
        });
    }
    let tls = settings.tls.as_ref().map(|tls| {
        let (certificate, key) = (
            building.base.resolve(&tls.certificate),
            building.base.resolve(&tls.private_key),
        );
        TlsTerms::read(&certificate, &key, Http2::Off, None)
    });
    let listener = terms(address, None, tls, building);
    Some((admitted?, listener?))
}

/// Builds a listener, or reports that its certificate cannot be used.
fn terms(
    address: SocketAddr,
    public_url: Option<PublicUrl>,
    tls: Option<Result<TlsTerms, TlsError>>,
    building: &mut Building<'_>,
) -> Option<ListenerTerms> {
    let tls = match tls.transpose() {
        Ok(tls) => tls,
        // certificates do not affect the decisions that are explained
        Err(error) if building.effects == Effects::Imagined && error.is_unreadable() => None,
        Err(error) => {
            building.within("tls", |b| {
                b.findings.error(
                    error.to_string(),
                    "name a PEM certificate chain and its private key",
                );
            });
            return None;
        }
    };
    Some(ListenerTerms {
        address,
        public_url,
        tls,
    })
}

/// Returns `true` if the system cannot bind both sockets.
fn conflict(one: SocketAddr, other: SocketAddr) -> bool {
    let (ip, other_ip) = (one.ip().to_canonical(), other.ip().to_canonical());
    let same = ip == other_ip || covers(ip, other_ip) || covers(other_ip, ip);
    one.port() != 0 && one.port() == other.port() && same
}

/// Returns `true` if a socket on `all` also accepts connections to `one`. `[::]` accepts those to IPv4 addresses (RFC
/// 3493 §5.3).
pub(super) fn covers(all: IpAddr, one: IpAddr) -> bool {
    match all {
        IpAddr::V4(all) => all.is_unspecified() && one.is_ipv4(),
        IpAddr::V6(all) => all.is_unspecified(),
    }
}

/// Returns the URL that clients use if a route does not specify one: the first known URL.
pub(super) fn public_url_of(listeners: &[ListenerTerms]) -> Option<&PublicUrl> {
    listeners
        .iter()
        .find_map(|listener| listener.public_url.as_ref())
}

fn public_url(settings: &ListenerSettings, building: &mut Building<'_>) -> Option<PublicUrl> {
    let Some(written) = &settings.public_url else {
        return PublicUrl::of_listener(settings.address, settings.tls.is_some());
    };
    let public_url = PublicUrl::parse(written);
    if public_url.is_none() {
        building.within("public_url", |b| {
            b.findings.error(
                format!("expected scheme, host and port as clients write them, found {written:?}"),
                "write e.g. https://api.example.com",
            );
        });
    }
    public_url
}

/// Returns the authorities whose client certificates the listener accepts, or `None` if it requests no certificates.
fn client_trust(
    tls: &ServerTlsSettings,
    building: &mut Building<'_>,
) -> Result<Option<ClientTrust>, TlsError> {
    match (&tls.client_ca, tls.client_certificates) {
        (None, None) => Ok(None),
        (None, Some(_)) => {
            building.within("client_certificates", |b| {
                b.findings.error(
                    "client certificates cannot be verified without client_ca",
                    "write client_ca, a PEM file with the authorities to trust",
                );
            });
            Ok(None)
        }
        (Some(file), certificates) => {
            let file = building.base.resolve(file);
            let certificates = certificates.unwrap_or(ClientCertificates::Required);
            ClientTrust::read(&file, certificates).map(Some)
        }
    }
}
