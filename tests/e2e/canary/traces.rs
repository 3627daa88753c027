//! Finding a secret again, however it was written.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use memchr::memmem;

/// A token whose traces are looked for.
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

    /// Whether the token, or the part that makes it one, stands in `text`.
    pub fn is_in(&self, text: &Text) -> bool {
        text.holds(self.signature())
    }

    /// Whether what the token says stands in `text`.
    pub fn payload_is_in(&self, text: &Text) -> bool {
        text.holds(self.payload())
    }
}

/// Bytes in every reading that is looked through, made once.
pub struct Text(Vec<Vec<u8>>);

impl Text {
    pub fn new(bytes: &[u8]) -> Self {
        let decoded = percent_decoded(bytes);
        let twice = percent_decoded(&decoded);
        let mut readings = vec![bytes.to_vec(), decoded, twice];
        readings.dedup();
        let standard = |reading: &Vec<u8>| {
            let swap = |&byte: &u8| match byte {
                b'-' => b'+',
                b'_' => b'/',
                other => other,
            };
            reading.iter().map(swap).collect()
        };
        let lower = |reading: &Vec<u8>| reading.to_ascii_lowercase();
        let more: Vec<Vec<u8>> = readings
            .iter()
            .flat_map(|reading| [standard(reading), lower(reading)])
            .collect();
        readings.extend(more);
        Self(readings)
    }

    fn holds(&self, secret: &str) -> bool {
        let secret = secret.as_bytes();
        let mut needles = vec![secret.to_vec(), secret.to_ascii_lowercase()];
        // the groups of three that base64 sees whole, wherever in a text the secret begins
        needles.extend((0..3).map(|skipped| {
            let rest = &secret[skipped..];
            let whole = &rest[..rest.len() / 3 * 3];
            STANDARD_NO_PAD.encode(whole).into_bytes()
        }));
        self.0.iter().any(|reading| {
            needles
                .iter()
                .any(|needle| memmem::find(reading, needle).is_some())
        })
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
        crate::support::encoded(token),
        crate::support::encoded(token).to_lowercase(),
        crate::support::encoded(&crate::support::encoded(token)),
        token.to_ascii_lowercase(),
        STANDARD.encode(token),
        STANDARD.encode(format!("x{token}")),
        STANDARD.encode(format!("Bearer {token}")),
        URL_SAFE.encode(format!("xy{token}z")),
        crate::support::encoded(&STANDARD.encode(token)),
        canary.signature().to_owned(),
    ] {
        let text = Text::new(format!("before {text} after").as_bytes());
        assert!(canary.is_in(&text));
    }
    assert!(!canary.is_in(&Text::new(canary.payload().as_bytes())));
    assert!(canary.payload_is_in(&Text::new(STANDARD.encode(token).as_bytes())));
}
