//! The head of an HTTP/1 request as it came, before a parser has tidied it (RFC 9112).
//!
//! HTTP libraries correct what they can: they escape a space in the target, cut a fragment, take a line without its
//! carriage return. A server before or behind the gateway may correct it in another way. So each head is read here
//! first, by the strict grammar, and whatever has a second reading is refused. One pass, no allocation.

use super::{GateError, Host, HostFault};
use http::{Method, header, request::Parts, uri::Scheme};
use memchr::{memchr, memchr_iter};
use std::{hint::cold_path, ops::Range};
use thiserror::Error;

/// Why a head is not in the one form that every parser reads alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeadFault {
    /// Not `METHOD SP target SP HTTP/1.x`: other blanks, no target, an unknown version, a method not in capitals.
    #[error("the request line is not method, target and version")]
    RequestLine,
    /// A target that no request line may hold: a fragment, or neither a path nor a URL of http or https.
    #[error("the target has a fragment or is neither a path nor an http URL")]
    Target,
    /// A character that RFC 3986 does not allow in a target and that cannot be forwarded as it came.
    #[error("the target holds a character that has to be percent-encoded")]
    TargetCharacter,
    /// A line that ends in a bare line feed, or a carriage return within a line (RFC 9112 §2.2).
    #[error("a line does not end in CR LF")]
    LineEnd,
    /// A field that goes on in the next line (RFC 9112 §5.2).
    #[error("a folded field line")]
    Folded,
    /// No name, a name that is no token, or whitespace before the colon (RFC 9112 §5.1).
    #[error("a field name that is no token")]
    FieldName,
    /// A control character in a field.
    #[error("a control character")]
    Control,
    /// Content-Length is not one plain decimal number.
    #[error("content-length is not one decimal number")]
    ContentLength,
    /// Content-Length beside Transfer-Encoding (RFC 9112 §6.1).
    #[error("content-length beside transfer-encoding")]
    LengthAndCoding,
    /// Transfer-Encoding is not exactly `chunked`, or stands in a request of HTTP/1.0.
    #[error("transfer-encoding is not exactly chunked")]
    TransferCoding,
    /// Expect is not exactly `100-continue` (RFC 9110 §10.1.1).
    #[error("an expectation other than 100-continue")]
    Expectation,
    /// Connection names a field that every request needs, or something that is no field (RFC 9110 §7.6.1).
    #[error("the connection field names what it may not")]
    Connection,
}

/// How the end of a request's body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLength {
    /// After this many bytes; zero where the request has no body.
    Bytes(u64),
    /// After its last chunk.
    Chunked,
}

/// A head that has one reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireHead {
    /// The length of the head in bytes, its empty line included.
    pub end: usize,
    /// How long its body is.
    pub body: BodyLength,
    /// Where path and query stand, if the target is a whole URL. Its authority is the Host field's.
    pub absolute: Option<AbsoluteTarget>,
}

/// A target in absolute form (RFC 9112 §3.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbsoluteTarget {
    /// The whole target.
    pub target: Range<usize>,
    /// The part of it behind the authority; may be empty.
    pub origin_form: Range<usize>,
}

/// The most fields that the HTTP library behind takes.
pub const MOST_FIELDS: usize = 256;
/// The longest target that the HTTP library behind takes.
pub const LONGEST_TARGET: usize = 65_000;
/// The longest field name.
const LONGEST_NAME: usize = 4_096;

/// Reads the head at the start of `bytes`; `None` while it is not whole.
///
/// # Errors
/// The first thing found that two parsers could read differently, as soon as it is there.
pub fn read(bytes: &[u8]) -> Result<Option<WireHead>, GateError> {
    let start = empty_lines(bytes);
    let text = bytes.get(start..).unwrap_or_default();
    match text.first() {
        // what is not HTTP at all, such as a TLS handshake, is not waited for
        Some(byte) if !byte.is_ascii_uppercase() && text != b"\r" => {
            return Err(if *byte == b'\n' {
                HeadFault::LineEnd.into()
            } else {
                HeadFault::RequestLine.into()
            });
        }
        _ => {}
    }
    let mut feeds = memchr_iter(b'\n', text);
    let Some(first) = feeds.next() else {
        return Ok(None);
    };
    let request = RequestLine::read(line(text, 0, first)?)?;
    let (mut from, mut lines, mut fields) = (first + 1, 1, Fields::default());
    for feed in feeds {
        let field = line(text, from, feed)?;
        from = feed + 1;
        lines += 1;
        if field.is_empty() {
            let head = text.get(..from).unwrap_or_default();
            // each line has been seen to end in two of them
            if controls(head) != 2 * lines {
                cold_path();
                let returns = memchr_iter(b'\r', head).count();
                return Err(match returns == lines {
                    true => HeadFault::Control.into(),
                    false => HeadFault::LineEnd.into(),
                });
            }
            return Ok(Some(WireHead {
                end: start + from,
                body: fields.body(&request)?,
                absolute: absolute(&request, start, &fields)?,
            }));
        }
        fields.take(field)?;
    }
    Ok(None)
}

