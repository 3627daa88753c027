//! Finds the end of a request head that arrives in several reads, and enforces its size limit. Pure: no I/O and no
//! time. The rule is lenient: an empty line ends the head, with CRLF or bare LF, and empty lines before the request
//! line are skipped. A head can therefore not be complete for a later parser and incomplete here. An HTTP/2 connection
//! has a preface of fixed length (RFC 9113 §3.4) instead of a head.

use memchr::memchr;

/// The progress of the bytes that a client has to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Complete; bytes that follow do not belong to the head.
    Whole,
    /// More bytes are needed.
    Open,
    /// Larger than the limit before its end.
    TooLarge,
}

/// The bytes that a client has to send before it is served.
#[derive(Debug)]
pub(crate) struct Head {
    cap: usize,
    seen: usize,
    at: At,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before the request line, where empty lines are skipped (RFC 9112 §2.2).
    Start,
    Line,
    /// After a line feed.
    LineEnd,
    /// After a line feed and a carriage return.
    LineEndReturn,
    /// This many bytes of the HTTP/2 preface are missing.
    Preface(usize),
}

impl Head {
    /// Expects an HTTP/1 request head of at most `cap` bytes.
    pub(crate) fn request(cap: usize) -> Self {
        Self {
            cap,
            seen: 0,
            at: At::Start,
        }
    }

    /// Expects the preface of an HTTP/2 connection.
    pub(crate) fn preface() -> Self {
        Self {
            cap: PREFACE_BYTES,
            seen: 0,
            at: At::Preface(PREFACE_BYTES),
        }
    }

    /// Returns `true` if the preface of HTTP/2 is expected.
    pub(crate) fn is_preface(&self) -> bool {
        matches!(self.at, At::Preface(_))
    }

    /// Returns `true` if no byte has arrived yet.
    pub(crate) fn is_untouched(&self) -> bool {
        self.seen == 0
    }

    /// Accounts for the next bytes. Bytes after the end of the head, in the same read, are not counted.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Progress {
        let before = self.seen;
        self.seen = self.seen.saturating_add(bytes.len());
        if let At::Preface(missing) = self.at {
            let missing = missing.saturating_sub(bytes.len());
            self.at = At::Preface(missing);
            return if missing == 0 {
                Progress::Whole
            } else {
                Progress::Open
            };
        }
        // By far the most reads contain one whole head and nothing else. The last bytes show this; the others need no
        // check. (At the start, an empty line could also be one that is skipped: then there is only CR and LF before
        // it.)
        let all_within_cap = self.seen <= self.cap;
        if all_within_cap
            && bytes.ends_with(b"\n\r\n")
            && (self.at != At::Start || !is_blank(bytes))
        {
            return Progress::Whole;
        }
        match self.end_in(bytes) {
            Some(end) if before.saturating_add(end) <= self.cap => Progress::Whole,
            None if all_within_cap => Progress::Open,
            Some(_) | None => Progress::TooLarge,
        }
    }

    /// Returns the length of the part of `bytes` that belongs to the head, if the head ends in them.
    fn end_in(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            self.at = match (self.at, byte) {
                (At::LineEnd | At::LineEndReturn, b'\n') => return Some(bytes.len() - rest.len()),
                (At::Start, b'\r' | b'\n') => At::Start,
                (At::LineEnd, b'\r') => At::LineEndReturn,
                (At::Line, b'\n') => At::LineEnd,
                (At::Start | At::Line | At::LineEnd | At::LineEndReturn | At::Preface(_), _) => {
                    match memchr(b'\n', rest).and_then(|feed| rest.get(feed + 1..)) {
                        Some(next_line) => {
                            rest = next_line;
                            At::LineEnd
                        }
                        None => {
                            rest = &[];
                            At::Line
                        }
                    }
                }
            };
        }
        None
    }
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
}

/// `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n` (RFC 9113 §3.4).
const PREFACE_BYTES: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"\r\n\nGET / HTTP/1.1\r\nHost: a\r\nX: 1\n\r\n";

    fn fed(pieces: &[&[u8]], cap: usize) -> Progress {
        let mut head = Head::request(cap);
        pieces
            .iter()
            .map(|piece| head.advance(piece))
            .find(|progress| *progress != Progress::Open)
            .unwrap_or(Progress::Open)
    }

    #[test]
    fn a_head_is_whole_at_its_last_byte_however_it_is_cut() {
        for first in 0..HEAD.len() {
            for second in first..HEAD.len() {
                let mut head = Head::request(100);
                let pieces = [
                    &HEAD[..first],
                    &HEAD[first..second],
                    &HEAD[second..HEAD.len() - 1],
                ];
                for piece in pieces {
                    assert_eq!(
                        head.advance(piece),
                        Progress::Open,
                        "cut at {first} and {second}"
                    );
                }
                assert_eq!(
                    head.advance(&HEAD[HEAD.len() - 1..]),
                    Progress::Whole,
                    "cut at {first} and {second}"
                );
            }
        }
    }

    #[test]
    fn bare_line_feeds_end_a_head_too() {
        assert_eq!(
            fed(&[b"GET / HTTP/1.1\nHost: a\n", b"\nbody"], 100),
            Progress::Whole
        );
        assert_eq!(fed(&[b"GET / HTTP/1.1\r\n\nbody"], 100), Progress::Whole);
    }

    #[test]
    fn empty_lines_before_the_request_line_are_not_a_head() {
        assert_eq!(fed(&[b"\r\n\r\n"], 100), Progress::Open);
        assert_eq!(fed(&[b"\n\r\n\r\n", b"\r\n\r\n"], 100), Progress::Open);
    }

    #[test]
    fn the_body_behind_a_head_does_not_count_against_the_cap() {
        let body = [b'x'; 200];
        let message = [b"POST / HTTP/1.1\r\n\r\n".as_slice(), &body, b"\r\n\r\n"].concat();
        assert_eq!(fed(&[&message], 19), Progress::Whole);
        assert_eq!(fed(&[&message], 18), Progress::TooLarge);
    }

    #[test]
    fn a_head_without_end_is_cut_at_the_cap() {
        assert_eq!(
            fed(&[b"GET / HTTP/1.1\r\n", b"A: b\r\n"], 22),
            Progress::Open
        );
        assert_eq!(
            fed(&[b"GET / HTTP/1.1\r\n", b"A: b\r\n"], 21),
            Progress::TooLarge
        );
        assert_eq!(fed(&[b"\n\n\n\n"], 3), Progress::TooLarge);
    }

    #[test]
    fn a_preface_is_whole_after_its_24_bytes() {
        let mut head = Head::preface();
        assert_eq!(head.advance(&[0; 23]), Progress::Open);
        assert_eq!(head.advance(&[0; 1]), Progress::Whole);
        assert_eq!(Head::preface().advance(&[0; 90]), Progress::Whole);
    }
}
