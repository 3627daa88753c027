//! Searches short texts eight bytes at a time.
//!
//! Field names and values are too short for the set-up cost of a substring search, and too many to compare byte by
//! byte.

/// The value 1 in each byte of a word.
const EACH: u64 = u64::from_ne_bytes([1; 8]);

/// Returns `true` if `found` is not 0 for any eight bytes of `text`; the last bytes may be examined twice. A text of
/// fewer than eight bytes is padded with the letter `a`.
pub(super) fn any_word(text: &[u8], found: impl Fn(u64) -> u64) -> bool {
    let Some(last) = text.last_chunk::<8>() else {
        let filler = EACH * u64::from(b'a');
        let word = text
            .iter()
            .fold(filler, |word, byte| (word << 8) | u64::from(*byte));
        return found(word) != 0;
    };
    let (words, _) = text.as_chunks::<8>();
    let all = words
        .iter()
        .fold(0, |all, word| all | found(u64::from_ne_bytes(*word)));
    (all | found(u64::from_ne_bytes(*last))) != 0
}

/// Returns 0 if no byte of `word` is `byte`.
pub(super) const fn has_byte(word: u64, byte: u8) -> u64 {
    has_below(word ^ (EACH * byte as u64), 1)
}

/// Returns 0 if no byte of `word` is below `limit`, which is at most 128.
pub(super) const fn has_below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(EACH * limit as u64) & !word & (EACH << 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_found_wherever_it_stands_and_nothing_else_is() {
        for length in 0..40 {
            let plain = vec![b'b'; length];
            let holds = |text: &[u8]| {
                let underscore = any_word(text, |word| has_byte(word, b'_'));
                let low = any_word(text, |word| has_below(word, 14));
                (underscore, low)
            };
            assert_eq!(holds(&plain), (false, false));
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    let mut text = plain.clone();
                    text[place] = byte;
                    let expected = (byte == b'_', byte < 14);
                    assert_eq!(holds(&text), expected, "{byte} at {place} of {length}");
                }
            }
        }
    }
}
