//! Finds a secret in any encoding.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use memchr::memmem;

/// A token to search for.
#[derive(Debug, Clone)]
pub struct Canary {
    pub token: String,
}

impl Canary {
    pub fn new(token: &str) -> Self {
        assert_eq!(token.split('.').count(), 3);
        Self {
            token: token.to_owned(),
        }
    }

    pub fn signature(&self) -> &str {
        self.token.rsplit('.').next().unwrap()
    }

    pub fn payload(&self) -> &str {
        self.token.split('.').nth(1).unwrap()
    }

    /// Returns `true` if `text` contains the token or its signature.
    pub fn is_in(&self, text: &Text) -> bool {
        text.holds(self.signature())
    }

    /// Returns `true` if `text` contains the token's payload.
    pub fn payload_is_in(&self, text: &Text) -> bool {
        text.holds(self.payload())
    }
}

/// Bytes in every decoding that is searched, computed once.
pub struct Text {
    plain: Vec<Vec<u8>>,
    /// The bytes with the standard base64 alphabet instead of the URL-safe one.
    standard: Vec<Vec<u8>>,
    lower: Vec<Vec<u8>>,
}

impl Text {
    pub fn new(bytes: &[u8]) -> Self {
        let decoded = percent_decoded(bytes);
        let twice = percent_decoded(&decoded);
        let mut plain = vec![bytes.to_vec(), decoded, twice];
        plain.dedup();
        let standard = |reading: &Vec<u8>| {
            let swap = |&byte: &u8| match byte {
                b'-' => b'+',
                b'_' => b'/',
                other => other,
            };
            reading.iter().map(swap).collect()
        };
        Self {
            standard: plain.iter().map(standard).collect(),
            lower: plain.iter().map(|text| text.to_ascii_lowercase()).collect(),
            plain,
        }
    }

    fn holds(&self, secret: &str) -> bool {
        let found = |readings: &[Vec<u8>], needle: &[u8]| {
            let mut readings = readings.iter();
            readings.any(|reading| memmem::find(reading, needle).is_some())
        };
        // the complete groups of three bytes, for every position at which the secret can start
        let in_base64 = (0..3).any(|skipped| {
            let rest = &secret.as_bytes()[skipped..];
            let whole = &rest[..rest.len() / 3 * 3];
            found(&self.standard, STANDARD_NO_PAD.encode(whole).as_bytes())
        });
        in_base64
            || found(&self.plain, secret.as_bytes())
            || found(&self.lower, secret.to_ascii_lowercase().as_bytes())
    }
}

fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let hex = text
            .get(at + 1..at + 3)
            .filter(|_| text[at] == b'%')
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        decoded.push(hex.unwrap_or(text[at]));
        at += if hex.is_some() { 3 } else { 1 };
    }
    decoded
}

#[test]
fn a_trace_is_found_however_it_is_written() {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    let canary =
        Canary::new("aGVhZGVy.cGF5bG9hZA-with-some_length.c2lnbmF0dXJl-with_some-length-too");
    let token = &canary.token;
    for text in [
        token.clone(),
        crate::e2e::support::encoded(token),
        crate::e2e::support::encoded(token).to_lowercase(),
        crate::e2e::support::encoded(&crate::e2e::support::encoded(token)),
        token.to_ascii_lowercase(),
        STANDARD.encode(token),
        STANDARD.encode(format!("x{token}")),
        STANDARD.encode(format!("Bearer {token}")),
        URL_SAFE.encode(format!("xy{token}z")),
        crate::e2e::support::encoded(&STANDARD.encode(token)),
        canary.signature().to_owned(),
    ] {
        let text = Text::new(format!("before {text} after").as_bytes());
        assert!(canary.is_in(&text));
    }
    assert!(!canary.is_in(&Text::new(canary.payload().as_bytes())));
    assert!(canary.payload_is_in(&Text::new(STANDARD.encode(token).as_bytes())));
}
