//! The framing of a chunked body (RFC 9112 §7.1), checked as its bytes pass.
//!
//! Some decoders tolerate errors such as an empty size, blanks around it or a bare line feed. Others read them as the
//! end of the body and the start of a second request. The check copies nothing and stores only the position in the
//! body.

use super::{error::ChunkFault, wire::is_token};

/// A position in a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunks {
    at: At,
    /// The size that is being read, or the number of data bytes that are left.
    size: u64,
    /// The number of bytes of the size line, or of all trailers.
    line: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before the first digit of a size.
    SizeStart,
    Size,
    Extension,
    SizeFeed,
    Data,
    DataReturn,
    DataFeed,
    /// At the start of a line after the last chunk.
    LineStart,
    TrailerName,
    TrailerValue,
    TrailerFeed,
    EndFeed,
    Over,
}

/// The maximum number of digits of a size. It keeps the size below 2^60, which every decoder supports.
const MOST_DIGITS: usize = 15;
/// The maximum length of a size line with its extensions.
const LONGEST_LINE: usize = 1_024;
/// The maximum size of all trailers. They are read and dropped.
const MOST_TRAILERS: usize = 8_192;

impl Chunks {
    /// Returns the position at the start of a body.
    pub fn new() -> Self {
        Self {
            at: At::SizeStart,
            size: 0,
            line: 0,
        }
    }

    /// Checks the next bytes. Returns how many of them belong to the body, if the body ends within them.
    ///
    /// # Errors
    /// A byte that is not valid at this position.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Option<usize>, ChunkFault> {
        let mut rest = bytes;
        loop {
            if self.at == At::Data {
                let skipped = usize::try_from(self.size)
                    .unwrap_or(usize::MAX)
                    .min(rest.len());
                self.size -= skipped as u64;
                rest = rest.get(skipped..).unwrap_or_default();
                if self.size > 0 {
                    return Ok(None);
                }
                self.at = At::DataReturn;
            }
            let Some((byte, after)) = rest.split_first() else {
                return Ok(None);
            };
            rest = after;
            self.at = self.step(*byte)?;
            if self.at == At::Over {
                return Ok(Some(bytes.len() - rest.len()));
            }
        }
    }

    fn step(&mut self, byte: u8) -> Result<At, ChunkFault> {
        self.line += 1;
        let longest = match self.at {
            At::SizeStart | At::Size => MOST_DIGITS + 1,
            At::Extension | At::SizeFeed => LONGEST_LINE,
            At::Data
            | At::DataReturn
            | At::DataFeed
            | At::LineStart
            | At::TrailerName
            | At::TrailerValue
            | At::TrailerFeed
            | At::EndFeed
            | At::Over => MOST_TRAILERS,
        };
        if self.line > longest {
            return Err(ChunkFault);
        }
        Ok(match (self.at, byte) {
            (At::SizeStart | At::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                self.size = self.size << 4 | u64::from(digit);
                At::Size
            }
            (At::Size, b';') => At::Extension,
            (At::Size | At::Extension, b'\r') => At::SizeFeed,
            (At::Extension | At::TrailerValue, b'\t' | b' '..=0x7e | 0x80..) => self.at,
            (At::SizeFeed, b'\n') => {
                self.line = 0;
                if self.size == 0 {
                    At::LineStart
                } else {
                    At::Data
                }
            }
            (At::DataReturn, b'\r') => At::DataFeed,
            (At::DataFeed, b'\n') => {
                self.line = 0;
                At::SizeStart
            }
            (At::LineStart, b'\r') => At::EndFeed,
            (At::LineStart | At::TrailerName, _) if is_token(byte) => At::TrailerName,
            (At::TrailerName, b':') => At::TrailerValue,
            (At::TrailerValue, b'\r') => At::TrailerFeed,
            (At::TrailerFeed, b'\n') => At::LineStart,
            (At::EndFeed, b'\n') => At::Over,
            _ => return Err(ChunkFault),
        })
    }
}

impl Default for Chunks {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[&str] = &[
        "0\r\n\r\n",
        "000\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "1;a=b;c=\"d;e\"\r\nx\r\nA\r\n0123456789\r\na\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n",
        "1\r\n\n\r\n0\r\nChecksum: abc\r\nX:\r\n\r\n",
        "00000000000001f\r\n0123456789abcdef0123456789abcde\r\n0;x\r\n\r\n",
    ];

    #[test]
    fn a_body_ends_at_its_last_byte_however_it_is_cut() {
        for body in WHOLE {
            let body = body.as_bytes();
            for cut in 0..=body.len() {
                let mut chunks = Chunks::new();
                let first = chunks.advance(&body[..cut]).unwrap();
                assert_eq!(first, (cut == body.len()).then_some(cut));
                if cut < body.len() {
                    let more = [&body[cut..], b"GET / HTTP/1.1"].concat();
                    assert_eq!(chunks.advance(&more), Ok(Some(body.len() - cut)));
                }
            }
        }
    }

    #[test]
    fn whatever_a_generous_decoder_would_skip_is_refused() {
        for body in [
            "\r\nhello\r\n0\r\n\r\n",
            ";x\r\n\r\n",
            " 5\r\nhello\r\n0\r\n\r\n",
            "5 \r\nhello\r\n0\r\n\r\n",
            "5\t;a\r\nhello\r\n0\r\n\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "-5\r\nhello\r\n0\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "5_0\r\nhello\r\n0\r\n\r\n",
            "5h\r\nhello\r\n0\r\n\r\n",
            "ffffffffffffffff\r\nhello\r\n",
            "0000000000000005\r\nhello\r\n0\r\n\r\n",
            "5\nhello\r\n0\r\n\r\n",
            "5\rhello\r\n0\r\n\r\n",
            "5\r\rhello\r\n0\r\n\r\n",
            "5;a\nb\r\nhello\r\n0\r\n\r\n",
            "5;a\rb\r\nhello\r\n0\r\n\r\n",
            "5;\0\r\nhello\r\n0\r\n\r\n",
            "5\r\nhello0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhello\r0\r\n\r\n",
            "5\r\nhello!\r\n0\r\n\r\n",
            "5\r\nhell\r\n0\r\n\r\n",
            "0\n\n",
            "0\r\n\n",
            "0\r\n\rX",
            "0\r\nX\r\n\r\n",
            "0\r\nX : a\r\n\r\n",
            "0\r\n X: a\r\n\r\n",
            "0\r\n: a\r\n\r\n",
            "0\r\nX: a\n\r\n",
            "0\r\nX: a\r\n b\r\n\r\n",
            "0\r\nX: a\0\r\n\r\n",
            "0\r\nGET / HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(
                Chunks::new().advance(body.as_bytes()),
                Err(ChunkFault),
                "{body:?}"
            );
        }
        let extension = format!("5;{}\r\n", "a".repeat(2_000));
        assert!(Chunks::new().advance(extension.as_bytes()).is_err());
        let trailer = format!("0\r\nX: {}\r\n", "a".repeat(9_000));
        assert!(Chunks::new().advance(trailer.as_bytes()).is_err());
    }
}
