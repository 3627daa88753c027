//! The search for copies of a token, in any encoding, in what a client or an upstream sends.

use super::SourceError;
use crate::token::{RawToken, is_b64token_byte};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use http::{HeaderMap, header};
use memchr::{memchr, memmem};
use percent_encoding::percent_decode;
use std::{borrow::Cow, fmt};

/// The number of bytes to search for: the last ones of the token. They are part of a JWT's signature and differ between
/// any two tokens.
const NEEDLE: usize = 32;

/// Shorter tokens are not searched for, because they would match unrelated text.
const SHORTEST: usize = 16;

/// The end of a token, which identifies copies of it.
///
/// The token cannot be reconstructed from it. Every cache entry stores one, so it is small. The base64 forms are
/// computed only for values that could contain the token, which ordinary values cannot.
#[derive(Clone, Copy)]
pub struct TokenNeedle {
    bytes: [u8; NEEDLE],
    length: u8,
}

impl TokenNeedle {
    /// Returns the needle of `token`, or `None` if it is shorter than 16 bytes.
    pub fn of(token: &RawToken) -> Option<Self> {
        Self::of_bytes(token.expose())
    }

    /// Returns the needle of a credential that may not be a token.
    pub fn of_bytes(credential: &[u8]) -> Option<Self> {
        if credential.len() < SHORTEST {
            return None;
        }
        let end = credential.get(credential.len().saturating_sub(NEEDLE)..)?;
        let mut bytes = [0; NEEDLE];
        for (to, from) in bytes.iter_mut().zip(end) {
            *to = *from;
        }
        Some(Self {
            bytes,
            length: u8::try_from(end.len()).ok()?,
        })
    }

    /// The minimum number of bytes in a copy of the token.
    pub fn length(&self) -> usize {
        usize::from(self.length)
    }

    /// Returns `true` if `value` contains the token: raw, percent-encoded, in base64 at any alignment (either
    /// alphabet), or in base64 that is percent-encoded.
    #[inline]
    pub fn is_in(&self, value: &[u8]) -> bool {
        // most values are shorter than the searched bytes
        value.len() >= usize::from(self.length) && self.is_in_long(value)
    }

    fn is_in_long(&self, value: &[u8]) -> bool {
        if !has_run(value, self.needle().len()) {
            return false;
        }
        self.is_plainly_in(value)
            || (memchr(b'%', value).is_some() && self.is_plainly_in(&percent_decoded(value)))
    }

    /// Returns `true` if a header field name contains the token. Names are compared without case.
    #[inline]
    pub fn is_in_name(&self, name: &str) -> bool {
        name.len() >= usize::from(self.length) && self.is_in_long_name(name)
    }

    fn is_in_long_name(&self, name: &str) -> bool {
        let needle = self.needle();
        let mut windows = name.as_bytes().windows(needle.len());
        windows.any(|window| window.eq_ignore_ascii_case(needle))
    }

    fn needle(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }

    fn is_plainly_in(&self, value: &[u8]) -> bool {
        memmem::find(value, self.needle()).is_some()
            || (0..3).any(|alignment| self.is_encoded_in(value, alignment))
    }

    /// Returns `true` if `value` contains the needle in base64 that starts `alignment` bytes into a group of three.
    fn is_encoded_in(&self, value: &[u8], alignment: usize) -> bool {
        // the bytes before the first whole group and after the last one are encoded together with their neighbours
        let whole = self.needle().get((3 - alignment) % 3..).unwrap_or_default();
        let groups = whole.get(..whole.len() / 3 * 3).unwrap_or_default();
        [STANDARD_NO_PAD, URL_SAFE_NO_PAD].iter().any(|alphabet| {
            let mut text = [0; NEEDLE.div_ceil(3) * 4];
            let written = alphabet.encode_slice(groups, &mut text);
            let encoded = written.ok().and_then(|length| text.get(..length));
            encoded.is_some_and(|encoded| memmem::find(value, encoded).is_some())
        })
    }
}

impl fmt::Debug for TokenNeedle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenNeedle(redacted)")
    }
}

