//! Refuses upstreams that are the gateway itself: requests would loop until no more connections can be opened.

use super::{
    Read,
    listeners::{ListenerTerms, covers},
};
use crate::settings::{Building, OutboundUrl};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use url::Host;

/// Reports each target of a route that is one of `listeners` or the admin listener.
pub(super) fn refuse(read: &Read, listeners: &[ListenerTerms], building: &mut Building<'_>) {
    for (position, route) in &read.routes {
        for (target_position, target) in route.upstream.targets.iter().enumerate() {
            // an invalid URL is reported when the route is built
            let Ok(url) = OutboundUrl::parse_insecure(&target.url) else {
                continue;
            };
            let own = own_listener(&url, read.admin.address, listeners);
            let url_is_public = || is_public_url(&url, listeners);
            building.within(*position, |b| {
                b.within("upstream", |b| {
                    b.within("targets", |b| {
                        b.within(target_position, |b| {
                            b.within("url", |b| match own {
                                Some(own) => refuse_own(own, b),
                                None if url_is_public() => warn_of_public_url(&url, b),
                                None => {}
                            });
                        });
                    });
                });
            });
        }
    }
}

/// A listener that a connection to an upstream would reach.
enum Own {
    Listener(SocketAddr),
    Admin(SocketAddr),
}

fn own_listener(url: &OutboundUrl, admin: SocketAddr, listeners: &[ListenerTerms]) -> Option<Own> {
    let reached = |address: &SocketAddr| reaches(url, *address);
    let mut addresses = listeners.iter().map(|listener| listener.address);
    let listener = addresses.find(reached).map(Own::Listener);
    listener.or_else(|| Some(admin).filter(reached).map(Own::Admin))
}

/// Returns `true` if a connection to the host and port of `url` would reach a socket on `address`. Names are not looked
/// up, except `localhost`.
fn reaches(url: &OutboundUrl, address: SocketAddr) -> bool {
    if address.port() == 0 || address.port() != url.port() {
        return false;
    }
    let bound = address.ip().to_canonical();
    let called: IpAddr = match url.url().host() {
        Some(Host::Ipv4(ip)) => ip.into(),
        Some(Host::Ipv6(ip)) => IpAddr::from(ip).to_canonical(),
        Some(Host::Domain(_)) if url.is_loopback() => Ipv4Addr::LOCALHOST.into(),
        Some(Host::Domain(_)) | None => return false,
    };
    // a name such as localhost has both address families; connections to 0.0.0.0 and [::] reach the loopback interface
    let is_loopback_name = matches!(url.url().host(), Some(Host::Domain(_)));
    if is_loopback_name || called.is_unspecified() {
        return bound.is_loopback() || bound.is_unspecified();
    }
    called == bound || (covers(bound, called) && is_of_this_machine(called))
}

/// Returns `true` if an interface of this machine has the address: only then can a socket be bound to it.
fn is_of_this_machine(ip: IpAddr) -> bool {
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

fn is_public_url(url: &OutboundUrl, listeners: &[ListenerTerms]) -> bool {
    let origin = url.url().origin().ascii_serialization();
    let mut public = listeners.iter().filter_map(|l| l.public_url.as_ref());
    public.any(|public| public.to_string() == origin)
}

fn refuse_own(own: Own, building: &mut Building<'_>) {
    let (what, why) = match own {
        Own::Listener(address) => (
            format!("this is the gateway's own listener on {address}"),
            "each request would return to the gateway, until it has no connections left",
        ),
        Own::Admin(address) => (
            format!("this is the gateway's own admin listener on {address}"),
            "applications would reach the admin listener",
        ),
    };
    building
        .findings
        .error_because(what, why, "write the address of the API");
}

fn warn_of_public_url(url: &OutboundUrl, building: &mut Building<'_>) {
    building.findings.warn(
        format!("{url} is the public URL of the gateway"),
        "if the name resolves to the gateway here too, each request returns to it",
        "write the API's own name or address",
    );
}