/// The method that the head at the start of `bytes` begins with, if it has one.
pub fn method_of(bytes: &[u8]) -> Option<&str> {
    let text = bytes.get(empty_lines(bytes)..)?;
    let method = text.get(..memchr(b' ', text.get(..=LONGEST_METHOD).unwrap_or(text))?)?;
    if is_method(method) {
        std::str::from_utf8(method).ok()
    } else {
        None
    }
}

/// The length of the empty lines before a request line, which RFC 9112 §2.2 has servers skip.
fn empty_lines(bytes: &[u8]) -> usize {
    let pairs = bytes.chunks_exact(2);
    2 * pairs.take_while(|pair| *pair == b"\r\n").count()
}

/// The line from `from` to the line feed at `feed`, without its end.
fn line(text: &[u8], from: usize, feed: usize) -> Result<&[u8], HeadFault> {
    let line = text.get(from..feed).unwrap_or_default();
    line.strip_suffix(b"\r").ok_or(HeadFault::LineEnd)
}

/// Returns the number of control characters, tabs not counted. Written so that the compiler looks at many at once: of a
/// piece that is no longer than this, a byte counts them all.
fn controls(head: &[u8]) -> usize {
    const PIECE: usize = 240;
    let is_control = |byte: u8| u8::from((byte < b' ' && byte != b'\t') || byte == 0x7f);
    head.chunks(PIECE)
        .map(|piece| {
            let found = piece
                .iter()
                .fold(0_u8, |found, byte| found.wrapping_add(is_control(*byte)));
            usize::from(found)
        })
        .sum()
}

struct RequestLine<'a> {
    /// Where the target begins in the line.
    at: usize,
    target: &'a [u8],
    minor: Minor,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Minor {
    Zero,
    One,
}

/// Longer than every registered method.
const LONGEST_METHOD: usize = 32;

impl<'a> RequestLine<'a> {
    fn read(line: &'a [u8]) -> Result<Self, GateError> {
        let (rest, minor) = match line.strip_suffix(b" HTTP/1.1") {
            Some(rest) => (rest, Minor::One),
            None => match line.strip_suffix(b" HTTP/1.0") {
                Some(rest) => (rest, Minor::Zero),
                None => return Err(HeadFault::RequestLine.into()),
            },
        };
        let blank = memchr(b' ', rest).ok_or(HeadFault::RequestLine)?;
        let (method, target) = rest.split_at(blank);
        let target = target.get(1..).unwrap_or_default();
        if !is_method(method) || target.is_empty() {
            return Err(HeadFault::RequestLine.into());
        }
        if method == b"CONNECT" {
            return Err(GateError::MethodNotForwarded);
        }
        if target.len() > LONGEST_TARGET {
            return Err(GateError::TargetTooLong {
                limit: LONGEST_TARGET,
            });
        }
        check_target(target)?;
        Ok(Self {
            at: blank + 1,
            target,
            minor,
        })
    }
}

/// Methods are case-sensitive and all registered ones are in capitals (RFC 9110 §9.1): another spelling is a guess.
fn is_method(method: &[u8]) -> bool {
    let tail = |byte: &u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_');
    method.len() <= LONGEST_METHOD
        && method.first().is_some_and(u8::is_ascii_uppercase)
        && method.iter().all(tail)
}

