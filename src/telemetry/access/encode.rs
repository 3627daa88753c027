//! One access record as one line of JSON.

use super::AccessRecord;
use crate::telemetry::json::{Stamp, decimal, escape, microseconds};
use std::{io::Write, net::IpAddr, time::Duration};

/// Appends the line, its line feed included.
pub(super) fn line(record: &AccessRecord<'_>, now: Duration, stamp: &mut Stamp, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"ts\":\"");
    stamp.write(now, out);
    out.extend_from_slice(b"\",\"route\":\"");
    escape(record.route, out);
    text(b"\",\"method\":\"", method(record.method), out);
    out.extend_from_slice(b"\",\"status\":");
    decimal(u64::from(record.status), out);
    text(b",\"outcome\":\"", record.outcome.as_str(), out);
    if let Some(reason) = record.reason {
        text(b"\",\"reason\":\"", reason.as_str(), out);
    }
    if let Some(cache) = record.cache {
        text(b"\",\"cache\":\"", cache.as_str(), out);
    }
    out.extend_from_slice(b"\",\"duration_us\":");
    microseconds(record.duration, out);
    if let Some(exchange) = record.exchange {
        out.extend_from_slice(b",\"exchange_us\":");
        microseconds(exchange, out);
    }
    if let Some(upstream) = record.upstream {
        out.extend_from_slice(b",\"upstream_us\":");
        microseconds(upstream, out);
    }
    out.extend_from_slice(b",\"request_id\":\"");
    out.extend_from_slice(record.request_id.digits());
    if let Some(trace) = &record.trace {
        text(b"\",\"trace_id\":\"", trace.trace_id(), out);
    }
    if let Some(client) = record.client {
        out.extend_from_slice(b"\",\"client\":\"");
        address(client, out);
    }
    out.extend_from_slice(b"\"}\n");
}

/// `before`, then `value`, which is known to need no escaping.
fn text(before: &[u8], value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(before);
    out.extend_from_slice(value.as_bytes());
}

/// A method is the client's own text (RFC 9110 §9.1 lets it be any token, also one that somebody took for a
/// credential): only what looks like a registered one is shown.
fn method(method: &str) -> &str {
    let registered = |b: u8| b.is_ascii_uppercase() || b == b'-';
    if (1..=20).contains(&method.len()) && method.bytes().all(registered) {
        method
    } else {
        "OTHER"
    }
}

fn address(address: IpAddr, out: &mut Vec<u8>) {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            for (position, octet) in v4.octets().into_iter().enumerate() {
                if position > 0 {
                    out.push(b'.');
                }
                decimal(u64::from(octet), out);
            }
        }
        // Writing to memory cannot fail.
        IpAddr::V6(v6) => {
            let _ = write!(out, "{v6}");
        }
    }
}
