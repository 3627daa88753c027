//! The head of an HTTP/1 request as received bytes, before a parser has corrected anything (RFC 9112).
//!
//! HTTP libraries correct some errors: they escape a space in the target, cut off a fragment, or accept a line without
//! its carriage return. A server before or behind the gateway may correct the same error differently. Therefore each
//! head is first parsed here by the strict grammar, and everything with a second interpretation is refused. The parser
//! makes one pass and no allocation.

pub use super::error::HeadFault;
use super::{GateError, Host, HostFault, limits::MOST_FIELDS};
use http::{Method, header, request::Parts, uri::Scheme};
use memchr::{memchr, memchr_iter};
use std::{hint::cold_path, ops::Range};

/// How the end of a request body is determined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLength {
    /// After this many bytes. Zero if the request has no body.
    Bytes(u64),
    /// After its last chunk.
    Chunked,
}

/// A head with only one interpretation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireHead {
    /// The length of the head in bytes, including its empty line.
    pub end: usize,
    /// How the end of the body is determined.
    pub body: BodyLength,
    /// The position of path and query, if the target is a full URL. Its authority equals the Host field.
    pub absolute: Option<AbsoluteTarget>,
}

/// A target in absolute form (RFC 9112 §3.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbsoluteTarget {
    /// The whole target.
    pub target: Range<usize>,
    /// The part after the authority. It may be empty.
    pub origin_form: Range<usize>,
}

/// The maximum length of a target that the HTTP library accepts.
pub const LONGEST_TARGET: usize = 65_000;
/// The maximum length of a field name.
const LONGEST_NAME: usize = 4_096;

/// Parses the head at the start of `bytes`. Returns `None` while it is incomplete.
///
/// # Errors
/// The first part that two parsers could interpret differently, as soon as it has arrived.
pub fn read(bytes: &[u8]) -> Result<Option<WireHead>, GateError> {
    let start = empty_lines(bytes);
    let text = bytes.get(start..).unwrap_or_default();
    match text.first() {
        // for data that is not HTTP, such as a TLS handshake, the parser does not wait for more
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
            // every line was checked to end with CR LF, which are two control characters
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

/// Returns the method at the start of `bytes`, if there is one.
pub fn method_of(bytes: &[u8]) -> Option<&str> {
    let text = bytes.get(empty_lines(bytes)..)?;
    let method = text.get(..memchr(b' ', text.get(..=LONGEST_METHOD).unwrap_or(text))?)?;
    if is_method(method) {
        std::str::from_utf8(method).ok()
    } else {
        None
    }
}

/// Returns the length of the empty lines before a request line. RFC 9112 §2.2 requires servers to skip them.
fn empty_lines(bytes: &[u8]) -> usize {
    let pairs = bytes.chunks_exact(2);
    2 * pairs.take_while(|pair| *pair == b"\r\n").count()
}

/// Returns the line from `from` to the line feed at `feed`, without its line end.
fn line(text: &[u8], from: usize, feed: usize) -> Result<&[u8], HeadFault> {
    let line = text.get(from..feed).unwrap_or_default();
    line.strip_suffix(b"\r").ok_or(HeadFault::LineEnd)
}

/// Returns the number of control characters, not counting tabs. It is written so that the compiler vectorizes it: a
/// piece is short enough to count its characters in one byte.
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
    /// The position of the target in the line.
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

/// Methods are case-sensitive, and all registered ones are in capitals (RFC 9110 §9.1). Other spellings are refused.
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
        // no library keeps these bytes unchanged
        None => Err(HeadFault::TargetCharacter),
        Some(b'#') => Err(HeadFault::Target),
        Some(b'<' | b'>' | b'"' | b'`') => Err(HeadFault::TargetCharacter),
        Some(_) => Err(HeadFault::RequestLine),
    }
}

const IN_PATH: u8 = 1;
const IN_QUERY: u8 = 2;
const NO_TOKEN: u8 = 4;

/// Returns the contexts in which a byte is not allowed.
fn class(byte: u8) -> u8 {
    // every byte is a valid index of an array with 256 elements
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

/// Returns `true` if `byte` is allowed in a field name (RFC 9110 §5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    class(byte) & NO_TOKEN == 0
}

/// The fields that determine the framing and the host of the message.
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
        // the HTTP library refuses this without a reason
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

/// Checks a head that was not received as HTTP/1 bytes, such as one of HTTP/2. An HTTP/1 upstream would receive it in a
/// form that [`read`] refuses.
///
/// # Errors
/// The first part that two HTTP/1 parsers could interpret differently.
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

/// The only expectation that is defined.
fn is_continue(expectation: &[u8]) -> bool {
    expectation.eq_ignore_ascii_case(b"100-continue")
}

/// Stores the value of a field that a request may have only once.
fn once<'a, E>(kept: &mut Option<&'a [u8]>, value: &'a [u8], twice: E) -> Result<(), E> {
    match kept.replace(blank_trimmed(value)) {
        None => Ok(()),
        Some(_) => Err(twice),
    }
}

/// Removes the whitespace around a field's value (RFC 9110 §5.6.3).
fn blank_trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Parses a number of only digits. A leading zero is refused, because some parsers read it as octal.
fn decimal(text: &[u8]) -> Option<u64> {
    const MOST_DIGITS: usize = 18;
    let plain = match text {
        [] | [b'0', _, ..] => false,
        _ => text.len() <= MOST_DIGITS && text.iter().all(u8::is_ascii_digit),
    };
    let fold = |number, digit: &u8| number * 10 + u64::from(*digit - b'0');
    plain.then(|| text.iter().fold(0, fold))
}

/// Returns the position of path and query in a target that is a URL. Returns `None` for other targets.
fn absolute(
    request: &RequestLine<'_>,
    start: usize,
    fields: &Fields<'_>,
) -> Result<Option<AbsoluteTarget>, GateError> {
    let target = request.target;
    // an asterisk is handled like a path, although it is not one
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

/// Returns the part after `scheme`, which is compared without case.
fn after<'a>(target: &'a [u8], scheme: &[u8]) -> Option<&'a [u8]> {
    let (begin, rest) = target.split_at_checked(scheme.len())?;
    begin.eq_ignore_ascii_case(scheme).then_some(rest)
}

impl WireHead {
    /// Returns the head at the start of `bytes` with its target in origin form, the only form that is forwarded. An
    /// empty path becomes `/`, or `*` for OPTIONS without a query (RFC 9112 §3.2.4).
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
