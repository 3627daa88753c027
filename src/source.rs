//! Where a request presents its token (RFC 6750 §2.1, RFC 9110 §11.6.2).
//!
//! What enters is a head; what leaves is one [`Bearer`], where it stands, and of that one [`PresentedToken`], or the
//! reason why the request presents none that can be told apart from all else. A presented token is unchecked and cannot
//! be forwarded: nothing here or later turns it back into a header.

mod imprint;

use crate::token::RawToken;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use std::fmt;
use thiserror::Error;

pub use imprint::Imprint;

/// The one credential of a request with the scheme Bearer, where it stands in the head.
///
/// It is enough to recognise a token that was seen before; to do more it has to be [presented](Bearer::present).
#[derive(Clone, Copy)]
pub struct Bearer<'a>(&'a [u8]);

/// The one token that a request presents, not yet verified.
#[derive(Debug, Clone)]
pub struct PresentedToken(RawToken);

impl PresentedToken {
    /// The token, for verification and hashing.
    pub fn token(&self) -> &RawToken {
        &self.0
    }
}

/// Why a request presents no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SourceError {
    /// There is no Authorization field, or it uses a scheme other than Bearer.
    #[error("no bearer credentials")]
    NoCredentials,
    /// The field says Bearer and what follows is no token (RFC 6750 §2.1), or a form has something else for one.
    #[error("malformed authorization field")]
    Malformed,
    /// More than one Authorization field.
    #[error("more than one authorization field")]
    Several,
    /// A token in the query (RFC 6750 §2.3, RFC 9700 §4.3.2): it would end in logs and referrers.
    #[error("a token in the query")]
    InQuery,
    /// Longer than `limits.token`.
    #[error("token longer than {limit} bytes")]
    TooLong {
        /// The configured limit in bytes.
        limit: usize,
    },
}

impl<'a> Bearer<'a> {
    /// All of it, for hashing.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Takes it out of the head, for verification.
    ///
    /// # Errors
    /// [`SourceError::Malformed`] where it is no `b64token` (RFC 6750 §2.1).
    pub fn present(self) -> Result<PresentedToken, SourceError> {
        if !is_b64token(self.0) {
            return Err(SourceError::Malformed);
        }
        Ok(PresentedToken(RawToken::new(Bytes::copy_from_slice(
            self.0,
        ))))
    }
}

impl fmt::Debug for Bearer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(redacted)")
    }
}

/// Finds the bearer token in a head.
///
/// # Errors
/// [`SourceError`]; the request is refused, whatever else it holds.
pub fn bearer<'a>(
    headers: &'a HeaderMap,
    query: Option<&str>,
    limit: usize,
) -> Result<Bearer<'a>, SourceError> {
    if query.is_some_and(names_access_token) {
        return Err(SourceError::InQuery);
    }
    let mut fields = headers.get_all(header::AUTHORIZATION).iter();
    let field = fields.next().ok_or(SourceError::NoCredentials)?;
    if fields.next().is_some() {
        return Err(SourceError::Several);
    }
    let token = token_of(field)?;
    if token.len() > limit {
        return Err(SourceError::TooLong { limit });
    }
    Ok(Bearer(token))
}

/// Takes the token that a parameter of a form is (RFC 8693 §2.1: `subject_token`, `actor_token`).
///
/// # Errors
/// [`SourceError::TooLong`] where it has more than `limit` bytes, and [`SourceError::Malformed`] where it has characters
/// that no token has.
pub fn form_token(text: &str, limit: usize) -> Result<PresentedToken, SourceError> {
    if text.len() > limit {
        return Err(SourceError::TooLong { limit });
    }
    Bearer(text.as_bytes()).present()
}

/// What a request without token work may present, to recognise copies of it: every word of its Authorization fields
/// that is long enough to be a token, whatever stands around it.
///
/// # Errors
/// [`SourceError::Several`] where there are more than eight.
pub fn imprints(headers: &HeaderMap) -> Result<Vec<Imprint>, SourceError> {
    let fields = headers.get_all(header::AUTHORIZATION).iter();
    let words = fields.flat_map(|field| field.as_bytes().split(|&byte| !is_b64token_byte(byte)));
    let mut imprints = Vec::new();
    for imprint in words.filter_map(Imprint::of_bytes) {
        // each costs a search of the whole head
        if imprints.len() == MOST_WORDS {
            return Err(SourceError::Several);
        }
        imprints.push(imprint);
    }
    Ok(imprints)
}

/// How many credentials are looked for in one head.
const MOST_WORDS: usize = 8;

/// What follows `"Bearer" 1*SP`, the scheme in any case (RFC 6750 §2.1, RFC 9110 §11.1).
fn token_of(field: &HeaderValue) -> Result<&[u8], SourceError> {
    const SCHEME: &[u8] = b"bearer";
    let bytes = field.as_bytes();
    // as nearly every client writes it
    if let Some(token) = bytes.strip_prefix(b"Bearer ")
        && token.first().is_some_and(|&byte| byte != b' ')
    {
        return Ok(token);
    }
    let scheme_ends = bytes
        .iter()
        .position(|&byte| !is_scheme_character(byte))
        .unwrap_or(bytes.len());
    let (scheme, rest) = bytes.split_at(scheme_ends);
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Err(SourceError::NoCredentials);
    }
    let spaces = rest.iter().take_while(|&&byte| byte == b' ').count();
    let token = rest.get(spaces..).unwrap_or_default();
    if spaces == 0 || token.is_empty() {
        return Err(SourceError::Malformed);
    }
    Ok(token)
}

const fn is_scheme_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'_' | b'.' | b'+' | b'!' | b'#' | b'$' | b'*')
}

/// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`
fn is_b64token(bytes: &[u8]) -> bool {
    let padding = bytes.iter().rev().take_while(|&&byte| byte == b'=').count();
    let (body, _) = bytes.split_at(bytes.len() - padding);
    // every byte is looked at, without a branch: a token is long and nearly always in order
    let out_of_order =
        |so_far, &byte: &u8| so_far | u8::from(!is_b64token_byte(byte)) | u8::from(byte == b'=');
    !body.is_empty() && body.iter().fold(0, out_of_order) == 0
}

const fn is_b64token_byte(byte: u8) -> bool {
    let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    let digit = byte.wrapping_sub(b'0') < 10;
    let mark = (byte == b'-') | (byte == b'.') | (byte == b'_') | (byte == b'~');
    let base64 = (byte == b'+') | (byte == b'/') | (byte == b'=');
    letter | digit | mark | base64
}

/// Whether a parameter of the query is called `access_token`, however its name is encoded.
fn names_access_token(query: &str) -> bool {
    const NAME: &[u8] = b"access_token";
    query.split(['&', ';']).any(|parameter| {
        let name = parameter.split('=').next().unwrap_or_default();
        // the shortest spelling is the plain one, the longest encodes every character
        (NAME.len()..=NAME.len() * 3).contains(&name.len())
            && imprint::percent_decoded(name.as_bytes()).eq_ignore_ascii_case(NAME)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn present(fields: &[&str], query: Option<&str>) -> Result<String, SourceError> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(field).unwrap());
        }
        bearer(&headers, query, 64)
            .and_then(Bearer::present)
            .map(|presented| String::from_utf8(presented.token().expose().to_vec()).unwrap())
    }

    #[test]
    fn the_scheme_is_read_in_any_case_and_the_token_as_it_stands() {
        for field in [
            "Bearer a.b-c_d~e+f/g==",
            "bearer a.b-c_d~e+f/g==",
            "BEARER   a.b-c_d~e+f/g==",
        ] {
            assert_eq!(
                present(&[field], None).as_deref(),
                Ok("a.b-c_d~e+f/g=="),
                "{field}"
            );
        }
    }

    #[test]
    fn the_token_of_a_form_has_the_characters_of_a_token_and_no_more_than_the_limit() {
        let token = form_token("oboat_a.b-c", 11).unwrap();
        assert_eq!(token.token().expose(), b"oboat_a.b-c");
        assert_eq!(
            form_token("oboat_a.b-c", 10).unwrap_err(),
            SourceError::TooLong { limit: 10 }
        );
        for text in ["", "a b", "a\n", "a,b", "\u{e4}", "Bearer a"] {
            assert_eq!(
                form_token(text, 64).unwrap_err(),
                SourceError::Malformed,
                "{text:?}"
            );
        }
    }

    #[test]
    fn no_field_and_other_schemes_are_no_credentials() {
        assert_eq!(present(&[], None), Err(SourceError::NoCredentials));
        for field in ["Basic YTpi", "Bearerx a", "DPoP a.b.c", "a.b.c", ""] {
            assert_eq!(
                present(&[field], None),
                Err(SourceError::NoCredentials),
                "{field}"
            );
        }
    }

    #[test]
    fn what_follows_bearer_must_be_one_token() {
        for field in [
            "Bearer",
            "Bearer ",
            "Bearer\ta",
            "Bearer a b",
            "Bearer \"a\"",
            "Bearer a,b",
            "Bearer =a",
            "Bearer a=b",
            "Bearer a\t",
            "Bearer token=a",
        ] {
            assert_eq!(
                present(&[field], None),
                Err(SourceError::Malformed),
                "{field}"
            );
        }
    }

    #[test]
    fn two_fields_are_refused_even_when_they_are_equal() {
        assert_eq!(
            present(&["Bearer a", "Bearer a"], None),
            Err(SourceError::Several)
        );
        assert_eq!(
            present(&["Basic a", "Bearer a"], None),
            Err(SourceError::Several)
        );
    }

    #[test]
    fn a_token_in_the_query_is_refused_however_its_name_is_written() {
        for query in [
            "access_token=a",
            "x=1&access_token=a",
            "access%5Ftoken=a",
            "%61ccess_token",
            "x;access_token=1",
            "Access_Token=1",
        ] {
            assert_eq!(
                present(&["Bearer a"], Some(query)),
                Err(SourceError::InQuery),
                "{query}"
            );
        }
        assert!(
            present(
                &["Bearer a"],
                Some("my_access_token=a&access_tokens=b&x=access_token")
            )
            .is_ok()
        );
    }

    #[test]
    fn every_word_that_may_be_a_token_is_recognised_whatever_stands_around_it() {
        let (first, second) = ("a1".repeat(20), "b2".repeat(20));
        for field in [
            format!("Bearer {first}, Other x=\"{second}\""),
            format!("{first}\t{second} "),
            format!("Bearer {second};{first}"),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(header::AUTHORIZATION, "Basic YTpi".parse().unwrap());
            headers.append(header::AUTHORIZATION, field.parse().unwrap());
            let imprints = imprints(&headers).unwrap();
            for token in [&first, &second] {
                let found = imprints
                    .iter()
                    .any(|imprint| imprint.is_in(token.as_bytes()));
                assert!(found, "{field}");
            }
        }
        let mut headers = HeaderMap::new();
        headers.append(
            header::AUTHORIZATION,
            format!("{first} ").repeat(9).parse().unwrap(),
        );
        assert_eq!(imprints(&headers).err(), Some(SourceError::Several));
    }

    #[test]
    fn a_token_over_the_limit_is_too_long() {
        let field = format!("Bearer {}", "a".repeat(65));
        assert_eq!(
            present(&[&field], None),
            Err(SourceError::TooLong { limit: 64 })
        );
    }
}