fn check_target(target: &[u8]) -> Result<(), HeadFault> {
    let query = memchr(b'?', target).unwrap_or(target.len());
    let (path, query) = target.split_at(query);
    let bad = |bytes: &[u8], place: u8| {
        let mut bytes = bytes.iter();
        bytes.find(|byte| class(**byte) & place != 0).copied()
    };
    match bad(path, IN_PATH).or_else(|| bad(query, IN_QUERY)) {
        None if target.is_ascii() || std::str::from_utf8(target).is_ok() => Ok(()),
        // no library keeps these bytes as they are
        None => Err(HeadFault::TargetCharacter),
        Some(b'#') => Err(HeadFault::Target),
        Some(b'<' | b'>' | b'"' | b'`') => Err(HeadFault::TargetCharacter),
        Some(_) => Err(HeadFault::RequestLine),
    }
}

const IN_PATH: u8 = 1;
const IN_QUERY: u8 = 2;
const NO_TOKEN: u8 = 4;

/// Where a byte may not stand.
fn class(byte: u8) -> u8 {
    // an array of all bytes is indexed by a byte
    CLASSES.get(usize::from(byte)).copied().unwrap_or(u8::MAX)
}

static CLASSES: [u8; 256] = classes();

#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let text = byte as u8;
        if text <= b' ' || text == 0x7f || matches!(text, b'#' | b'<' | b'>') {
            classes[byte] |= IN_PATH | IN_QUERY;
        }
        if text == b'`' {
            classes[byte] |= IN_PATH;
        }
        if text == b'"' {
            classes[byte] |= IN_QUERY;
        }
        let token = text.is_ascii_alphanumeric()
            || matches!(
                text,
                b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.'
            )
            || matches!(text, b'^' | b'_' | b'`' | b'|' | b'~');
        if !token {
            classes[byte] |= NO_TOKEN;
        }
        byte += 1;
    }
    classes
}

/// Whether `byte` may stand in the name of a field (RFC 9110 §5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    class(byte) & NO_TOKEN == 0
}

/// What of the fields decides on the message itself.
#[derive(Default)]
struct Fields<'a> {
    count: usize,
    host: Option<&'a [u8]>,
    length: Option<&'a [u8]>,
    coding: Option<&'a [u8]>,
    expectation: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn take(&mut self, line: &'a [u8]) -> Result<(), GateError> {
        self.count += 1;
        let end = line.iter().position(|byte| !is_token(*byte));
        let (name, value) = match end.map(|end| line.split_at(end)) {
            Some((name, [b':', value @ ..])) if !name.is_empty() => (name, value),
            Some(([], [b' ' | b'\t', ..])) => return Err(HeadFault::Folded.into()),
            _ => return Err(HeadFault::FieldName.into()),
        };
        if self.count > MOST_FIELDS || name.len() > LONGEST_NAME {
            return Err(GateError::TooManyFields);
        }
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                once(&mut self.host, value, HostFault::Several)?
            }
            6 if name.eq_ignore_ascii_case(b"expect") => {
                once(&mut self.expectation, value, HeadFault::Expectation)?
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                once(&mut self.length, value, HeadFault::ContentLength)?
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                once(&mut self.coding, value, HeadFault::TransferCoding)?
            }
            _ => {}
        }
        Ok(())
    }

    fn body(&self, request: &RequestLine<'_>) -> Result<BodyLength, GateError> {
        // the HTTP library behind refuses this without saying anything
        if self.host.is_some_and(|host| host.contains(&b'@')) {
            return Err(HostFault::Malformed.into());
        }
        if self.expectation.is_some_and(|value| !is_continue(value)) {
            return Err(HeadFault::Expectation.into());
        }
        match (self.length, self.coding) {
            (None, None) => Ok(BodyLength::Bytes(0)),
            (Some(_), Some(_)) => Err(HeadFault::LengthAndCoding.into()),
            (Some(length), None) => decimal(length)
                .map(BodyLength::Bytes)
                .ok_or(HeadFault::ContentLength.into()),
            (None, Some(coding)) => {
                if request.minor == Minor::One && coding.eq_ignore_ascii_case(b"chunked") {
                    Ok(BodyLength::Chunked)
                } else {
                    Err(HeadFault::TransferCoding.into())
                }
            }
        }
    }
}

