//! Media types of streaming responses: server-sent events, newline-delimited records, gRPC.
//!
//! A streaming response may be silent for as long as `idle` allows. Until its head arrives, the request decides whether a
//! stream is expected; from then on the Content-Type of the response decides.

use super::hygiene::Sole;
use http::{HeaderMap, header};
use memchr::memchr;

/// Media types of streaming responses, in lower case.
const STREAMS: [&str; 14] = [
    "text/event-stream",
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonl",
    "application/jsonlines",
    "application/x-jsonlines",
    "application/json-seq",
    "application/stream+json",
    "application/x-json-stream",
    "application/vnd.amazon.eventstream",
    "application/vnd.apache.arrow.stream",
    "multipart/x-mixed-replace",
    "application/grpc",
];

/// Prefixes of further streaming types: `application/grpc+proto`, `application/grpc-web-text`,
/// `application/connect+json`.
const FAMILIES: [&str; 3] = [
    "application/grpc+",
    "application/grpc-web",
    "application/connect+",
];

/// Returns `true` if the Accept fields name a streaming type (RFC 9110 §12.5.1). Ranges such as `*/*` do not count, and
/// a type with `q=0` is not accepted.
pub(super) fn accepts_stream(fields: &HeaderMap) -> bool {
    let accept = fields.get_all(header::ACCEPT);
    accept.iter().any(|value| {
        let value = value.as_bytes();
        // most clients name one type and nothing else
        let several = value.iter().fold(false, |several, byte| {
            several | matches!(*byte, b',' | b';' | b'"')
        });
        match several {
            true => split(value, b',').any(accepts_this_stream),
            false => is_stream(value),
        }
    })
}

fn accepts_this_stream(range: &[u8]) -> bool {
    let mut parts = split(range, b';');
    parts.next().is_some_and(is_stream) && !parts.any(excludes)
}

/// Returns `true` if the Content-Type is a streaming type. Several Content-Type fields do not count.
pub(super) fn is_stream_type(content_type: Sole<'_>) -> bool {
    let Sole::One(value) = content_type else {
        return false;
    };
    let value = value.as_bytes();
    // the name of a type contains no quoted string: its parameters begin at the first semicolon
    let end = memchr(b';', value).unwrap_or(value.len());
    value.get(..end).is_some_and(is_stream)
}

/// Returns `true` if a request is a streaming call (gRPC or Connect), whose response head may arrive with the first
/// message.
pub(super) fn is_streaming_call(fields: &HeaderMap) -> bool {
    let mut values = fields.get_all(header::CONTENT_TYPE).iter();
    let sole = values.next().filter(|_| values.next().is_none());
    sole.is_some_and(|value| {
        let value = value.as_bytes().trim_ascii_start();
        [&b"application/grpc"[..], b"application/connect+"]
            .iter()
            .any(|prefix| {
                value
                    .get(..prefix.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
            })
    })
}

fn is_stream(media_type: &[u8]) -> bool {
    let media_type = media_type.trim_ascii();
    STREAMS
        .iter()
        .any(|known| media_type.eq_ignore_ascii_case(known.as_bytes()))
        || FAMILIES.iter().any(|family| {
            media_type
                .get(..family.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(family.as_bytes()))
        })
}

/// Returns `true` if a parameter is a weight of zero (RFC 9110 §12.4.2).
fn excludes(parameter: &[u8]) -> bool {
    let mut sides = parameter.splitn(2, |byte| *byte == b'=');
    let name = sides.next().unwrap_or_default().trim_ascii();
    let weight = sides.next().unwrap_or_default().trim_ascii();
    let (whole, fraction) = weight.split_at_checked(1).unwrap_or((weight, b""));
    name.eq_ignore_ascii_case(b"q")
        && whole == b"0"
        && (fraction.is_empty()
            || fraction
                .strip_prefix(b".")
                .is_some_and(|digits| digits.iter().all(|digit| *digit == b'0')))
}

/// Splits a list at `separator`, except within quoted strings (RFC 9110 §5.6.4).
fn split(list: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    list.split(move |byte| {
        if escaped {
            escaped = false;
        } else if quoted && *byte == b'\\' {
            escaped = true;
        } else if *byte == b'"' {
            quoted = !quoted;
        }
        !quoted && *byte == separator
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::hygiene::Look;
    use http::HeaderValue;

    fn accepts(values: &[&'static str]) -> bool {
        let mut fields = HeaderMap::new();
        for value in values {
            fields.append(header::ACCEPT, HeaderValue::from_static(value));
        }
        accepts_stream(&fields)
    }

    #[test]
    fn a_stream_is_found_wherever_an_accept_list_names_it() {
        for named in [
            &["text/event-stream"][..],
            &["application/json, text/event-stream"],
            &["text/event-stream, application/json"],
            &["application/json,text/event-stream"],
            &["TEXT/Event-Stream"],
            &["text/event-stream;charset=utf-8"],
            &["text/event-stream ; q=0.5"],
            &["text/event-stream;q=0.001"],
            &["text/event-stream;q=1.000, */*;q=0"],
            &["application/json", "text/event-stream"],
            &["", " , ,text/event-stream,"],
            &["application/json;note=\"a, b\", text/event-stream"],
            &["text/plain;a=\"\\\"\", text/event-stream"],
            &["\ttext/event-stream\t"],
            &["text/event-stream;q=0, text/event-stream;q=1"],
            &["application/x-ndjson"],
            &["application/GRPC+proto"],
            &["application/grpc-web-text"],
            &["multipart/x-mixed-replace;boundary=x"],
        ] {
            assert!(accepts(named), "{named:?}");
        }
    }

    #[test]
    fn nothing_else_in_an_accept_list_is_a_stream() {
        for other in [
            &[][..],
            &[""],
            &["*/*"],
            &["text/*"],
            &["application/json"],
            &["text/event-streams"],
            &["text/event-strea"],
            &["text / event-stream"],
            &["x-text/event-stream"],
            &["text/event-stream;q=0"],
            &["text/event-stream; Q=0.000"],
            &["text/event-stream;q=0."],
            &["text/event-stream; a=b ;q = 0"],
            &["application/json;note=\"text/event-stream\""],
            &["application/json;note=\", text/event-stream"],
            &["application/json;note=\"\\\", text/event-stream\""],
            &["application/json, */*;q=0.1"],
            &["application/grpcs"],
            &["application/json;text/event-stream"],
        ] {
            assert!(!accepts(other), "{other:?}");
        }
    }

    #[test]
    fn the_type_of_a_response_is_one_value_whatever_its_parameters() {
        let types = |values: &[&'static str]| {
            let mut fields = HeaderMap::new();
            for value in values {
                fields.append(header::CONTENT_TYPE, HeaderValue::from_static(value));
            }
            let look = Look::at(&fields, [None, None]).unwrap();
            is_stream_type(look.media_type)
        };
        for stream in [
            "text/event-stream",
            "Text/Event-Stream; charset=\"utf-8\"",
            " application/x-ndjson",
            "application/stream+json;q=0",
            "application/grpc",
            "application/connect+json",
        ] {
            assert!(types(&[stream]), "{stream}");
        }
        for other in [
            &[][..],
            &["application/json"],
            &["text/plain; x=text/event-stream"],
            &["application/json, text/event-stream"],
            &["text/event-stream", "text/event-stream"],
        ] {
            assert!(!types(other), "{other:?}");
        }
    }
}
