//! One access record as one line of JSON.
//!
//! Most requests of a route end alike, so that their lines differ in little. What enters are records; what leaves are
//! lines, of which the parts that stood in an earlier line of the same thread are copied from there.

use super::AccessRecord;
use crate::telemetry::{
    CacheResult, Outcome, Reason,
    json::{Stamp, decimal, escape, microseconds},
};
use std::{hint::cold_path, io::Write, net::IpAddr, time::Duration};

/// How many beginnings of lines a thread remembers.
const PLACES: usize = 16;

/// What a thread remembers of the lines that it wrote.
pub(super) struct Phrases {
    stamp: Stamp,
    beginnings: Vec<Option<Beginning>>,
    ending: Option<Ending>,
}

/// A line from behind its time stamp to its first duration.
struct Beginning {
    route: Box<str>,
    /// As it is shown.
    method: Box<str>,
    status: u16,
    outcome: Outcome,
    reason: Option<Reason>,
    cache: Option<CacheResult>,
    text: Vec<u8>,
}

/// A line from behind its ids.
struct Ending {
    client: Option<IpAddr>,
    text: Vec<u8>,
}

impl Phrases {
    pub(super) const fn new() -> Self {
        Self {
            stamp: Stamp::new(),
            beginnings: Vec::new(),
            ending: None,
        }
    }

    /// Appends the line of `record`, its line feed included.
    pub(super) fn line(&mut self, record: &AccessRecord<'_>, now: Duration, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"ts\":\"");
        self.stamp.write(now, out);
        self.beginning(record, out);
        microseconds(record.duration, out);
        if let Some(exchange) = record.exchange {
            cold_path();
            out.extend_from_slice(b",\"exchange_us\":");
            microseconds(exchange, out);
        }
        if let Some(upstream) = record.upstream {
            out.extend_from_slice(b",\"upstream_us\":");
            microseconds(upstream, out);
        }
        if let Some(error) = record.upstream_error {
            cold_path();
            out.extend_from_slice(b",\"upstream_error\":\"");
            escape(error, out);
            out.push(b'"');
        }
        out.extend_from_slice(b",\"request_id\":\"");
        out.extend_from_slice(record.request_id.digits());
        if let Some(trace) = &record.trace {
            text(b"\",\"trace_id\":\"", trace.trace_id(), out);
        }
        self.ending(record.client, out);
    }

    fn beginning(&mut self, record: &AccessRecord<'_>, out: &mut Vec<u8>) {
        if self.beginnings.is_empty() {
            cold_path();
            self.beginnings.resize_with(PLACES, || None);
        }
        // equal records stand in one place; where unequal ones do as well, they take turns
        let place = record.route.as_ptr().addr() / 16 + usize::from(record.status);
        let Some(place) = self.beginnings.get_mut(place % PLACES) else {
            return;
        };
        match place {
            Some(known) if known.is_of(record) => out.extend_from_slice(&known.text),
            _ => {
                cold_path();
                out.extend_from_slice(&place.insert(Beginning::of(record)).text);
            }
        }
    }

    fn ending(&mut self, client: Option<IpAddr>, out: &mut Vec<u8>) {
        match &self.ending {
            Some(known) if known.client == client => out.extend_from_slice(&known.text),
            _ => {
                cold_path();
                out.extend_from_slice(&self.ending.insert(Ending::of(client)).text);
            }
        }
    }
}

impl Beginning {
    fn of(record: &AccessRecord<'_>) -> Self {
        let (method, mut out) = (method(record.method), Vec::with_capacity(160));
        out.extend_from_slice(b"\",\"route\":\"");
        escape(record.route, &mut out);
        text(b"\",\"method\":\"", method, &mut out);
        out.extend_from_slice(b"\",\"status\":");
        decimal(u64::from(record.status), &mut out);
        text(b",\"outcome\":\"", record.outcome.as_str(), &mut out);
        if let Some(reason) = record.reason {
            text(b"\",\"reason\":\"", reason.as_str(), &mut out);
        }
        if let Some(cache) = record.cache {
            text(b"\",\"cache\":\"", cache.as_str(), &mut out);
        }
        out.extend_from_slice(b"\",\"duration_us\":");
        Self {
            route: record.route.into(),
            method: method.into(),
            status: record.status,
            outcome: record.outcome,
            reason: record.reason,
            cache: record.cache,
            text: out,
        }
    }

    /// Whether `record`'s line begins so. A method that is not shown is equal to none that is.
    fn is_of(&self, record: &AccessRecord<'_>) -> bool {
        self.status == record.status
            && self.outcome == record.outcome
            && self.reason == record.reason
            && self.cache == record.cache
            && *self.method == *record.method
            && *self.route == *record.route
    }
}

impl Ending {
    fn of(client: Option<IpAddr>) -> Self {
        let mut out = Vec::with_capacity(64);
        if let Some(client) = client {
            out.extend_from_slice(b"\",\"client\":\"");
            address(client, &mut out);
        }
        out.extend_from_slice(b"\"}\n");
        Self { client, text: out }
    }
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
