//! The endpoints: their paths, and the checks of a request's head.

use super::{error::OAuthError, form};
use http::{HeaderMap, Method, header, request::Parts};

/// One endpoint of the token service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// `POST /oauth/v2/token` (RFC 6749 §3.2).
    Token,
    /// `POST /oauth/v2/introspect` (RFC 7662).
    Introspect,
    /// `POST /oauth/v2/revoke` (RFC 7009).
    Revoke,
    /// `/oauth/v2/authorize` (RFC 6749 §3.1), which offers no response type.
    Authorize,
}

impl Endpoint {
    /// All endpoints.
    pub(super) const ALL: &'static [Self] =
        &[Self::Token, Self::Introspect, Self::Revoke, Self::Authorize];

    /// Returns the path below the issuer's path.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Token => "/oauth/v2/token",
            Self::Introspect => "/oauth/v2/introspect",
            Self::Revoke => "/oauth/v2/revoke",
            Self::Authorize => "/oauth/v2/authorize",
        }
    }

    /// Returns the name of the endpoint in the metadata (RFC 8414 §2).
    pub(super) const fn metadata_name(self) -> &'static str {
        match self {
            Self::Token => "token_endpoint",
            Self::Introspect => "introspection_endpoint",
            Self::Revoke => "revocation_endpoint",
            Self::Authorize => "authorization_endpoint",
        }
    }

    /// Checks the head of a request. Responses have no CORS fields, so scripts of other origins cannot read them.
    pub(super) fn check_head(self, head: &Parts) -> Result<(), OAuthError> {
        match (self, &head.method) {
            (Self::Authorize, &Method::GET | &Method::HEAD | &Method::POST) => return Ok(()),
            (Self::Authorize, _) => return Err(OAuthError::method_not_allowed("GET, HEAD, POST")),
            (Self::Token | Self::Introspect | Self::Revoke, &Method::POST) => {}
            (Self::Token | Self::Introspect | Self::Revoke, _) => {
                return Err(OAuthError::method_not_allowed("POST"));
            }
        }
        // RFC 6749 §3.2: clients may add a query, but §2.3.1: a URL with credentials ends up in logs
        if let Some(query) = head.uri.query() {
            form::check_query(query.as_bytes())?;
        }
        if !is_form(&head.headers) {
            return Err(OAuthError::invalid_request(
                "the body must be application/x-www-form-urlencoded",
            ));
        }
        Ok(())
    }
}

/// RFC 6749 §4.4.2 and similar: exactly one media type, in any case and with any parameters.
fn is_form(headers: &HeaderMap) -> bool {
    let mut fields = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else {
        return false;
    };
    let named = field.to_str().unwrap_or_default();
    let media_type = named.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        && headers.get(header::CONTENT_ENCODING).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Request, StatusCode};

    fn head(method: &str, uri: &str, content_type: &[&str]) -> Parts {
        let mut request = Request::builder().method(method).uri(uri);
        for value in content_type {
            request = request.header(header::CONTENT_TYPE, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn status(endpoint: Endpoint, head: &Parts) -> Option<StatusCode> {
        let error = endpoint.check_head(head).err()?;
        Some(error.response().status())
    }

    #[test]
    fn a_form_is_one_media_type_whatever_its_case_and_charset() {
        for content_type in [
            "application/x-www-form-urlencoded",
            "Application/X-WWW-Form-Urlencoded",
            "application/x-www-form-urlencoded;charset=UTF-8",
            "application/x-www-form-urlencoded ; charset=iso-8859-1",
        ] {
            let head = head("POST", "/oauth/v2/token", &[content_type]);
            assert_eq!(status(Endpoint::Token, &head), None, "{content_type}");
        }
        let form = "application/x-www-form-urlencoded";
        for content_type in [
            &[][..],
            &["application/json"],
            &["text/plain; application/x-www-form-urlencoded"],
            &["application/x-www-form-urlencodedx"],
            &[form, form],
        ] {
            let head = head("POST", "/oauth/v2/token", content_type);
            let expected = Some(StatusCode::BAD_REQUEST);
            assert_eq!(status(Endpoint::Token, &head), expected, "{content_type:?}");
        }
    }

    #[test]
    fn each_endpoint_takes_its_methods_and_no_parameter_in_the_query() {
        let form = ["application/x-www-form-urlencoded"];
        for (endpoint, method, uri, expected) in [
            (Endpoint::Token, "GET", "/", 405),
            (Endpoint::Token, "OPTIONS", "/", 405),
            (Endpoint::Token, "POST", "/?client_id=a", 400),
            (Endpoint::Introspect, "POST", "/?token=a", 400),
            (Endpoint::Revoke, "POST", "/?x=1&token=a", 400),
            (Endpoint::Authorize, "DELETE", "/", 405),
        ] {
            let head = head(method, uri, &form);
            let status = status(endpoint, &head).map(|status| status.as_u16());
            assert_eq!(status, Some(expected), "{method} {uri}");
        }
        for uri in ["/?", "/?client-request-id=1&x", "/?x=1&x=2"] {
            assert_eq!(status(Endpoint::Token, &head("POST", uri, &form)), None);
        }
        assert_eq!(
            status(Endpoint::Authorize, &head("GET", "/?client_id=a", &[])),
            None
        );
    }
}
