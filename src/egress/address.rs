//! The addresses that outbound requests may use.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use thiserror::Error;
use url::{Host, Url};

/// The addresses that a URL may lead to.
///
/// Link-local addresses and those of cloud metadata services are never allowed, because they return credentials to
/// every caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// All other addresses, for hosts that the operator configured.
    Named,
    /// Only public addresses, for URLs from a document of another party.
    Public,
}

/// A host has no address that is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{host} resolves to an address that the gateway does not connect to")]
pub(super) struct AddressRefused {
    host: String,
}

impl Reach {
    /// Returns `true` if requests to `address` are allowed.
    pub(super) fn admits(self, address: IpAddr) -> bool {
        let address = embedded(address);
        !is_link_local_or_metadata(address) && (self == Self::Named || !is_internal(address))
    }

    /// Checks a host that is written as an address, which is never resolved.
    pub(super) fn check_literal(self, url: &Url) -> Result<(), AddressRefused> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        if self.admits(address) {
            Ok(())
        } else {
            let host = address.to_string();
            Err(AddressRefused { host })
        }
    }
}

/// The system's resolver without the addresses that are not allowed. Every new connection resolves the name again and
/// uses the checked result, so that a name cannot change between check and use.
#[derive(Debug, Clone, Copy)]
pub(super) struct CheckedResolver(pub(super) Reach);

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let admitted: Vec<_> = found.filter(|found| reach.admits(found.ip())).collect();
            if admitted.is_empty() {
                let host = name.as_str().to_owned();
                return Err(AddressRefused { host }.into());
            }
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

/// Returns the IPv4 address inside an IPv6 address: mapped (RFC 4291 §2.5.5.2) or translated (RFC 6052 §2.1).
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        _ => address.to_canonical(),
    }
}

fn is_link_local_or_metadata(address: IpAddr) -> bool {
    const AWS: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    const ALIBABA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
    match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4 == ALIBABA || is_nobody(v4),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6 == AWS || v6.is_multicast(),
    }
}

fn is_nobody(v4: Ipv4Addr) -> bool {
    v4.is_broadcast() || v4.is_multicast()
}

fn is_internal(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            // 0/8 is the local network, and 100.64/10 is shared address space of carriers (RFC 6890 §2.2.2)
            v4.is_loopback() || v4.is_private() || a == 0 || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_addresses_are_never_called_however_they_are_written() {
        for url in [
            "https://169.254.169.254/latest",
            "https://2852039166/",
            "https://0xa9fea9fe/",
            "https://[::ffff:169.254.169.254]/",
            "https://[64:ff9b::a9fe:a9fe]/",
            "https://[fe80::1]/",
            "https://[fd00:ec2::254]/",
            "https://100.100.100.200/",
            "https://255.255.255.255/",
        ] {
            let url = Url::parse(url).unwrap();
            assert!(Reach::Named.check_literal(&url).is_err(), "{url}");
            assert!(Reach::Public.check_literal(&url).is_err(), "{url}");
        }
    }

    #[test]
    fn internal_addresses_are_for_named_hosts_only() {
        for text in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "172.16.0.1",
            "0.0.0.0",
            "100.64.0.1",
            "::1",
            "fd12::1",
            "::",
            "::ffff:10.0.0.1",
        ] {
            let address: IpAddr = text.parse().unwrap();
            assert!(Reach::Named.admits(address), "{text}");
            assert!(!Reach::Public.admits(address), "{text}");
        }
        for text in ["93.184.216.34", "2606:2800::1", "100.128.0.1"] {
            assert!(Reach::Public.admits(text.parse().unwrap()), "{text}");
        }
    }
}
