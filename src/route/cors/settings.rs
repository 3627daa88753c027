//! The `routes[].cors` section of the configuration, and how it becomes header fields.

use super::{Cors, Field, Origins};
use crate::settings::{Building, HumanDuration};
use http::{HeaderName, HeaderValue, Method, header};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;
use url::Url;

/// The web origins whose scripts may call the route and read its responses (CORS). Without it the gateway adds no
/// CORS headers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CorsSettings {
    /// Origins as browsers send them, for example `https://app.example.com`, or only `*`.
    #[schemars(
        length(min = 1),
        inner(regex(pattern = "^([*]|[a-z][a-z0-9+.-]*://[^/?#*]+)$"))
    )]
    pub origins: Vec<String>,
    /// Methods that a script may use. Default: the methods of the route's `match`.
    #[serde(default)]
    #[schemars(inner(regex(pattern = "^[A-Z]+(-[A-Z]+)*$")))]
    pub methods: Vec<String>,
    /// Request headers that a script may set. List `Authorization` for a route that needs a token; otherwise browsers
    /// do not let scripts send it.
    #[serde(default)]
    #[schemars(inner(regex(pattern = "^[!#$%&'+.^_`|~0-9A-Za-z-]+$")))]
    pub headers: Vec<String>,
    /// How long a browser may cache the response to a preflight request, in whole seconds, at most 24h. Default: the
    /// browser's own default.
    pub max_age: Option<HumanDuration>,
}

/// No browser caches a preflight response for longer. Firefox has the highest limit.
const LONGEST_MAX_AGE: Duration = Duration::from_secs(86_400);

impl CorsSettings {
    /// Makes the fields. `served` are the methods of the route's match. `protected` is `true` if the route requires a
    /// token.
    pub(in crate::route) fn build(
        &self,
        served: &[Method],
        protected: bool,
        building: &mut Building<'_>,
    ) -> Option<Cors> {
        let before = building.findings.errors();
        let origins = building.within("origins", |b| self.origins(b));
        let methods = building.within("methods", |b| self.methods(served, b));
        let headers = building.within("headers", |b| self.headers(protected, b));
        let max_age = building.within("max_age", |b| self.max_age(b));
        (building.findings.errors() == before).then_some(())?;
        let lists = [
            (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, headers),
        ];
        let mut preflight: Vec<Field> = lists
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .filter_map(|(name, list)| Some((name, HeaderValue::from_str(&list.join(", ")).ok()?)))
            .collect();
        preflight.extend(max_age.map(|age| {
            let seconds = HeaderValue::from(age.as_secs());
            (header::ACCESS_CONTROL_MAX_AGE, seconds)
        }));
        Some(Cors { origins, preflight })
    }

    fn origins(&self, building: &mut Building<'_>) -> Origins {
        match self.origins.as_slice() {
            [] => building.findings.error(
                "expected at least one origin",
                "write [https://app.example.com], or remove cors",
            ),
            [only] if only == "*" => return Origins::Any,
            _ => {}
        }
        let mut listed = Vec::new();
        for (position, origin) in self.origins.iter().enumerate() {
            building.within(position, |b| match check_origin(origin) {
                Ok(value) => listed.push(value),
                Err(Mistake { what, why, fix }) => b.findings.error_because(what, why, fix),
            });
        }
        Origins::Listed(listed.into())
    }

    fn methods(&self, served: &[Method], building: &mut Building<'_>) -> Vec<String> {
        if self.methods.is_empty() {
            return served.iter().map(Method::to_string).collect();
        }
        for (position, name) in self.methods.iter().enumerate() {
            building.within(position, |b| check_method(name, served, b));
        }
        self.methods.clone()
    }

    fn headers(&self, protected: bool, building: &mut Building<'_>) -> Vec<String> {
        for (position, name) in self.headers.iter().enumerate() {
            building.within(position, |b| check_header(name, b));
        }
        let authorizes = |name: &String| name.eq_ignore_ascii_case("authorization");
        if protected && !self.headers.iter().any(authorizes) {
            building.findings.warn(
                "Authorization is not listed",
                "browsers then do not let scripts send a token, and this route refuses requests without one",
                "write headers: [Authorization], and Content-Type if requests have bodies",
            );
        }
        self.headers.clone()
    }

