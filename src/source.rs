//! The extraction of the token that a request presents (RFC 6750 §2.1, RFC 9110 §11.6.2).
//!
//! A [`Source`] finds the only [`Credential`] of a request head, and [`Bearer::present`] makes a
//! [`PresentedToken`] of it. A request without exactly one token gets a [`SourceError`]. A presented token is not
//! verified and cannot be forwarded: no function turns it back into a header field.

mod authorization;
mod needle;

use crate::token::{RawToken, is_b64token, is_b64token_byte};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, header};
use std::fmt;
use thiserror::Error;

pub use needle::TokenNeedle;

/// The only Bearer credential of a request, borrowed from the head.
///
/// It is sufficient to look up a token in the cache. For anything else it must be [presented](Bearer::present).
#[derive(Clone, Copy)]
pub struct Bearer<'a>(&'a [u8]);

/// The token that a request presents. It is not verified yet.
#[derive(Debug, Clone)]
pub struct PresentedToken(RawToken);

impl PresentedToken {
    /// The token, for verification and hashing.
    pub fn token(&self) -> &RawToken {
        &self.0
    }
}

/// The reason why a request presents no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SourceError {
    /// There is no Authorization header field, or it uses a scheme other than Bearer.
    #[error("no bearer credentials")]
    NoCredentials,
    /// The header field has the scheme Bearer without a valid token (RFC 6750 §2.1), or a form parameter is not a valid
    /// token.
    #[error("malformed authorization field")]
    Malformed,
    /// There is more than one Authorization header field.
    #[error("more than one authorization field")]
    Several,
    /// The query contains a token, which would end up in logs and referrers (RFC 6750 §2.3, RFC 9700 §4.3.2).
    #[error("a token in the query")]
    InQuery,
    /// The token is longer than `limits.token`.
    #[error("token longer than {limit} bytes")]
    TooLong {
        /// The configured limit in bytes.
        limit: usize,
    },
}

/// Where the requests of a route present their token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Source {
    /// The Authorization field with the scheme Bearer (RFC 6750 §2.1).
    #[default]
    Authorization,
}

/// The one credential of a request.
#[derive(Debug, Clone, Copy)]
pub struct Credential<'a> {
    /// How the request presents it.
    pub scheme: Scheme,
    /// The token, as it is in the head.
    pub token: Bearer<'a>,
}

/// An authentication scheme (RFC 9110 §11.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// RFC 6750.
    Bearer,
}

static AUTHORIZATION: [HeaderName; 1] = [header::AUTHORIZATION];

impl Source {
    /// Finds the credential in the fields and the query of a request. A token may have at most `limit` bytes.
    ///
    /// # Errors
    /// [`SourceError`]. The request must then be refused, regardless of its other content.
    pub fn find<'a>(
        self,
        fields: &'a HeaderMap,
        query: Option<&str>,
        limit: usize,
    ) -> Result<Credential<'a>, SourceError> {
        match self {
            Self::Authorization => {
                let token = authorization::bearer(fields, query, limit)?;
                Ok(Credential {
                    scheme: Scheme::Bearer,
                    token,
                })
            }
        }
    }

    /// The fields that it reads. The upstream gets none of them from the client.
    pub fn fields(self) -> &'static [HeaderName] {
        match self {
            Self::Authorization => &AUTHORIZATION,
        }
    }
}

impl<'a> Bearer<'a> {
    /// The token that these bytes of a head are.
    const fn at(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// All bytes of the token, for hashing.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Copies the token out of the head, for verification.
    ///
    /// # Errors
    /// [`SourceError::Malformed`] if it is not a `b64token` (RFC 6750 §2.1).
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

/// Parses the token in a form parameter (RFC 8693 §2.1: `subject_token`, `actor_token`).
///
/// # Errors
/// [`SourceError::TooLong`] if it has more than `limit` bytes, and [`SourceError::Malformed`] if it contains characters
/// that no token has.
pub fn form_token(text: &str, limit: usize) -> Result<PresentedToken, SourceError> {
    if text.len() > limit {
        return Err(SourceError::TooLong { limit });
    }
    Bearer(text.as_bytes()).present()
}

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

/// The maximum number of credentials to search for in one head.
const MOST_WORDS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn present(fields: &[&str], query: Option<&str>) -> Result<String, SourceError> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(field).unwrap());
        }
        Source::Authorization
            .find(&headers, query, 64)
            .and_then(|credential| credential.token.present())
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
            let needles = needles(&headers).unwrap();
            for token in [&first, &second] {
                let found = needles.iter().any(|needle| needle.is_in(token.as_bytes()));
                assert!(found, "{field}");
            }
        }
        let mut headers = HeaderMap::new();
        headers.append(
            header::AUTHORIZATION,
            format!("{first} ").repeat(9).parse().unwrap(),
        );
        assert_eq!(needles(&headers).err(), Some(SourceError::Several));
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
