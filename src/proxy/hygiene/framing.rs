//! Checks that the head of an upstream's response can be read in only one way.
//!
//! pingora's parser accepts more than the gateway may forward: line breaks in values, lists of lengths, unknown
//! codings. A response with more than one reading is refused (RFC 9112 §6.3, §11.1), and its connection is discarded.

use super::words::{any_word, has_below};
use http::{HeaderValue, Method, StatusCode, Version, header};
use memchr::memchr3;
use pingora::http::ResponseHeader;
use std::hint::cold_path;

/// Maximum size of the fields of one response in bytes, names and values together.
pub(in crate::proxy) const MAX_HEAD: usize = 64 << 10;

/// Why a response head cannot be forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum Unreadable {
    /// A status outside of 100 to 599 (RFC 9110 §15).
    Status,
    /// The upstream asks the gateway for a proxy's credentials (RFC 9110 §15.5.8).
    ProxyAuthentication,
    /// Transfer-Encoding is not exactly one `chunked`.
    TransferCoding,
    /// Transfer-Encoding in an HTTP/1.0 response (RFC 9112 §6.1).
    CodingInHttp10,
    /// Transfer-Encoding or Content-Length in a response that has no body (RFC 9110 §8.6, RFC 9112 §6.1).
    FramingWithoutBody,
    /// Content-Length is not exactly one decimal number.
    ContentLength,
    /// A line break or a NUL in a value (RFC 9112 §5.2, RFC 9110 §5.5).
    FieldValue,
    /// Larger than [`MAX_HEAD`].
    TooLarge,
    /// Too many informational responses.
    Informational,
}

impl Unreadable {
    /// Returns the text for the log.
    pub(in crate::proxy) const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status outside of 100 to 599",
            Self::ProxyAuthentication => "status 407, which only a proxy may send",
            Self::TransferCoding => "Transfer-Encoding is not exactly one `chunked`",
            Self::CodingInHttp10 => "Transfer-Encoding in a response of HTTP/1.0",
            Self::FramingWithoutBody => "length or coding on a response without a body",
            Self::ContentLength => "Content-Length is not exactly one decimal number",
            Self::FieldValue => "line break or NUL in a field value",
            Self::TooLarge => "response head over 64 KiB",
            Self::Informational => "too many informational responses",
        }
    }
}

/// What follows the head of a response, according to the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum Follows {
    /// Nothing, or bytes until the connection ends.
    Nothing,
    /// At least one byte, or the last chunk.
    Body,
}

/// A field that may occur only once.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::proxy) enum Sole<'a> {
    /// The field is absent.
    #[default]
    Absent,
    /// The field occurs once, with this value.
    One(&'a HeaderValue),
    /// The field occurs several times.
    Several,
}

impl<'a> Sole<'a> {
    pub(super) fn add(&mut self, value: &'a HeaderValue) {
        *self = match self {
            Self::Absent => Self::One(value),
            Self::One(_) | Self::Several => Self::Several,
        };
    }
}

/// What has to be changed in a head before it can be forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum Repair {
    /// Nothing.
    Nothing,
    /// A Content-Length without meaning is removed.
    DropLength,
    /// The transfer coding is written in its canonical spelling.
    SpellCoding,
}

impl Repair {
    /// Applies the change to `head`.
    pub(in crate::proxy) fn apply(self, head: &mut ResponseHeader) {
        match self {
            Self::Nothing => {}
            Self::DropLength => {
                head.remove_header(&header::CONTENT_LENGTH);
            }
            Self::SpellCoding => {
                let chunked = HeaderValue::from_static("chunked");
                // the name is in the map already, so nothing is added
                let _ = head.insert_header(header::TRANSFER_ENCODING, chunked);
            }
        }
    }
}

/// Checks the framing of the response `head` to a request of `method`: `coding` is its Transfer-Encoding, `length` its
/// Content-Length. Returns what is certain to follow the head.
///
/// # Errors
/// The response can be read in more than one way, or in none.
pub(in crate::proxy) fn check_framing(
    head: &ResponseHeader,
    method: &Method,
    coding: Sole<'_>,
    length: Sole<'_>,
) -> Result<(Follows, Repair), Unreadable> {
    let status = head.status;
    if status.as_u16() > 599 {
        return Err(Unreadable::Status);
    }
    if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        return Err(Unreadable::ProxyAuthentication);
    }
    let coded = check_coding(coding, head.version)?;
    let length = one_length(length)?;
    let bodiless = status.is_informational() || status == StatusCode::NO_CONTENT;
    let announced = length.map_or(coded, |length| !is_zero(length));
    let without = bodiless || status == StatusCode::NOT_MODIFIED || *method == Method::HEAD;
    let repair = if bodiless && (coded || length.is_some()) {
        cold_path();
        // `Content-Length: 0` on a 204 is common, wrong, and harmless once it is removed
        let harmless = !coded && length.is_some_and(is_zero);
        if !harmless {
            return Err(Unreadable::FramingWithoutBody);
        }
        Repair::DropLength
    } else if coded && *method != Method::HEAD {
        cold_path();
        Repair::SpellCoding
    } else {
        Repair::Nothing
    };
    let follows = match announced && !without {
        true => Follows::Body,
        false => Follows::Nothing,
    };
    Ok((follows, repair))
}

