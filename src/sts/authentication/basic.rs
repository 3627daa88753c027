//! The Authorization field of a client (RFC 6749 §2.3.1, RFC 7617).
//!
//! The standard requires that id and secret are form-encoded before they are joined; many clients omit that. Both
//! readings are kept; they are equal for credentials without `%` and `+`. If both ids are known clients, the standard's
//! reading is used.

use crate::sts::form::form_decoded;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderValue;
use zeroize::Zeroizing;

/// Id and secret of a client, in both readings.
pub(super) struct BasicCredentials {
    /// The standard's reading; `None` if the text is not form-encoded.
    decoded: Option<Pair>,
    /// The literal text.
    plain: Pair,
}

struct Pair {
    id: String,
    secret: Zeroizing<String>,
}

impl BasicCredentials {
    /// Parses a field. Returns `None` if it has another scheme, or is not an id and a secret in base64 and UTF-8.
    pub(super) fn parse(field: &HeaderValue) -> Option<Self> {
        const SCHEME: &[u8] = b"basic ";
        let (scheme, rest) = field.as_bytes().split_at_checked(SCHEME.len())?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return None;
        }
        let text = STANDARD
            .decode(rest.trim_ascii())
            .ok()
            .map(Zeroizing::new)?;
        let text = str::from_utf8(&text).ok()?;
        let (id, secret) = text.split_once(':')?;
        let decoded = || {
            Some(Pair {
                id: form_decoded(id.as_bytes())?,
                secret: Zeroizing::new(form_decoded(secret.as_bytes())?),
            })
        };
        Some(Self {
            decoded: decoded(),
            plain: Pair {
                id: id.to_owned(),
                secret: Zeroizing::new(secret.to_owned()),
            },
        })
    }

    /// Returns the possible ids, the standard's reading first.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.readings().map(|pair| pair.id.as_str())
    }

    /// Returns the possible secrets.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &[u8]> {
        self.readings().map(|pair| pair.secret.as_bytes())
    }

    fn readings(&self) -> impl Iterator<Item = &Pair> {
        self.decoded.iter().chain([&self.plain])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(credentials: &str) -> Option<(Vec<String>, Vec<String>)> {
        let field = format!("Basic {}", STANDARD.encode(credentials));
        let parsed = BasicCredentials::parse(&field.parse().unwrap())?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Some((
            parsed.ids().map(str::to_owned).collect(),
            parsed.secrets().map(text).collect(),
        ))
    }

    /// RFC 6749 §2.3.1.
    #[test]
    fn the_example_of_the_standard_is_read() {
        let field = HeaderValue::from_static("Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3");
        let parsed = BasicCredentials::parse(&field).unwrap();
        assert_eq!(parsed.ids().next(), Some("s6BhdRkqt3"));
        assert_eq!(
            parsed.secrets().next(),
            Some(&b"7Fjfp0ZBr1KtDRbnfVdmIw"[..])
        );
    }

    #[test]
    fn what_may_be_encoded_is_read_both_ways() {
        let both = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        assert_eq!(
            read("web%40portal:a%2Bb%25"),
            Some((both("web@portal", "web%40portal"), both("a+b%", "a%2Bb%25")))
        );
        assert_eq!(
            read("web@portal:a+b"),
            Some((both("web@portal", "web@portal"), both("a b", "a+b")))
        );
        // not encoded: this percent sign is followed by no digits
        assert_eq!(
            read("portal:100%"),
            Some((vec!["portal".into()], vec!["100%".into()]))
        );
        assert_eq!(
            read("portal:a:b"),
            Some((both("portal", "portal"), both("a:b", "a:b")))
        );
    }

    #[test]
    fn other_schemes_and_what_is_not_id_and_secret_are_nothing() {
        for field in [
            "Bearer YTpi",
            "Basic",
            "Basic ",
            "Basic YQ",
            "Basic YQ==",
            "Basic !!!!",
            "Basic /zov",
            "basicYTpi",
        ] {
            assert!(
                BasicCredentials::parse(&HeaderValue::from_static(field)).is_none(),
                "{field}"
            );
        }
        assert!(BasicCredentials::parse(&HeaderValue::from_static("bASIC YTpi")).is_some());
    }
}
