//! Decides whether the bytes at the start of a request pass unchanged, pass respelled in origin form, or are refused,
//! and tracks where the body of the request ends. Pure: no I/O and no time.

use std::hint::cold_path;

use crate::gate::wire::{self, BodyLength};
use crate::gate::{Chunks, GateError};

/// The decision about the bytes at the start of a request.
#[derive(Debug)]
pub(super) enum Intake {
    /// They contain no complete head yet.
    Open,
    /// This many of them are one request, or its beginning, and pass unchanged.
    Passed(usize, Body),
    /// This many of them are one request, which passes with its head in origin form.
    Respelled(usize, Vec<u8>, Body),
    /// They can be read in more than one way, or are not a request.
    Refused(GateError),
}

/// The part of the request in progress that has not been read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// This many bytes. With zero, the next byte belongs to the next request.
    Bytes(u64),
    Chunked(Chunks),
    /// Without an end: a tunnel, or HTTP/2.
    Endless,
}

/// Examines the bytes at the start of a request, whose head may have at most `cap` bytes.
pub(super) fn take_in(bytes: &[u8], cap: usize) -> Intake {
    let too_large = GateError::HeadersTooLarge { limit: cap };
    let head = match wire::read(bytes) {
        Ok(Some(head)) if head.end > cap => return Intake::Refused(too_large),
        Ok(Some(head)) => head,
        Ok(None) if bytes.len() > cap => return Intake::Refused(too_large),
        Ok(None) => return Intake::Open,
        Err(error) => return Intake::Refused(error),
    };
    let mut body = Body::of(head.body);
    let rest = bytes.get(head.end..).unwrap_or_default();
    let length = match body.advance(rest) {
        Ok(length) => length,
        Err(error) => return Intake::Refused(error),
    };
    let Some(absolute) = &head.absolute else {
        return Intake::Passed(head.end + length, body);
    };
    cold_path();
    let mut respelled = head.in_origin_form(bytes, absolute);
    respelled.extend_from_slice(rest.get(..length).unwrap_or_default());
    Intake::Respelled(head.end + length, respelled, body)
}

/// Returns the substitute head that the parser gets for a refused one. It names no resource. It has the method of the
/// refused head, because the form of the response depends on it.
pub(super) fn stand_in(refused: &[u8]) -> Vec<u8> {
    let method = wire::method_of(refused).filter(|method| *method != "CONNECT");
    format!(
        "{} * HTTP/1.1\r\nConnection: close\r\n\r\n",
        method.unwrap_or("-")
    )
    .into_bytes()
}

impl Body {
    fn of(length: BodyLength) -> Self {
        match length {
            BodyLength::Bytes(bytes) => Self::Bytes(bytes),
            BodyLength::Chunked => Self::Chunked(Chunks::new()),
        }
    }

    /// Accounts for the next bytes. Returns how many of them belong to the body.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<usize, GateError> {
        match self {
            Self::Bytes(left) => {
                let taken = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                *left -= taken as u64;
                Ok(taken)
            }
            Self::Chunked(chunks) => match chunks.advance(bytes)? {
                None => Ok(bytes.len()),
                Some(end) => {
                    *self = Self::Bytes(0);
                    Ok(end)
                }
            },
            Self::Endless => Ok(bytes.len()),
        }
    }

    /// Returns `true` if no more bytes belong to the request.
    pub(super) fn is_over(&self) -> bool {
        *self == Self::Bytes(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> (usize, Body) {
        let taken = take_in(text.as_bytes(), 1_000);
        let Intake::Passed(length, body) = taken else {
            panic!("{text:?}: {taken:?}");
        };
        (length, body)
    }

    #[test]
    fn a_request_ends_where_its_body_does() {
        let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(taken(get), (get.len(), Body::Bytes(0)));
        assert_eq!(taken(&get.repeat(2)), (get.len(), Body::Bytes(0)));
        let post = "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n";
        assert_eq!(taken(&format!("{post}abc")).1, Body::Bytes(2));
        assert_eq!(
            taken(&format!("{post}abcdef")),
            (post.len() + 5, Body::Bytes(0))
        );
        let chunks = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let whole = format!("{chunks}1\r\nx\r\n0\r\n\r\n");
        assert_eq!(
            taken(&format!("{whole}{get}")),
            (whole.len(), Body::Bytes(0))
        );
        assert!(!taken(&format!("{chunks}1\r\nx\r\n0\r\n")).1.is_over());
    }

    #[test]
    fn a_fault_that_came_with_the_head_refuses_the_request_before_it_is_served() {
        let text = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n0\r\n\r\n";
        assert!(matches!(
            take_in(text, 1_000),
            Intake::Refused(GateError::MalformedBody(_))
        ));
    }

    #[test]
    fn a_head_has_a_cap_and_a_body_none() {
        let head = b"POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\n";
        let message = [head.as_slice(), &[b'x'; 99]].concat();
        assert!(matches!(take_in(&message, head.len()), Intake::Passed(..)));
        for (text, cap) in [(&message[..], head.len() - 1), (&head[..30], 29)] {
            assert!(matches!(
                take_in(text, cap),
                Intake::Refused(GateError::HeadersTooLarge { .. })
            ));
        }
        assert!(matches!(take_in(&head[..30], 30), Intake::Open));
    }

    #[test]
    fn the_stand_in_of_a_refused_head_has_its_method_and_nothing_else_of_it() {
        for (refused, line) in [
            ("HEAD /a b HTTP/1.1\r\n", "HEAD * HTTP/1.1\r\n"),
            ("CONNECT a:1 HTTP/1.1\r\n", "- * HTTP/1.1\r\n"),
            ("get / HTTP/1.1\r\n", "- * HTTP/1.1\r\n"),
            ("\u{16}\u{3}", "- * HTTP/1.1\r\n"),
        ] {
            let head = stand_in(refused.as_bytes());
            assert!(head.starts_with(line.as_bytes()), "{refused}");
            assert!(wire::read(&head).is_ok() || line.starts_with('-'));
        }
    }
}