/// Returns `true` if `value` is a single line. The parser keeps folded lines as they arrived.
pub(in crate::proxy) fn is_one_line(value: &[u8]) -> bool {
    // the three characters that break a line are in this range, and few others
    let may_break = any_word(value, |word| has_below(word, b'\r' + 1));
    if !may_break {
        return true;
    }
    cold_path();
    memchr3(b'\r', b'\n', 0, value).is_none()
}

/// Returns `true` if there is a transfer coding, which is then `chunked`.
fn check_coding(coding: Sole<'_>, version: Version) -> Result<bool, Unreadable> {
    match coding {
        Sole::Absent => Ok(false),
        Sole::One(_) | Sole::Several if version == Version::HTTP_10 => {
            Err(Unreadable::CodingInHttp10)
        }
        Sole::One(coding) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(true),
        Sole::One(_) | Sole::Several => Err(Unreadable::TransferCoding),
    }
}

/// Returns the length, if there is exactly one.
fn one_length(length: Sole<'_>) -> Result<Option<&HeaderValue>, Unreadable> {
    match length {
        Sole::Absent => Ok(None),
        Sole::One(length) if is_decimal(length.as_bytes()) => Ok(Some(length)),
        Sole::One(_) | Sole::Several => Err(Unreadable::ContentLength),
    }
}

fn is_decimal(text: &[u8]) -> bool {
    (1..=19).contains(&text.len()) && text.iter().all(u8::is_ascii_digit)
}

fn is_zero(length: &HeaderValue) -> bool {
    length.as_bytes().iter().all(|byte| *byte == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::hygiene::Look;

    fn checked(status: u16, version: Version, fields: &[(&'static str, &str)]) -> Checked {
        let mut head = ResponseHeader::build(status, None).unwrap();
        head.set_version(version);
        for (name, value) in fields {
            head.append_header(*name, *value).unwrap();
        }
        let look = Look::at(&head.headers, [None, None]).unwrap();
        let (_, repair) = check_framing(&head, &Method::GET, look.coding, look.length)?;
        repair.apply(&mut head);
        Ok(head)
    }

    type Checked = Result<ResponseHeader, Unreadable>;

    #[test]
    fn a_coding_counts_only_where_it_is_exactly_chunked() {
        let coded = |value| checked(200, Version::HTTP_11, &[("transfer-encoding", value)]);
        for value in ["chunked", "Chunked", "CHUNKED"] {
            let head = coded(value).unwrap();
            assert_eq!(head.headers["transfer-encoding"], "chunked");
        }
        for value in [
            "",
            "gzip",
            "identity",
            "gzip, chunked",
            "chunked, gzip",
            "chunked, chunked",
            "chunked,",
            "xchunked",
            "chunked;q=1",
            "\"chunked\"",
            "chun ked",
        ] {
            assert_eq!(
                coded(value).unwrap_err(),
                Unreadable::TransferCoding,
                "{value}"
            );
        }
        let twice = [
            ("transfer-encoding", "chunked"),
            ("transfer-encoding", "chunked"),
        ];
        assert_eq!(
            checked(200, Version::HTTP_11, &twice).unwrap_err(),
            Unreadable::TransferCoding
        );
        assert_eq!(
            checked(200, Version::HTTP_10, &twice[..1]).unwrap_err(),
            Unreadable::CodingInHttp10
        );
    }

    #[test]
    fn a_length_counts_only_where_it_is_one_decimal_number() {
        let long = |value| checked(200, Version::HTTP_11, &[("content-length", value)]);
        for value in ["0", "5", "005", "18446744073709551"] {
            assert!(long(value).is_ok(), "{value}");
        }
        for value in [
            "",
            "+5",
            "-5",
            "5, 5",
            "5,",
            "0x5",
            "5.0",
            "5 5",
            "five",
            "99999999999999999999",
        ] {
            assert_eq!(
                long(value).unwrap_err(),
                Unreadable::ContentLength,
                "{value}"
            );
        }
        let twice = [("content-length", "5"), ("content-length", "5")];
        assert!(checked(200, Version::HTTP_11, &twice).is_err());
    }

    #[test]
    fn a_value_is_one_line_unless_a_break_or_a_nul_stands_anywhere_in_it() {
        for length in 0..40 {
            let plain = vec![b'a'; length];
            assert!(is_one_line(&plain));
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    let mut value = plain.clone();
                    value[place] = byte;
                    let breaks = matches!(byte, b'\r' | b'\n' | 0);
                    assert_eq!(
                        is_one_line(&value),
                        !breaks,
                        "{byte} at {place} of {length}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_has_no_body_has_no_framing() {
        let of = |status, name, value| checked(status, Version::HTTP_11, &[(name, value)]);
        assert!(of(204, "content-length", "0").unwrap().headers.is_empty());
        for (status, name, value) in [
            (204, "content-length", "5"),
            (204, "transfer-encoding", "chunked"),
            (103, "content-length", "1"),
            (101, "transfer-encoding", "chunked"),
        ] {
            assert_eq!(
                of(status, name, value).unwrap_err(),
                Unreadable::FramingWithoutBody,
                "{status} {name}"
            );
        }
        assert!(of(304, "content-length", "5").is_ok());
        assert!(of(999, "x", "y").is_err() && of(600, "x", "y").is_err());
        assert!(of(407, "x", "y").is_err() && of(599, "x", "y").is_ok());
    }
}
