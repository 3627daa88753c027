//! The parameters of a request (RFC 6749 Appendix B).

use super::error::OAuthError;
use std::fmt;
use zeroize::Zeroizing;

/// Maximum size of a body, in bytes.
pub const MAX_BODY: usize = 64 << 10;
/// Maximum number of parameters.
const MAX_PARAMETERS: usize = 64;
/// Parameters that may be repeated (RFC 8693 §2.1, RFC 8707 §2).
const REPEATABLE: [&str; 2] = ["audience", "resource"];
/// Parameters that belong in the body: those of the endpoints, and credentials and grants that clients send to other
/// servers.
const IN_THE_BODY: [&str; 31] = [
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "subject_token",
    "subject_token_type",
    "actor_token",
    "actor_token_type",
    "requested_token_type",
    "requested_token_use",
    "audience",
    "resource",
    "scope",
    "authorization_details",
    "assertion",
    "refresh_token",
    "token",
    "token_type_hint",
    "access_token",
    "id_token",
    "username",
    "password",
    "code",
    "code_verifier",
    "redirect_uri",
    "device_code",
    "auth_req_id",
    "claims",
    "request",
    "request_uri",
];

/// Checks the query of a request whose parameters are in its body. Unknown parameters are ignored, even if they are
/// repeated (RFC 6749 §3.2); they are never used.
///
/// # Errors
/// `invalid_request` for a parameter that belongs in the body, even if the body contains it too, for too many
/// parameters, and for invalid percent-encoding or UTF-8.
pub(super) fn check_query(query: &[u8]) -> Result<(), OAuthError> {
    for (count, parameter) in query.split(|byte| *byte == b'&').enumerate() {
        if count == MAX_PARAMETERS {
            return Err(OAuthError::invalid_request("too many parameters"));
        }
        let (name, value) = decoded(parameter)
            .ok_or_else(|| OAuthError::invalid_request("the query is not a UTF-8 form"))?;
        if !value.is_empty() && IN_THE_BODY.contains(&name.as_str()) {
            return Err(OAuthError::invalid_request(
                "parameters belong in the body, not in the query",
            ));
        }
    }
    Ok(())
}

/// Returns the name and value of a parameter, or `None` if its percent-encoding or UTF-8 is invalid.
fn decoded(parameter: &[u8]) -> Option<(String, Zeroizing<String>)> {
    let at = parameter.iter().position(|byte| *byte == b'=');
    let (name, value) = parameter.split_at(at.unwrap_or(parameter.len()));
    let value = value.strip_prefix(b"=").unwrap_or(value);
    Some((form_decoded(name)?, Zeroizing::new(form_decoded(value)?)))
}

/// The parameters of a form, each at most once except `audience` and `resource`. A parameter without a value counts as
/// absent (RFC 6749 §3.2).
pub(super) struct Form(Vec<(String, Zeroizing<String>)>);

impl Form {
    /// Parses a body that is a form.
    ///
    /// # Errors
    /// `invalid_request` for a body that is too long, has too many parameters, repeats one, or has invalid
    /// percent-encoding or UTF-8.
    pub(super) fn parse(body: &[u8]) -> Result<Self, OAuthError> {
        if body.len() > MAX_BODY {
            return Err(OAuthError::unread(super::Unread::TooLong));
        }
        let mut parameters: Vec<(String, Zeroizing<String>)> = Vec::new();
        for (count, parameter) in body.split(|byte| *byte == b'&').enumerate() {
            if count == MAX_PARAMETERS {
                return Err(OAuthError::invalid_request("too many parameters"));
            }
            let (name, value) = decoded(parameter)
                .ok_or_else(|| OAuthError::invalid_request("the body is not a UTF-8 form"))?;
            if value.is_empty() {
                continue;
            }
            let repeated = parameters.iter().any(|(known, _)| *known == name);
            if repeated && !REPEATABLE.contains(&name.as_str()) {
                return Err(OAuthError::invalid_request("a parameter is repeated"));
            }
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    /// Returns the value of a parameter, if it has one.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Returns `token`, the token to revoke or to introspect.
    ///
    /// # Errors
    /// `invalid_request` if it is missing.
    pub(super) fn token(&self) -> Result<&str, OAuthError> {
        self.get("token")
            .ok_or_else(|| OAuthError::invalid_request("token is missing"))
    }

    /// Returns all values of a parameter that may be repeated.
    pub(super) fn all<'a, 'n>(
        &'a self,
        name: &'n str,
    ) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        let same = self.0.iter().filter(move |(own, _)| own == name);
        same.map(|(_, value)| value.as_str())
    }
}

/// Redacted: values are secrets and tokens, and names are chosen by the client.
impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Form({} parameters, redacted)", self.0.len())
    }
}

