//! A signed object in compact serialization (RFC 7515 §7.1), before and after its signature is verified.

use super::{
    Algorithm, JoseError,
    encoding::{base64url, from_base64url},
};
use crate::token::{Claims, ClaimsError, Limits, RawToken};
use memchr::memchr_iter;
use serde_json::Value;
use std::fmt;

/// The maximum size of the header JSON, in bytes.
pub const MAX_HEADER: usize = 8 << 10;

/// The maximum length of a `kid`, in bytes. Longer ones are refused in tokens and in key sets.
pub const MAX_KID: usize = 128;

/// A token that has the form of a JWS. Its contents are not verified.
///
/// It borrows the bytes of the presented token, so that exactly these bytes are verified.
pub struct UnverifiedJws<'a> {
    signing_input: &'a [u8],
    signature: &'a str,
    header: JoseHeader,
    payload: Result<Claims, ClaimsError>,
}

/// The used members of the header. `jwk`, `jku`, `x5u`, `x5c` and `x5t` are never read, because keys come from the
/// configuration.
#[derive(Clone)]
struct JoseHeader {
    alg: Algorithm,
    kid: Option<Box<str>>,
    typ: Option<Box<str>>,
}

impl<'a> UnverifiedJws<'a> {
    /// Parses the form of a token, without cryptography. Cheap checks come first.
    ///
    /// # Errors
    /// [`JoseError`] for everything except a plain compact JWS with a supported asymmetric algorithm and no extension.
    /// A payload that is not JSON is not refused here, because the signature can still be valid.
    pub fn parse(token: &'a RawToken) -> Result<Self, JoseError> {
        let text = token.expose();
        let (first, last) = two_dots(text).ok_or(JoseError::NotCompact)?;
        let part = |from: usize, to: usize| {
            text.get(from..to)
                .filter(|part| !part.is_empty())
                .ok_or(JoseError::NotCompact)
        };
        let signature = part(last + 1, text.len())?;
        let (header, payload) = (part(0, first)?, part(first + 1, last)?);

        let header = JoseHeader::parse(&decode(header)?)?;
        decode(signature)?;
        Ok(Self {
            signing_input: part(0, last)?,
            signature: str::from_utf8(signature).map_err(|_| JoseError::NotCompact)?,
            header,
            payload: Claims::parse(&decode(payload)?, Limits::TOKEN),
        })
    }

    /// The algorithm in the header.
    pub fn alg(&self) -> Algorithm {
        self.header.alg
    }

    /// The `kid` in the header. It is only compared, and never used as a path, query or URL.
    pub fn kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// The media type in the header.
    pub fn typ(&self) -> Option<&str> {
        self.header.typ.as_deref()
    }

    /// The unverified `iss` of the payload. Use it only to select the keys to verify with.
    ///
    /// # Errors
    /// [`JoseError::Payload`] if the payload is not a JSON object or has no string `iss`.
    pub fn claimed_issuer(&self) -> Result<&str, JoseError> {
        self.payload
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|claims| claims.required_text("iss"))
            .map_err(JoseError::Payload)
    }

    pub(super) fn signing_input(&self) -> &'a [u8] {
        self.signing_input
    }

    pub(super) fn signature(&self) -> &'a str {
        self.signature
    }

    /// For [`super::VerificationKey::verify`] only, after the signature was verified.
    pub(super) fn into_verified(self) -> VerifiedJws {
        VerifiedJws {
            header: self.header,
            payload: self.payload,
        }
    }
}

/// A JWS whose signature was verified. Only [`super::VerificationKey::verify`] makes it.
pub struct VerifiedJws {
    header: JoseHeader,
    payload: Result<Claims, ClaimsError>,
}

impl VerifiedJws {
    /// The media type in the header.
    pub fn typ(&self) -> Option<&str> {
        self.header.typ.as_deref()
    }

    /// Returns the payload as claims.
    ///
    /// # Errors
    /// [`JoseError::Payload`] if it is not a JSON object with distinct members of bounded depth.
    pub fn into_claims(self) -> Result<Claims, JoseError> {
        self.payload.map_err(JoseError::Payload)
    }
}

