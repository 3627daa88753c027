//! The check of a parsed head.

use super::{GateError, Host, HostFault, LimitsSettings, PathAmbiguity, path};
use http::{HeaderValue, Method, Uri, header, request::Parts};

/// A request target with only one interpretation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanTarget<'a> {
    authority: &'a str,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> CleanTarget<'a> {
    /// The requested host, without its port.
    pub fn host(&self) -> &'a str {
        without_port(self.authority)
    }

    /// The requested host and port, as the client wrote them.
    pub fn authority(&self) -> &'a str {
        self.authority
    }

    /// The path, starting with a slash.
    pub fn path(&self) -> &'a str {
        self.path
    }

    /// The query without its question mark.
    pub fn query(&self) -> Option<&'a str> {
        self.query
    }
}

/// The limits of the gate.
#[derive(Debug, Clone, Copy)]
pub struct Gate {
    target: usize,
    headers: usize,
}

impl Gate {
    /// Creates a gate with these limits.
    pub fn new(limits: &LimitsSettings) -> Self {
        Self {
            target: limits.target.as_len(),
            headers: limits.headers.as_len(),
        }
    }

    /// Checks a head.
    ///
    /// # Errors
    /// [`GateError`]. If the framing itself is in doubt, the connection should be closed after the response.
    pub fn pass<'a>(&self, head: &'a Parts) -> Result<CleanTarget<'a>, GateError> {
        let path = head.uri.path();
        let query = head.uri.query();
        if path.len() + query.map_or(0, |query| query.len() + 1) > self.target {
            return Err(GateError::TargetTooLong { limit: self.target });
        }
        let (mut size, mut host) = (0, None);
        for (name, value) in &head.headers {
            // name, colon, space, value and line end
            size += name.as_str().len() + value.len() + 4;
            if name == header::HOST {
                host = host.or(Some(value));
            }
        }
        if size > self.headers {
            return Err(GateError::HeadersTooLarge {
                limit: self.headers,
            });
        }
        if [Method::TRACE, Method::CONNECT].contains(&head.method) || head.method.as_str() == TRACK
        {
            return Err(GateError::MethodNotForwarded);
        }
        check_path(path)?;
        Ok(CleanTarget {
            authority: authority_of(&head.uri, host)?,
            path,
            query,
        })
    }
}

/// The method that older IIS versions use like TRACE.
const TRACK: &str = "TRACK";

/// Accepts a path that every parser splits and decodes alike.
///
/// # Errors
/// The first [`PathAmbiguity`] found.
pub fn check_path(path: &str) -> Result<(), PathAmbiguity> {
    path::check(path)
}

/// Accepts a head that names exactly one host (RFC 9112 §3.2).
///
/// # Errors
/// [`HostFault`], or [`GateError::AuthorityMismatch`] for two names that differ.
pub fn check_host(head: &Parts) -> Result<(), GateError> {
    authority_of(&head.uri, head.headers.get(header::HOST)).map(drop)
}

/// Returns host and port from the target's authority or the Host field. If both are present, they must agree.
fn authority_of<'a>(uri: &'a Uri, host: Option<&'a HeaderValue>) -> Result<&'a str, GateError> {
    let field = match host {
        None => None,
        Some(value) => Some(value.to_str().map_err(|_| HostFault::Malformed)?),
    };
    let authority = match (uri.authority(), field) {
        (Some(target), Some(field)) if !target.as_str().eq_ignore_ascii_case(field) => {
            return Err(GateError::AuthorityMismatch);
        }
        (Some(target), _) => target.as_str(),
        (None, field) => field.unwrap_or_default(),
    };
    Host::read(authority.as_bytes())?;
    Ok(authority)
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        // a colon inside the brackets of an IPv6 literal does not separate a port
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn pass(request: http::request::Builder) -> Result<(String, String), GateError> {
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let host = HeaderValue::from_static("a.example");
        head.headers.entry(header::HOST).or_insert(host);
        Gate::new(&LimitsSettings::default())
            .pass(&head)
            .map(|target| (target.host().to_owned(), target.path().to_owned()))
    }

    #[test]
    fn the_host_is_read_without_its_port() {
        for (host, expected) in [
            ("api.example.com", "api.example.com"),
            ("api.example.com:8443", "api.example.com"),
            ("[::1]:8443", "[::1]"),
            ("[::1]", "[::1]"),
        ] {
            let (found, _) = pass(Request::get("/a").header("host", host)).unwrap();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn two_names_for_the_host_are_refused() {
        let request = Request::get("http://a.example/x").header("host", "b.example");
        assert_eq!(pass(request), Err(GateError::AuthorityMismatch));
        assert!(pass(Request::get("http://a.example/x").header("host", "A.example")).is_ok());
    }

    #[test]
    fn a_request_for_no_host_is_refused() {
        let (head, ()) = Request::get("/a").body(()).unwrap().into_parts();
        let gate = Gate::new(&LimitsSettings::default());
        assert_eq!(gate.pass(&head), Err(HostFault::Missing.into()));
        for host in ["a b", "a,b", "u@a", "a:x", "a..b", "caf\u{e9}"] {
            let request = Request::get("/a").header("host", host.as_bytes());
            assert_eq!(pass(request), Err(HostFault::Malformed.into()), "{host}");
        }
        assert_eq!(
            pass(Request::get("/a").header("host", "")),
            Err(HostFault::Missing.into())
        );
        assert!(
            pass(Request::get("https://a.example:8443/a").header("host", "a.example:8443")).is_ok()
        );
    }

    #[test]
    fn sizes_are_bounded() {
        let long = format!("/{}", "a".repeat(8 << 10));
        assert!(matches!(
            pass(Request::get(long)),
            Err(GateError::TargetTooLong { .. })
        ));
        let wide = "a".repeat(64 << 10);
        assert!(matches!(
            pass(Request::get("/").header("x", wide)),
            Err(GateError::HeadersTooLarge { .. })
        ));
    }

    #[test]
    fn trace_and_asterisk_form_are_refused() {
        for method in ["TRACE", "TRACK", "CONNECT"] {
            assert_eq!(
                pass(Request::builder().method(method).uri("/")),
                Err(GateError::MethodNotForwarded)
            );
        }
        assert!(matches!(
            pass(Request::builder().method("OPTIONS").uri("*")),
            Err(GateError::AmbiguousPath(_))
        ));
    }
}