/// Returns `true` if `value` contains `length` consecutive characters that can be part of a plain or encoded token.
///
/// It first checks only one byte in `length`, because any such run contains one of these bytes. Ordinary header field
/// values contain spaces, commas and semicolons, and need only a few comparisons.
fn has_run(value: &[u8], length: usize) -> bool {
    let mut probe = length.saturating_sub(1);
    while let Some(&byte) = value.get(probe) {
        if can_be_of_token(byte) {
            let (before, after) = value.split_at(probe);
            let run = before
                .iter()
                .rev()
                .take_while(|&&b| can_be_of_token(b))
                .count()
                + after.iter().take_while(|&&b| can_be_of_token(b)).count();
            if run >= length {
                return true;
            }
        }
        probe += length;
    }
    false
}

const fn can_be_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=' | b'%')
}

/// Returns `value` with every valid percent-encoding replaced by its byte (RFC 3986 §2.1). Invalid ones remain as they
/// are.
pub(super) fn percent_decoded(value: &[u8]) -> Cow<'_, [u8]> {
    percent_decode(value).into()
}

/// The maximum number of credentials to search for in one head.
const MOST_WORDS: usize = 8;

/// Returns search values for everything in the Authorization header fields that could be a token: every word that is
/// long enough. A public route uses them to find copies of a token that it does not verify.
///
/// # Errors
/// [`SourceError::Several`] if there are more than eight words.
pub fn needles(headers: &HeaderMap) -> Result<Vec<TokenNeedle>, SourceError> {
    let fields = headers.get_all(header::AUTHORIZATION).iter();
    let words = fields.flat_map(|field| field.as_bytes().split(|&byte| !is_b64token_byte(byte)));
    let mut needles = Vec::new();
    for needle in words.filter_map(TokenNeedle::of_bytes) {
        // each one costs a search of the whole head
        if needles.len() == MOST_WORDS {
            return Err(SourceError::Several);
        }
        needles.push(needle);
    }
    Ok(needles)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.MEUCIQDq~3n0Zk1x8yT2wV4uS6rQ9pO7nM5lK3jI1hG-FeDcBa_9";

    fn needle() -> TokenNeedle {
        TokenNeedle::of(&RawToken::from(TOKEN.to_owned())).unwrap()
    }

    #[test]
    fn ordinary_header_values_are_not_mistaken_for_the_token() {
        for value in [
            "text/html,application/xhtml+xml,application/xml;q=0.9",
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
            "gzip, deflate, br",
            "0123456789abcdef0123456789abcdef0123456789abcdef",
            "",
        ] {
            assert!(!needle().is_in(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn a_header_name_that_is_the_token_is_found_in_any_case() {
        assert!(needle().is_in_name(&TOKEN.to_lowercase()));
        assert!(!needle().is_in_name("x-request-id-of-some-considerable-length"));
    }

    #[test]
    fn what_is_too_short_to_be_a_secret_leaves_no_imprint() {
        assert!(TokenNeedle::of_bytes(b"short").is_none());
        assert!(TokenNeedle::of_bytes(b"0123456789abcdef").is_some());
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", needle()), "TokenNeedle(redacted)");
    }

    fn percent_encoded(text: &str, every: usize) -> String {
        text.bytes()
            .enumerate()
            .map(|(i, b)| {
                if i % every == 0 {
                    format!("%{b:02x}")
                } else {
                    char::from(b).to_string()
                }
            })
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn a_copy_is_found_in_every_encoding_at_every_place(
            token in "[A-Za-z0-9._~+/-]{32,200}", before in "[ -~]{0,40}", after in "[ -~]{0,40}", every in 1usize..5,
        ) {
            let needle = TokenNeedle::of(&RawToken::from(token.clone())).unwrap();
            let signature = &token[token.len() - 32..];
            for copy in [token.as_str(), signature] {
                let raw = format!("{before}{copy}{after}");
                prop_assert!(needle.is_in(raw.as_bytes()));
                let percent = format!("{before}{}{after}", percent_encoded(copy, every));
                prop_assert!(needle.is_in(percent.as_bytes()));
                prop_assert!(needle.is_in(STANDARD.encode(&raw).as_bytes()));
                prop_assert!(needle.is_in(URL_SAFE_NO_PAD.encode(&raw).as_bytes()));
                prop_assert!(needle.is_in(percent_encoded(&STANDARD.encode(&raw), every).as_bytes()));
            }
        }

        #[test]
        fn decoding_never_panics_and_keeps_what_is_not_encoded(value in proptest::collection::vec(any::<u8>(), 0..200)) {
            let decoded = percent_decoded(&value);
            if !value.contains(&b'%') {
                prop_assert_eq!(decoded.as_ref(), value.as_slice());
            }
        }
    }
}
