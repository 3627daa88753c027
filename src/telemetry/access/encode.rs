//! The encoding of an access record as one line of JSON.
//!
//! Most lines of a route differ in few values. Therefore the parts that are equal to an earlier line of the same thread
//! are copied from it.

use super::{
    AccessRecord,
    fields::{AccessField, AccessFields, OF_DECISION},
};
use crate::telemetry::{
    CacheResult, Outcome, Reason,
    decision::{TokenDecision, bounded},
    json::{Stamp, decimal, escape, microseconds},
};
use std::{
    hint::cold_path,
    io::Write,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// The number of line beginnings that a thread stores.
const PLACES: usize = 16;

/// The parts of earlier lines that a thread stores.
pub(super) struct Phrases {
    stamp: Stamp,
    beginnings: Vec<Option<LineStart>>,
    host: Vec<u8>,
    host_text: Vec<u8>,
    target: Option<Target>,
    ending: Option<LineEnd>,
}

/// The last upstream server, as it is shown.
struct Target {
    address: SocketAddr,
    text: Vec<u8>,
}

/// The maximum length of a path, in bytes. Longer ones are cut.
const LONGEST_PATH: usize = 1024;
/// The maximum length of a host, in bytes. Longer ones are cut.
const LONGEST_HOST: usize = 255;
/// The maximum length of a detail, in bytes. Longer ones are cut.
const LONGEST_DETAIL: usize = 1024;

/// The part of a line between its timestamp and the host.
struct LineStart {
    route: Box<str>,
    /// The method as it is shown.
    method: Box<str>,
    status: u16,
    outcome: Outcome,
    reason: Option<Reason>,
    cache: Option<CacheResult>,
    http_version: &'static str,
    attempts: usize,
    fields: AccessFields,
    text: Vec<u8>,
}

/// The part of a line after its ids.
struct LineEnd {
    client: Option<IpAddr>,
    text: Vec<u8>,
}

/// Appends the parts of a line.
macro_rules! number {
    ($out:expr, $name:literal, $write:expr) => {{
        $out.extend_from_slice(concat!(",\"", $name, "\":").as_bytes());
        $write
    }};
}

impl Phrases {
    pub(super) const fn new() -> Self {
        Self {
            stamp: Stamp::new(),
            beginnings: Vec::new(),
            host: Vec::new(),
            host_text: Vec::new(),
            target: None,
            ending: None,
        }
    }

    /// Appends the line of `record` with these fields, including its line feed.
    pub(super) fn line(
        &mut self,
        record: &AccessRecord<'_>,
        fields: AccessFields,
        now: Duration,
        out: &mut Vec<u8>,
    ) {
        let has = |field| fields.has(field);
        out.extend_from_slice(b"{\"ts\":\"");
        self.stamp.write(now, out);
        self.beginning(record, fields, out);
        if let Some(host) = record.host.filter(|_| has(AccessField::Host)) {
            self.host(host, out);
        }
        if let Some(path) = record.path.filter(|_| has(AccessField::Path)) {
            out.extend_from_slice(b",\"path\":\"");
            escape(bounded(path, LONGEST_PATH), out);
            out.push(b'"');
        }
        if let Some(target) = record.target.filter(|_| has(AccessField::Target)) {
            self.target(target, out);
        }
        if let Some(decision) = record.decision {
            names(decision, fields, out);
        }
        if let Some(detail) = record.detail.filter(|_| has(AccessField::Detail)) {
            cold_path();
            out.extend_from_slice(b",\"detail\":\"");
            escape(bounded(detail, LONGEST_DETAIL), out);
            out.push(b'"');
        }
        if has(AccessField::DurationUs) {
            number!(out, "duration_us", microseconds(record.duration, out));
        }
        if let Some(exchange) = record.exchange.filter(|_| has(AccessField::ExchangeUs)) {
            cold_path();
            number!(out, "exchange_us", microseconds(exchange, out));
        }
        if let Some(upstream) = record.upstream.filter(|_| has(AccessField::UpstreamUs)) {
            number!(out, "upstream_us", microseconds(upstream, out));
        }
        if let Some(error) = record.upstream_error {
            cold_path();
            out.extend_from_slice(b",\"upstream_error\":\"");
            escape(error, out);
            out.push(b'"');
        }
        out.extend_from_slice(b",\"request_id\":\"");
        out.extend_from_slice(record.request_id.digits());
        if let Some(trace) = record.trace.filter(|_| has(AccessField::TraceId)) {
            text(b"\",\"trace_id\":\"", trace.trace_id(), out);
        }
        self.ending(record.client.filter(|_| has(AccessField::Client)), out);
    }

    /// Appends the host. It is encoded again only if it differs from the previous request's.
    fn host(&mut self, host: &str, out: &mut Vec<u8>) {
        if self.host != host.as_bytes() || self.host_text.is_empty() {
            cold_path();
            self.host.clear();
            self.host.extend_from_slice(host.as_bytes());
            self.host_text.clear();
            self.host_text.extend_from_slice(b",\"host\":\"");
            escape(bounded(host, LONGEST_HOST), &mut self.host_text);
            self.host_text.push(b'"');
        }
        out.extend_from_slice(&self.host_text);
    }

    fn target(&mut self, address: SocketAddr, out: &mut Vec<u8>) {
        match &self.target {
            Some(known) if known.address == address => out.extend_from_slice(&known.text),
            _ => {
                cold_path();
                let text = format!(",\"target\":\"{address}\"").into_bytes();
                out.extend_from_slice(&text);
                self.target = Some(Target { address, text });
            }
        }
    }

    fn beginning(&mut self, record: &AccessRecord<'_>, fields: AccessFields, out: &mut Vec<u8>) {
        if self.beginnings.is_empty() {
            cold_path();
            self.beginnings.resize_with(PLACES, || None);
        }
        // equal records use the same slot; different records in one slot replace each other
        let place = record.route.as_ptr().addr() / 16 + usize::from(record.status);
        let Some(place) = self.beginnings.get_mut(place % PLACES) else {
            return;
        };
        match place {
            Some(known) if known.is_of(record, fields) => out.extend_from_slice(&known.text),
            _ => {
                cold_path();
                out.extend_from_slice(&place.insert(LineStart::of(record, fields)).text);
            }
        }
    }

    fn ending(&mut self, client: Option<IpAddr>, out: &mut Vec<u8>) {
        match &self.ending {
            Some(known) if known.client == client => out.extend_from_slice(&known.text),
            _ => {
                cold_path();
                out.extend_from_slice(&self.ending.insert(LineEnd::of(client)).text);
            }
        }
    }
}

impl LineStart {
    fn of(record: &AccessRecord<'_>, fields: AccessFields) -> Self {
        let (method, mut out) = (method(record.method), Vec::with_capacity(160));
        out.extend_from_slice(b"\",\"route\":\"");
        escape(record.route, &mut out);
        if fields.has(AccessField::Method) {
            text(b"\",\"method\":\"", method, &mut out);
        }
        out.extend_from_slice(b"\",\"status\":");
        decimal(record.status, &mut out);
        text(b",\"outcome\":\"", record.outcome.as_str(), &mut out);
        if let Some(reason) = record.reason {
            text(b"\",\"reason\":\"", reason.as_str(), &mut out);
        }
        if let Some(cache) = record.cache.filter(|_| fields.has(AccessField::Cache)) {
            text(b"\",\"cache\":\"", cache.as_str(), &mut out);
        }
        out.push(b'"');
        if fields.has(AccessField::HttpVersion) {
            text(b",\"http_version\":\"", record.http_version, &mut out);
            out.push(b'"');
        }
        if fields.has(AccessField::Attempts) {
            number!(out, "attempts", decimal(record.attempts, &mut out));
        }
        Self {
            route: record.route.into(),
            method: method.into(),
            status: record.status,
            outcome: record.outcome,
            reason: record.reason,
            cache: record.cache,
            http_version: record.http_version,
            attempts: record.attempts,
            fields,
            text: out,
        }
    }

    /// Returns `true` if the line of `record` begins like this. All methods that are not shown are equal.
    fn is_of(&self, record: &AccessRecord<'_>, fields: AccessFields) -> bool {
        self.status == record.status
            && self.outcome == record.outcome
            && self.reason == record.reason
            && self.cache == record.cache
            && self.attempts == record.attempts
            && std::ptr::eq(self.http_version, record.http_version)
            && self.fields == fields
            && *self.method == *record.method
            && *self.route == *record.route
    }
}

impl LineEnd {
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

/// Appends the names of a decision, which were encoded when it was made.
fn names(decision: &TokenDecision, fields: AccessFields, out: &mut Vec<u8>) {
    if fields.has_whole_decision() {
        out.extend_from_slice(decision.text());
        return;
    }
    for (position, field) in OF_DECISION.into_iter().enumerate() {
        if fields.has(field) {
            out.extend_from_slice(decision.piece(position));
        }
    }
}

/// Appends `before`, then `value`, which must not need escaping.
fn text(before: &[u8], value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(before);
    out.extend_from_slice(value.as_bytes());
}

/// Returns the method to show. A client can send any token as a method (RFC 9110 §9.1), even a credential by mistake,
/// so only methods that look like registered ones are shown.
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
                decimal(octet, out);
            }
        }
        // Writing to memory cannot fail.
        IpAddr::V6(v6) => {
            let _ = write!(out, "{v6}");
        }
    }
}
