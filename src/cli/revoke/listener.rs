//! Sends requests to the admin listener of a running gateway, with limits on time and size.

use super::Failure;
use crate::{
    admin::AdminSettings,
    cli::{Paint, render},
    config::{ConfigFile, Marks},
    egress::{DirectClient, DirectLimits, PinnedTls},
    settings::{Building, Effects, Findings},
};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use serde_json::Value;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use zeroize::Zeroizing;

const LIMITS: DirectLimits = DirectLimits {
    // the gateway has to write to its store
    deadline: Duration::from_secs(30),
    body: 8 << 20,
};

/// The address of the admin listener and its credentials.
pub(in crate::cli) struct Listener {
    address: SocketAddr,
    tls: Option<PinnedTls>,
    read: Option<Zeroizing<Vec<u8>>>,
    revoke: Option<Zeroizing<Vec<u8>>>,
}

impl Listener {
    /// Returns the admin listener of the configuration in `file`. Only the section `admin` has to be valid.
    pub(in crate::cli) fn of(
        file: &ConfigFile,
        elsewhere: Option<SocketAddr>,
    ) -> Result<Self, Failure> {
        let document = file.read().map_err(|unreadable| Failure::Configuration {
            report: report(unreadable.findings, &unreadable.marks),
        })?;
        let mut findings = Findings::default();
        let settings: AdminSettings =
            document.sections(&mut Findings::default(), |top| top.take_or_default("admin"));
        let base = file.base();
        let mut building = Building {
            base: &base,
            effects: Effects::None,
            findings: &mut findings,
        };
        let built = building.within("admin", |building| {
            let tls = pinned(&settings, building);
            Some((settings.build(building)?, tls?))
        });
        let Some((terms, tls)) = built else {
            return Err(Failure::Configuration {
                report: report(findings, document.marks()),
            });
        };
        let address = elsewhere.unwrap_or_else(|| reachable(terms.address));
        if address.port() == 0 {
            return Err(Failure::AnyPort);
        }
        Ok(Self {
            address,
            tls,
            read: terms.expose_read_token().map(|token| token.to_vec().into()),
            revoke: terms
                .expose_revoke_token()
                .map(|token| token.to_vec().into()),
        })
    }

    /// Sends one request and returns the response.
    pub(in crate::cli) async fn send(
        &self,
        method: Method,
        target: &str,
        body: Option<&str>,
    ) -> Result<Value, Failure> {
        let address = self.address;
        let unreachable = |source| Failure::Unreachable { address, source };
        let response = self
            .exchange(method, target, body)
            .await
            .map_err(unreachable)?;
        let status = response.status().as_u16();
        let value: Value = serde_json::from_slice(response.body()).unwrap_or_default();
        if status != 200 {
            let why = value.get("error_description").and_then(Value::as_str);
            return Err(Failure::Refused {
                address,
                status,
                why: why.unwrap_or("no reason is given").to_owned(),
            });
        }
        if !value.is_object() {
            let why = "the response is not HTTP";
            return Err(unreachable(io::Error::new(io::ErrorKind::InvalidData, why)));
        }
        Ok(value)
    }

    async fn exchange(
        &self,
        method: Method,
        target: &str,
        body: Option<&str>,
    ) -> io::Result<Response<Bytes>> {
        let token = match method {
            Method::GET => &self.read,
            _ => &self.revoke,
        };
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            let credential = [b"Bearer ", token.as_slice()].concat();
            let credential = Bytes::from_owner(Zeroizing::new(credential));
            let mut credential =
                HeaderValue::from_maybe_shared(credential).map_err(io::Error::other)?;
            credential.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, credential);
        }
        let body = Zeroizing::new(body.unwrap_or_default().as_bytes().to_vec());
        let request = request.body(Bytes::from_owner(body));
        DirectClient::new(self.address, self.tls.as_ref(), LIMITS)?
            .send(request.map_err(io::Error::other)?)
            .await
    }
}

/// Returns the certificate by which the listener is recognized, if it uses TLS. Reports a certificate that cannot be
/// read.
#[allow(
    clippy::option_option,
    reason = "nothing to recognise and no way to recognise it are two things"
)]
fn pinned(settings: &AdminSettings, building: &mut Building<'_>) -> Option<Option<PinnedTls>> {
    let Some(tls) = &settings.tls else {
        return Some(None);
    };
    let file = building.base.resolve(&tls.certificate);
    match PinnedTls::read(&file) {
        Ok(pinned) => Some(Some(pinned)),
        Err(error) => {
            building.within("tls", |b| {
                b.within("certificate", |b| {
                    b.findings.error(
                        format!("{}: {error}", file.display()),
                        "name the PEM file with the certificate of the running gateway",
                    );
                });
            });
            None
        }
    }
}

/// Returns the loopback address for a listener on all addresses.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    address
}

/// Returns the findings in the format of `check`.
fn report(findings: Findings, marks: &Marks) -> String {
    let mut text = Vec::new();
    // writing to memory does not fail
    let _ = render(&findings.into_vec(), marks, Paint::Plain, &mut text);
    String::from_utf8_lossy(&text).trim_end().to_owned()
}
