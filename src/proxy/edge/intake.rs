//! What becomes of the bytes at the start of a request: they pass as they came, in another spelling of the same, or not
//! at all. And how far the body of a request goes. Pure: no I/O and no time.

use std::hint::cold_path;

use crate::gate::wire::{self, BodyLength};
use crate::gate::{Chunks, GateError};

/// What becomes of bytes at the start of a request.
#[derive(Debug)]
pub(super) enum Intake {
    /// They hold no whole head.
    Open,
    /// This many of them are one request, or its begin, and pass as they came.
    Passed(usize, Body),
    /// As many are one request, and pass in another spelling.
    Respelled(usize, Vec<u8>, Body),
    /// They are no request that has one reading.
    Refused(GateError),
}

/// What is still to come of a request that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// So many bytes; none: the next byte is the next request's.
    Bytes(u64),
    Chunked(Chunks),
    /// Whatever comes: a tunnel, or HTTP/2.
    Endless,
}

/// Looks at bytes at the start of a request, whose head may have `cap` bytes.
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

/// The head that the parser gets in place of one that is refused. It names nothing that is served; of the refused one it
/// has the method, which decides on the form of an answer.
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

    /// Takes the next bytes into account; gives how many of them are the body's.
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

    /// Nothing more belongs to the request.
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