/// Looks at a head of HTTP/2 or of nobody's, which has no bytes of its own: an API of HTTP/1 would get them in the form that
/// [`read`] refuses.
///
/// # Errors
/// What two parsers of HTTP/1 could read differently.
pub fn check_parsed(head: &Parts) -> Result<(), GateError> {
    if !is_method(head.method.as_str().as_bytes()) {
        return Err(HeadFault::RequestLine.into());
    }
    if head.method == Method::CONNECT {
        return Err(GateError::MethodNotForwarded);
    }
    let is_http = |scheme: &Scheme| *scheme == Scheme::HTTPS || *scheme == Scheme::HTTP;
    if !head.uri.scheme().is_none_or(is_http) {
        return Err(HeadFault::Target.into());
    }
    let single = |name, is_sound: fn(&[u8]) -> bool| {
        let mut values = head.headers.get_all(name).iter();
        let first = values.next();
        first.is_none_or(|value| is_sound(value.as_bytes()) && values.next().is_none())
    };
    if !single(header::CONTENT_LENGTH, |value| decimal(value).is_some()) {
        return Err(HeadFault::ContentLength.into());
    }
    if !single(header::EXPECT, is_continue) {
        return Err(HeadFault::Expectation.into());
    }
    Ok(())
}

/// The only expectation there is.
fn is_continue(expectation: &[u8]) -> bool {
    expectation.eq_ignore_ascii_case(b"100-continue")
}

/// Keeps the value of a field of which a request has one at most.
fn once<'a, E>(kept: &mut Option<&'a [u8]>, value: &'a [u8], twice: E) -> Result<(), E> {
    match kept.replace(blank_trimmed(value)) {
        None => Ok(()),
        Some(_) => Err(twice),
    }
}

/// Without the blanks that may stand around a field's value (RFC 9110 §5.6.3).
fn blank_trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// A number of digits alone, without a leading zero: some read that as octal.
fn decimal(text: &[u8]) -> Option<u64> {
    const MOST_DIGITS: usize = 18;
    let plain = match text {
        [] | [b'0', _, ..] => false,
        _ => text.len() <= MOST_DIGITS && text.iter().all(u8::is_ascii_digit),
    };
    let fold = |number, digit: &u8| number * 10 + u64::from(*digit - b'0');
    plain.then(|| text.iter().fold(0, fold))
}

/// Where path and query stand in a target that is a URL; `None` for a target that is none.
fn absolute(
    request: &RequestLine<'_>,
    start: usize,
    fields: &Fields<'_>,
) -> Result<Option<AbsoluteTarget>, GateError> {
    let target = request.target;
    // an asterisk is looked at like a path that is none
    if target.starts_with(b"/") || target == b"*" {
        return Ok(None);
    }
    cold_path();
    let (authority, port) = after(target, b"http://")
        .map(|rest| (rest, 80))
        .or_else(|| after(target, b"https://").map(|rest| (rest, 443)))
        .ok_or(HeadFault::Target)?;
    let path = authority
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?'));
    let (authority, path) = authority.split_at(path.unwrap_or(authority.len()));
    let host = Host::read(fields.host.unwrap_or_default())?;
    if !host.is_also(&Host::read(authority)?, port) {
        return Err(GateError::AuthorityMismatch);
    }
    let end = start + request.at + target.len();
    Ok(Some(AbsoluteTarget {
        target: start + request.at..end,
        origin_form: end - path.len()..end,
    }))
}

/// What stands behind `scheme`, in whatever case it is written.
fn after<'a>(target: &'a [u8], scheme: &[u8]) -> Option<&'a [u8]> {
    let (begin, rest) = target.split_at_checked(scheme.len())?;
    begin.eq_ignore_ascii_case(scheme).then_some(rest)
}

impl WireHead {
    /// The head at the start of `bytes` with its target in origin form, the only one that is forwarded. An empty path is
    /// `/`, for OPTIONS without a query `*` (RFC 9112 §3.2.4).
    pub fn in_origin_form(&self, bytes: &[u8], absolute: &AbsoluteTarget) -> Vec<u8> {
        let part = |range: Range<usize>| bytes.get(range).unwrap_or_default();
        let path = part(absolute.origin_form.clone());
        let before = part(0..absolute.target.start);
        let mut head = Vec::with_capacity(self.end + 1);
        head.extend_from_slice(before);
        if path.is_empty() && before.ends_with(b"OPTIONS ") {
            head.push(b'*');
        } else if !path.starts_with(b"/") {
            head.push(b'/');
        }
        head.extend_from_slice(path);
        head.extend_from_slice(part(absolute.target.end..self.end));
        head
    }
}

#[cfg(test)]
mod tests;
