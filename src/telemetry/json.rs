//! Hand-written JSON output, because a serializer is too slow for each request.

use crate::clock::UnixTime;
use itoa::{Buffer, Integer};
use std::time::Duration;

/// Appends `text` as the content of a JSON string (RFC 8259 §7).
pub(super) fn escape(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(position) = rest.iter().position(|byte| needs_escape(*byte)) {
        let (plain, special) = rest.split_at(position);
        out.extend_from_slice(plain);
        let Some((byte, after)) = special.split_first() else {
            return;
        };
        escape_byte(*byte, out);
        rest = after;
    }
    out.extend_from_slice(rest);
}

const fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn escape_byte(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        control => {
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[digit(control >> 4), digit(control & 15)]);
        }
    }
}

/// Appends `number` in decimal.
pub(super) fn decimal(number: impl Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(Buffer::new().format(number).as_bytes());
}

/// Appends `duration` in whole microseconds.
pub(super) fn microseconds(duration: Duration, out: &mut Vec<u8>) {
    decimal(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX), out);
}

/// Returns `number` as 16 lower-case hexadecimal digits.
pub(super) fn hex(number: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    let (high, low) = digits.split_at_mut(8);
    high.copy_from_slice(&hex_half(number >> 32));
    low.copy_from_slice(&hex_half(number & 0xffff_ffff));
    digits
}

/// Returns eight digits at once: it spreads the nibbles to bytes, then converts all bytes to ASCII without a branch.
const fn hex_half(mut x: u64) -> [u8; 8] {
    x = (x | (x << 16)) & 0x0000_ffff_0000_ffff;
    x = (x | (x << 8)) & 0x00ff_00ff_00ff_00ff;
    x = (x | (x << 4)) & 0x0f0f_0f0f_0f0f_0f0f;
    let letters = ((x + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
    (x + 0x3030_3030_3030_3030 + letters * (b'a' - b'0' - 10) as u64).to_be_bytes()
}

/// Returns text that this crate wrote as ASCII.
pub(super) fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

const fn digit(nibble: u8) -> u8 {
    if nibble < 10 {
        b'0' + nibble
    } else {
        b'a' + nibble - 10
    }
}

/// Formats times by RFC 3339 in UTC with milliseconds. The text of the last second is cached.
#[derive(Debug)]
pub(super) struct Stamp {
    second: u64,
    /// `2026-11-21T14:17:42`
    text: [u8; 19],
}

impl Stamp {
    pub(super) const fn new() -> Self {
        Self {
            second: 0,
            text: *b"1970-01-01T00:00:00",
        }
    }

    /// Appends the time `since_epoch`, for example `2026-11-21T14:17:42.123Z`.
    pub(super) fn write(&mut self, since_epoch: Duration, out: &mut Vec<u8>) {
        if self.second != since_epoch.as_secs() {
            self.second = since_epoch.as_secs();
            self.text = second_text(self.second);
        }
        let milliseconds = since_epoch.subsec_millis();
        let [hundreds, tens, ones] = [100, 10, 1].map(|unit| (milliseconds / unit % 10) as u8);
        out.extend_from_slice(&self.text);
        out.extend_from_slice(&[b'.', digit(hundreds), digit(tens), digit(ones), b'Z']);
    }
}

fn second_text(second: u64) -> [u8; 19] {
    let written = i64::try_from(second)
        .ok()
        .and_then(|second| UnixTime::from_secs(second).to_rfc3339());
    written
        .as_deref()
        .and_then(|text| text.as_bytes().first_chunk().copied())
        .unwrap_or(*b"1970-01-01T00:00:00")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #[test]
        fn a_json_parser_reads_back_whatever_was_escaped(original in any::<String>()) {
            let line = format!("\"{}\"", text(|out| escape(&original, out)));
            prop_assert!(line.bytes().all(|b| b >= 0x20));
            prop_assert_eq!(serde_json::from_str::<String>(&line).unwrap(), original);
        }

        #[test]
        fn decimals_and_hexadecimals_are_those_of_the_standard_library(number in any::<u64>()) {
            prop_assert_eq!(text(|out| decimal(number, out)), number.to_string());
            let digits = hex(number);
            prop_assert_eq!(ascii(&digits), format!("{number:016x}"));
        }

        #[test]
        fn a_stamp_is_the_second_as_it_is_written_elsewhere_and_its_milliseconds(
            moments in proptest::collection::vec(0_u64..253_402_207_200_000, 1..5)
        ) {
            let mut stamp = Stamp::new();
            for milliseconds in moments {
                let second = UnixTime::from_secs((milliseconds / 1000) as i64).to_rfc3339().unwrap();
                let expected = second.replace('Z', &format!(".{:03}Z", milliseconds % 1000));
                prop_assert_eq!(
                    text(|out| stamp.write(Duration::from_millis(milliseconds), out)),
                    expected
                );
            }
        }
    }

    #[test]
    fn control_characters_quotes_and_backslashes_cannot_end_a_string_or_a_line() {
        assert_eq!(
            text(|out| escape("a\"b\\c\nd\u{1f}é", out)),
            "a\\\"b\\\\c\\nd\\u001fé"
        );
    }
}
