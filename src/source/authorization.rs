//! The Authorization field with the scheme Bearer (RFC 6750 §2.1).

use super::{Bearer, SourceError, needle};
use http::{HeaderMap, HeaderValue, header};

/// Finds the bearer token in the Authorization field.
///
/// # Errors
/// [`SourceError`]. The request must then be refused, regardless of its other content.
pub(super) fn bearer<'a>(
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
    Ok(Bearer::at(token))
}

/// Returns the part after `"Bearer" 1*SP`. The scheme is compared without case (RFC 6750 §2.1, RFC 9110 §11.1).
fn token_of(field: &HeaderValue) -> Result<&[u8], SourceError> {
    const SCHEME: &[u8] = b"bearer";
    let bytes = field.as_bytes();
    // the spelling that nearly all clients use
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

/// Returns `true` if a parameter of the query is named `access_token`, however its name is encoded.
fn names_access_token(query: &str) -> bool {
    const NAME: &[u8] = b"access_token";
    query.split(['&', ';']).any(|parameter| {
        let name = parameter.split('=').next().unwrap_or_default();
        // the shortest spelling is the plain one, and the longest percent-encodes every character
        (NAME.len()..=NAME.len() * 3).contains(&name.len())
            && needle::percent_decoded(name.as_bytes()).eq_ignore_ascii_case(NAME)
    })
}