    fn max_age(&self, building: &mut Building<'_>) -> Option<Duration> {
        let age = self.max_age?.get();
        if age > LONGEST_MAX_AGE || age.subsec_nanos() > 0 {
            building.findings.error_because(
                "expected whole seconds, at most 24h",
                "browsers do not cache preflight responses for longer",
                "write e.g. 10m",
            );
        }
        Some(age)
    }
}

struct Mistake {
    what: String,
    why: &'static str,
    fix: String,
}

/// Checks an origin. Origins are compared byte by byte and must be written as browsers send them (RFC 6454 §6.2).
fn check_origin(text: &str) -> Result<HeaderValue, Mistake> {
    let mistake = |why, fix: &str| Mistake {
        what: format!(
            "expected scheme://host, with :port if it is not the default, found {text:?}"
        ),
        why,
        fix: fix.to_owned(),
    };
    if text == "*" {
        return Err(mistake(
            "* includes all other origins",
            "write only [\"*\"], or list each origin without it",
        ));
    }
    if text == "null" {
        return Err(mistake(
            "null is the origin of every sandboxed page, regardless of its author",
            "serve the application from a separate origin",
        ));
    }
    if text.contains('*') {
        return Err(mistake(
            "origins are compared as a whole: * is supported only alone",
            "write each origin",
        ));
    }
    let compared = "origins are compared byte by byte with those that browsers send";
    let example = "write e.g. https://app.example.com";
    let url = Url::parse(text).map_err(|_| mistake(compared, example))?;
    let written = if url.origin().is_tuple() {
        url.origin().ascii_serialization()
    } else {
        // an installed application's own scheme
        let port = url.port().map(|port| format!(":{port}"));
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| mistake(compared, example))?;
        format!("{}://{host}{}", url.scheme(), port.unwrap_or_default())
    };
    if written != text {
        return Err(mistake(compared, &format!("write {written}")));
    }
    HeaderValue::from_str(text).map_err(|_| mistake(compared, example))
}

fn check_header(name: &str, building: &mut Building<'_>) {
    let fix = "write each field, e.g. [Authorization, Content-Type]";
    if name == "*" {
        building.findings.error_because(
            "expected the name of a header field, found a star",
            "a star does not cover Authorization (Fetch, 3.3.3)",
            fix,
        );
    } else if HeaderName::from_bytes(name.as_bytes()).is_err() {
        building.findings.error(
            format!("expected the name of a header field, found {name:?}"),
            fix,
        );
    }
}

fn check_method(name: &str, served: &[Method], building: &mut Building<'_>) {
    let method = Method::from_bytes(name.as_bytes()).ok().filter(|method| {
        name != "*"
            && name == name.to_ascii_uppercase()
            && !matches!(*method, Method::TRACE | Method::CONNECT)
    });
    match method {
        None => building.findings.error(
            format!("expected a method in capitals, found {name:?}"),
            "write each method, e.g. [GET, POST]; browsers send no TRACE and no CONNECT",
        ),
        Some(method) if !served.is_empty() && !served.contains(&method) => building.findings.warn(
            format!("the route does not match {method}"),
            "a preflight request is handled by the route that serves the requested method",
            "add the method to match.methods, or remove it here",
        ),
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_send_it() {
        for right in [
            "https://app.example.com",
            "http://localhost:3000",
            "https://[::1]:8443",
            "capacitor://localhost",
            "chrome-extension://abcdefghijklmnop",
        ] {
            assert!(check_origin(right).is_ok(), "{right}");
        }
        for wrong in [
            "",
            "*",
            "null",
            "app.example.com",
            "https://app.example.com/",
            "https://app.example.com:443",
            "https://App.example.com",
            "https://user@app.example.com",
            "https://app.example.com/path",
            "https://app.example.com?x",
            "https://*.example.com",
            "data:text/plain,x",
            "capacitor://localhost/",
        ] {
            assert!(check_origin(wrong).is_err(), "{wrong}");
        }
    }
}
