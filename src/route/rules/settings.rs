//! The `routes[].request` and `routes[].response` sections of the configuration.

use super::{
    Cors, HeaderValueSettings, RequestRules, ResponseRules,
    names::{
        check_cookie, check_passed, check_removed, check_set, check_underscored, name, names,
        warn_of_a_written_secret, with_hyphens,
    },
};
use crate::settings::{Building, fingerprint};
use http::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;

/// Changes to the headers and cookies that are forwarded to the API. By default the gateway forwards all headers
/// except [the removed request headers](deployment.md#removed-request-headers).
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequestSettings {
    /// Names of cookies to forward. Default: none.
    #[schemars(inner(regex(pattern = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")))]
    pub cookies: Vec<String>,
    /// Headers to add, forward or remove.
    pub headers: HeadersSettings,
}

fingerprint!(RequestSettings {
    fields: [headers],
    without: { [cookies]: "are forwarded next to the token" },
});

/// Headers that the gateway sets, forwards or removes on the way to the API.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HeadersSettings {
    /// Headers to set. They are applied last and replace every spelling of the name that the client sent.
    pub set: Vec<SetHeaderSettings>,
    /// Headers with an underscore in their name to forward, such as X_Legacy. All others are dropped, because many
    /// servers treat X_Api_Key and X-Api-Key as the same header.
    #[schemars(inner(regex(pattern = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")))]
    pub pass: Vec<String>,
    /// Headers to remove from the client's request.
    #[schemars(inner(regex(pattern = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")))]
    pub remove: Vec<String>,
}

fingerprint!(HeadersSettings {
    without: { [set, pass, remove]: "are forwarded next to the token" },
});

/// A header that the gateway sets. It cannot be Authorization, Proxy-Authorization, Cookie or DPoP.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetHeaderSettings {
    /// The header's name.
    #[schemars(regex(pattern = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"))]
    pub name: String,
    /// The header's value: a text, or the source of a secret.
    pub value: HeaderValueSettings,
}

/// Changes to the headers that are returned to the client. By default the gateway returns all headers except [the
/// removed response headers](deployment.md#removed-response-headers).
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResponseSettings {
    /// Headers to return although they are dropped by default, such as Set-Cookie.
    #[schemars(inner(regex(pattern = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")))]
    pub pass_headers: Vec<String>,
}

fingerprint!(ResponseSettings {
    without: { [pass_headers]: "are returned to the client" },
});

impl RequestSettings {
    /// Checks the fields. Returns `None` if the route configures none.
    pub fn build(&self, building: &mut Building<'_>) -> Option<RequestRules> {
        building.within("cookies", |b| {
            for (position, name) in self.cookies.iter().enumerate() {
                b.within(position, |b| check_cookie(name, b));
            }
        });
        let (set, remove, pass) = building.within("headers", |b| {
            let set = b.within("set", |b| self.headers.set(b));
            let mut remove = b.within("remove", |b| names(&self.headers.remove, check_removed, b));
            let pass = b.within("pass", |b| self.headers.pass(&set, &remove, b));
            // the client's fields in all spellings that a server could take for the operator's
            let named = remove.iter().chain(set.iter().map(|(name, _)| name));
            let others: Vec<_> = named.filter_map(with_hyphens).collect();
            remove.extend(others);
            (set, remove, pass)
        });
        let terms = RequestRules {
            cookies: self
                .cookies
                .iter()
                .map(|name| name.as_bytes().into())
                .collect(),
            pass,
            remove,
            set,
        };
        let silent = terms.cookies.is_empty()
            && terms.pass.is_empty()
            && terms.remove.is_empty()
            && terms.set.is_empty();
        (!silent).then_some(terms)
    }
}

impl HeadersSettings {
    fn pass(
        &self,
        set: &[(HeaderName, HeaderValue)],
        remove: &[HeaderName],
        building: &mut Building<'_>,
    ) -> Vec<HeaderName> {
        let pass = names(&self.pass, check_underscored, building);
        for (position, text) in self.pass.iter().enumerate() {
            building.within(position, |b| {
                if !text.contains('_') {
                    b.findings.error_because(
                        format!("{text} has no underscore"),
                        "fields without one are forwarded or dropped on every route",
                        "remove it",
                    );
                }
                let Ok(name) = HeaderName::from_bytes(text.as_bytes()) else {
                    return;
                };
                if set.iter().any(|(other, _)| is_read_as(other, &name)) {
                    b.findings.error_because(
                        format!("{text} is another spelling of a field that is set"),
                        "a server could use the client's value instead of yours",
                        "remove one of them",
                    );
                } else if remove.iter().any(|other| is_read_as(other, &name)) {
                    b.findings.error(
                        format!("{text} is another spelling of a field that is removed"),
                        "remove one of them",
                    );
                }
            });
        }
        pass
    }

    fn set(&self, building: &mut Building<'_>) -> Vec<(HeaderName, HeaderValue)> {
        let mut fields: Vec<(HeaderName, HeaderValue)> = Vec::new();
        for (position, setting) in self.set.iter().enumerate() {
            building.within(position, |b| {
                let name = b.within("name", |b| {
                    let name = name(&setting.name, check_set, b)?;
                    if fields.iter().any(|(other, _)| is_read_as(other, &name)) {
                        b.findings.error(
                            format!("{name} is set twice"),
                            "keep one of them: the other would have no effect",
                        );
                    }
                    Some(name)
                });
                let value = b.within("value", |b| {
                    warn_of_a_written_secret(name.as_ref(), &setting.value, b);
                    setting.value.build(b)
                });
                fields.extend(name.zip(value));
            });
        }
        fields
    }
}

/// Returns `true` if a server could take one name for the other.
fn is_read_as(one: &HeaderName, other: &HeaderName) -> bool {
    let (one, other) = (one.as_str().bytes(), other.as_str().bytes());
    let hyphen = |byte| if byte == b'_' { b'-' } else { byte };
    one.map(hyphen).eq(other.map(hyphen))
}

impl ResponseSettings {
    /// Checks the fields. Returns `None` if the route configures none.
    pub(in crate::route) fn build(
        &self,
        cors: Option<Cors>,
        building: &mut Building<'_>,
    ) -> Option<ResponseRules> {
        let pass = building.within("pass_headers", |b| {
            names(&self.pass_headers, check_passed, b)
        });
        let silent = cors.is_none() && pass.is_empty();
        (!silent).then_some(ResponseRules { cors, pass })
    }
}
