//! Sends requests to the admin listener of a running gateway, with limits on time and size.

use super::Failure;
use crate::{
    admin::AdminSettings,
    cli::{Paint, render},
    config::{ConfigFile, Marks},
    egress::PinnedTls,
    settings::{Building, Effects, Findings},
};
use serde_json::Value;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use zeroize::Zeroizing;

/// Maximum time for a response: the gateway has to write to its store.
const DEADLINE: Duration = Duration::from_secs(30);
/// Maximum length of a response, in bytes.
const MAX_ANSWER: u64 = 8 << 20;

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
        method: &str,
        target: &str,
        body: Option<&str>,
    ) -> Result<Value, Failure> {
        let address = self.address;
        let answered = timeout(DEADLINE, self.exchange(method, target, body)).await;
        let text = answered
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|source| Failure::Unreachable { address, source })?;
        let no_http = || Failure::Unreachable {
            address,
            source: io::Error::new(io::ErrorKind::InvalidData, "the response is not HTTP"),
        };
        let (head, body) = text.split_once("\r\n\r\n").ok_or_else(no_http)?;
        let status: u16 = head
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse().ok())
            .ok_or_else(no_http)?;
        let answer: Value = serde_json::from_str(body).unwrap_or_default();
        if status != 200 {
            let why = answer.get("error_description").and_then(Value::as_str);
            return Err(Failure::Refused {
                address,
                status,
                why: why.unwrap_or("no reason is given").to_owned(),
            });
        }
        if !answer.is_object() {
            return Err(no_http());
        }
        Ok(answer)
    }

    async fn exchange(&self, method: &str, target: &str, body: Option<&str>) -> io::Result<String> {
        let address = self.address;
        let body = body.unwrap_or_default();
        let mut request = Zeroizing::new(
            format!(
                "{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n",
                body.len()
            )
            .into_bytes(),
        );
        let token = match method {
            "GET" => &self.read,
            _ => &self.revoke,
        };
        if let Some(token) = token {
            request.extend_from_slice(b"Authorization: Bearer ");
            request.extend_from_slice(token);
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(body.as_bytes());
        let stream = TcpStream::connect(address).await?;
        match &self.tls {
            Some(tls) => converse(tls.connect(stream, address.ip()).await?, &request).await,
            None => converse(stream, &request).await,
        }
    }
}

/// Sends `request` and returns everything that is received until the connection ends.
async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &[u8],
) -> io::Result<String> {
    stream.write_all(request).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
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