impl JoseHeader {
    fn parse(json: &[u8]) -> Result<Self, JoseError> {
        const LIMITS: Limits = Limits {
            bytes: MAX_HEADER,
            depth: 8,
        };
        let members = Claims::parse(json, LIMITS).map_err(|_| JoseError::Header)?;
        // RFC 7515 §4.1.11: critical extensions that are not understood must be refused, and none is supported here.
        for extension in ["crit", "b64", "zip"] {
            if members.get(extension).is_some() {
                return Err(JoseError::Extension(extension));
            }
        }
        let text = |name| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(JoseError::Header),
        };
        let alg = text("alg")?
            .and_then(|name| name.parse().ok())
            .ok_or(JoseError::UnsupportedAlgorithm)?;
        let kid = text("kid")?;
        if kid.is_some_and(|kid| kid.len() > MAX_KID) {
            return Err(JoseError::Header);
        }
        Ok(Self {
            alg,
            kid: kid.map(Into::into),
            typ: text("typ")?.map(Into::into),
        })
    }
}

/// Returns the encoded header of a JWS to sign (RFC 7515 §4.1).
pub(super) fn encoded_header(alg: Algorithm, kid: &str, typ: &str) -> String {
    let header = serde_json::json!({"alg": alg.as_str(), "kid": kid, "typ": typ});
    base64url(header.to_string())
}

/// Returns the positions of the two dots, or `None` if there are fewer or more. It stops at the third dot, so that many
/// dots cost nothing.
fn two_dots(text: &[u8]) -> Option<(usize, usize)> {
    let mut dots = memchr_iter(b'.', text);
    let found = (dots.next()?, dots.next()?);
    dots.next().is_none().then_some(found)
}

fn decode(part: &[u8]) -> Result<Vec<u8>, JoseError> {
    from_base64url(part).ok_or(JoseError::NotCompact)
}

impl fmt::Debug for UnverifiedJws<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnverifiedJws({}, redacted)", self.header.alg)
    }
}

impl fmt::Debug for VerifiedJws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifiedJws({}, redacted)", self.header.alg)
    }
}

