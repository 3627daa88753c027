//! The host that a request is for (RFC 9110 §7.2, RFC 3986 §3.2).
//!
//! The accepted form is narrower than the RFC's `reg-name`: only letters, digits, `-`, `_` and dots, or an IP literal.
//! Parsers interpret the other characters differently (encoded bytes, commas, quotes), and no real host name contains
//! them.

use std::net::Ipv6Addr;
use thiserror::Error;

/// The reason why a request does not name exactly one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HostFault {
    /// The Host field is missing or empty.
    #[error("missing or empty")]
    Missing,
    /// There is more than one Host field.
    #[error("more than one host field")]
    Several,
    /// The value is not a host: it contains userinfo, blanks, a list or an invalid port.
    #[error("not a host with an optional port")]
    Malformed,
}

/// A host and its port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host<'a> {
    name: &'a [u8],
    port: Option<u16>,
}

/// A DNS name has at most 253 characters.
const LONGEST: usize = 253;

impl<'a> Host<'a> {
    /// Parses the value of a Host field, or an authority.
    ///
    /// # Errors
    /// [`HostFault`] if it is empty or not a host with an optional port.
    pub fn read(text: &'a [u8]) -> Result<Self, HostFault> {
        if text.is_empty() {
            return Err(HostFault::Missing);
        }
        let (name, port) = match text.strip_prefix(b"[") {
            Some(literal) => {
                let end = literal.iter().position(|byte| *byte == b']');
                let (literal, port) = literal.split_at(end.ok_or(HostFault::Malformed)?);
                let port = port.get(1..).unwrap_or_default();
                let address = std::str::from_utf8(literal).ok();
                let address = address.and_then(|text| text.parse::<Ipv6Addr>().ok());
                address.ok_or(HostFault::Malformed)?;
                (literal, port)
            }
            None => {
                let end = text.iter().position(|byte| *byte == b':');
                let (name, port) = text.split_at(end.unwrap_or(text.len()));
                if !is_name(name) {
                    return Err(HostFault::Malformed);
                }
                (name, port)
            }
        };
        let port = match port {
            [] => None,
            [b':', digits @ ..] => Some(port_of(digits).ok_or(HostFault::Malformed)?),
            _ => return Err(HostFault::Malformed),
        };
        Ok(Self { name, port })
    }

    /// Returns `true` if both are equal, ignoring case. A missing port counts as `default`.
    pub(super) fn is_also(&self, other: &Host<'_>, default: u16) -> bool {
        self.name.eq_ignore_ascii_case(other.name)
            && self.port.unwrap_or(default) == other.port.unwrap_or(default)
    }
}

/// Returns `true` for labels separated by dots. One trailing dot is allowed.
fn is_name(name: &[u8]) -> bool {
    let mut before = b'.';
    for byte in name {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => {}
            b'.' if before != b'.' => {}
            _ => return false,
        }
        before = *byte;
    }
    (1..=LONGEST).contains(&name.len())
}

fn port_of(digits: &[u8]) -> Option<u16> {
    if !digits.iter().all(u8::is_ascii_digit) || !(1..=5).contains(&digits.len()) {
        return None;
    }
    let port = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (port != 0).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_with_and_without_a_port_are_read() {
        for host in [
            "a",
            "api.example.com",
            "API.Example.com.",
            "api_internal:8443",
            "127.0.0.1:1",
            "[::1]",
            "[2001:db8::1]:65535",
            "xn--caf-dma.example",
        ] {
            assert!(Host::read(host.as_bytes()).is_ok(), "{host}");
        }
    }

    #[test]
    fn whatever_is_no_host_is_refused() {
        assert_eq!(Host::read(b""), Err(HostFault::Missing));
        for host in [
            "a:",
            "a:0",
            "a:65536",
            "a:123456",
            "a:8o",
            "a:+1",
            "a: 1",
            "a:1:2",
            ":80",
            "u@a",
            "u:p@a",
            "a b",
            "a,b",
            "a, b",
            "a;b",
            "a/b",
            "a?b",
            "a#b",
            "a\\b",
            "a%41",
            "..",
            ".a",
            "a..b",
            "é",
            "[::1",
            "::1",
            "[::1]x",
            "[::1]:",
            "[fe80::1%25eth0]",
            "[1.2.3.4]",
            "[]",
            "a\"",
            "a\t",
            "*",
        ] {
            assert_eq!(
                Host::read(host.as_bytes()),
                Err(HostFault::Malformed),
                "{host}"
            );
        }
        assert!(Host::read("a".repeat(254).as_bytes()).is_err());
    }

    #[test]
    fn case_and_the_default_port_make_no_difference() {
        let same = |a: &str, b: &str, default| {
            let (a, b) = (Host::read(a.as_bytes()), Host::read(b.as_bytes()));
            a.unwrap().is_also(&b.unwrap(), default)
        };
        assert!(same("A.example", "a.EXAMPLE:80", 80));
        assert!(same("a.example:443", "a.example", 443));
        assert!(!same("a.example:443", "a.example", 80));
        assert!(!same("a.example", "b.example", 80));
        assert!(!same("a.example", "a.example.", 80));
    }
}