/// Decodes form-encoded text: `+` is a space, and `%` is followed by two hexadecimal digits (RFC 6749 Appendix B).
/// Returns `None` if the encoding is invalid or the result is not UTF-8.
pub(super) fn form_decoded(encoded: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded.iter();
    while let Some(&byte) = rest.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (hexadecimal(*rest.next()?)?, hexadecimal(*rest.next()?)?);
                high << 4 | low
            }
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hexadecimal(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6749 Appendix B: U+0020 U+0025 U+0026 U+002B U+00A3 U+20AC.
    #[test]
    fn the_example_of_the_standard_is_read() {
        let form = Form::parse(b"x=+%25%26%2B%C2%A3%E2%82%AC").unwrap();
        assert_eq!(form.get("x"), Some(" %&+£€"));
    }

    #[test]
    fn a_parameter_without_a_value_is_absent() {
        let form = Form::parse(b"a=&b&&c=1&a=2").unwrap();
        assert_eq!(form.get("a"), Some("2"));
        assert_eq!(form.get("b"), None);
        assert_eq!(form.get("c"), Some("1"));
        assert!(Form::parse(b"").unwrap().get("a").is_none());
    }

    #[test]
    fn a_parameter_stands_there_once_but_for_audience_and_resource() {
        let form = Form::parse(b"audience=a&resource=r&audience=b").unwrap();
        assert_eq!(form.all("audience").collect::<Vec<_>>(), ["a", "b"]);
        for body in [
            "scope=a&scope=b",
            "scope=a&scope=a",
            "scope=a&%73cope=b",
            "x=1&x=2",
        ] {
            assert!(Form::parse(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_query_holds_nothing_that_belongs_in_the_body() {
        for name in IN_THE_BODY {
            let query = format!("client-request-id=1&{name}=x");
            assert!(check_query(query.as_bytes()).is_err(), "{name}");
        }
        for query in [
            "grant%5Ftype=a",
            "%63lient_id=a",
            "x=1&scope=&scope=b",
            "token=+",
            "x=%zz",
            "%FF=1",
            "client_secret=a=b",
        ] {
            assert!(check_query(query.as_bytes()).is_err(), "{query}");
        }
    }

    #[test]
    fn what_nobody_knows_in_a_query_is_ignored() {
        for query in [
            "",
            "&&",
            "client-request-id=9f1b&x-client-SKU=msal.js.node",
            "Client_Id=a",
            "x=1&x=2",
            "scope",
            "scope=",
            "tokens=1&xscope=a",
            "a%3Dclient_id=1",
        ] {
            assert!(check_query(query.as_bytes()).is_ok(), "{query}");
        }
        let many = vec!["a=1"; MAX_PARAMETERS + 1].join("&");
        assert!(check_query(many.as_bytes()).is_err());
    }

    #[test]
    fn what_is_no_form_in_utf_8_is_refused() {
        for body in [
            &b"a=%"[..],
            b"a=%4",
            b"a=%zz",
            b"a=%FF",
            b"\xff=1",
            b"a=%C3%28",
        ] {
            assert!(Form::parse(body).is_err(), "{body:?}");
        }
    }

    #[test]
    fn a_form_is_bounded() {
        let many = vec!["a="; MAX_PARAMETERS].join("&");
        assert!(Form::parse(many.as_bytes()).is_ok());
        assert!(Form::parse(format!("{many}&b=").as_bytes()).is_err());
        let long = format!("a={}", "x".repeat(MAX_BODY - 2));
        assert!(Form::parse(long.as_bytes()).is_ok());
        assert!(Form::parse(format!("{long}x").as_bytes()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(body: Vec<u8>) {
            let _ = Form::parse(&body);
        }
    }
}