/// Returns a `typ` header in lower case and without the prefix `application/`, so that two spellings of one media type
/// are equal (RFC 7515 §4.1.9).
pub fn normalized_typ(typ: &str) -> String {
    let lower = typ.to_ascii_lowercase();
    match lower.strip_prefix("application/") {
        Some(short) => short.to_owned(),
        None => lower,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_header(json: &str) -> Result<(Algorithm, Option<String>, Option<String>), JoseError> {
        let token = RawToken::from(format!("{}.e30.AAAA", base64url(json)));
        UnverifiedJws::parse(&token).map(|jws| {
            let own = |text: Option<&str>| text.map(str::to_owned);
            (jws.alg(), own(jws.kid()), own(jws.typ()))
        })
    }

    fn refused(text: &str) -> JoseError {
        UnverifiedJws::parse(&RawToken::from(text.to_owned())).unwrap_err()
    }

    #[test]
    fn a_header_gives_its_algorithm_kid_and_typ() {
        assert_eq!(
            with_header(
                r#"{"alg":"ES256","kid":"../../etc/passwd","typ":"at+jwt","jku":"https://e.example"}"#
            ),
            Ok((
                Algorithm::ES256,
                Some("../../etc/passwd".into()),
                Some("at+jwt".into())
            ))
        );
    }

    #[test]
    fn only_asymmetric_algorithms_are_read() {
        for alg in [
            "\"none\"",
            "\"None\"",
            "\"NONE\"",
            "\"\"",
            "\"HS256\"",
            "\"dir\"",
        ] {
            assert_eq!(
                with_header(&format!("{{\"alg\":{alg}}}")),
                Err(JoseError::UnsupportedAlgorithm),
                "{alg}"
            );
        }
        assert_eq!(with_header("{}"), Err(JoseError::UnsupportedAlgorithm));
        for alg in ["null", "1", "[\"ES256\"]"] {
            assert_eq!(
                with_header(&format!("{{\"alg\":{alg}}}")),
                Err(JoseError::Header),
                "{alg}"
            );
        }
    }

    #[test]
    fn an_extension_is_refused_whatever_it_says() {
        for (extension, name) in [
            (r#""crit":[]"#, "crit"),
            (r#""crit":["exp"],"exp":1"#, "crit"),
            (r#""crit":null"#, "crit"),
            (r#""b64":true"#, "b64"),
            (r#""zip":"DEF""#, "zip"),
        ] {
            assert_eq!(
                with_header(&format!("{{\"alg\":\"ES256\",{extension}}}")),
                Err(JoseError::Extension(name))
            );
        }
    }

    #[test]
    fn a_kid_is_a_string_of_bounded_length_and_members_are_distinct() {
        let long = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, "k".repeat(MAX_KID + 1));
        for header in [
            r#"{"alg":"ES256","kid":1}"#,
            r#"{"alg":"ES256","kid":null}"#,
            r#"{"alg":"ES256","typ":["at+jwt"]}"#,
            r#"{"alg":"ES256","alg":"ES256"}"#,
            r#"{"alg":"ES256","x":[[[[[[[[[1]]]]]]]]]}"#,
            r#"["ES256"]"#,
            "",
            long.as_str(),
        ] {
            let error = with_header(header).unwrap_err();
            assert!(
                matches!(error, JoseError::Header | JoseError::NotCompact),
                "{header}"
            );
        }
    }

    #[test]
    fn only_three_non_empty_canonical_parts_are_a_token() {
        let header = base64url(r#"{"alg":"ES256"}"#);
        for text in [
            String::new(),
            ".".repeat(1 << 20),
            "..".to_owned(),
            format!("{header}.e30"),
            format!("{header}.e30."),
            format!("{header}..AAAA"),
            ".e30.AAAA".to_owned(),
            format!("{header}.e30.AAAA.AAAA"),
            format!("{header}.e30.AAAA.AAAA.AAAA"),
            format!("{header}.e30.AAB"),
            format!("{header}.e30.AA=="),
            format!("{header}.e31.AAAA"),
            format!(" {header}.e30.AAAA"),
            format!("{header}.e30.AAAA\n"),
            format!("{header}.e30.AA+A"),
            format!(
                r#"{{"payload":"e30","signatures":[{{"protected":"{header}","signature":"AAAA"}}]}}"#
            ),
        ] {
            assert_eq!(refused(&text), JoseError::NotCompact, "{:.40}", text);
        }
    }

    #[test]
    fn the_claimed_issuer_is_a_string_or_an_error() {
        let issuer = |json: &str| {
            let header = base64url(r#"{"alg":"ES256"}"#);
            let token = RawToken::from(format!("{header}.{}.AAAA", base64url(json)));
            let jws = UnverifiedJws::parse(&token).unwrap();
            jws.claimed_issuer().map(str::to_owned)
        };
        assert_eq!(issuer(r#"{"iss":"https://a"}"#), Ok("https://a".into()));
        for json in [
            "{}",
            r#"{"iss":1}"#,
            r#"{"iss":"a","iss":"b"}"#,
            "[]",
            "foo",
        ] {
            assert!(matches!(issuer(json), Err(JoseError::Payload(_))), "{json}");
        }
    }

    #[test]
    fn debug_shows_nothing_of_the_token() {
        let text = format!("{}.e30.AAAA", base64url(r#"{"alg":"ES256","kid":"k"}"#));
        let token = RawToken::from(text);
        let jws = UnverifiedJws::parse(&token).unwrap();
        assert_eq!(format!("{jws:?}"), "UnverifiedJws(ES256, redacted)");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[A-Za-z0-9_.=-]{0,200}", bytes: Vec<u8>) {
            let _ = UnverifiedJws::parse(&RawToken::from(text));
            let _ = with_header(&String::from_utf8_lossy(&bytes));
        }
    }
}
