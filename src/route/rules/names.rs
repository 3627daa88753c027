//! The names of fields and cookies that a route may configure. No name may restore a removed field or frame a message.

use super::HeaderValueSettings;
use crate::settings::Building;
use http::HeaderName;

pub(super) type Check = fn(&str, &mut Building<'_>);

pub(super) fn names(
    texts: &[String],
    check: Check,
    building: &mut Building<'_>,
) -> Vec<HeaderName> {
    let texts = texts.iter().enumerate();
    texts
        .filter_map(|(position, text)| building.within(position, |b| name(text, check, b)))
        .collect()
}

pub(super) fn name(text: &str, check: Check, building: &mut Building<'_>) -> Option<HeaderName> {
    let Ok(name) = HeaderName::from_bytes(text.as_bytes()) else {
        building.findings.error(
            format!("expected the name of a header field, found {text:?}"),
            "write e.g. X-Api-Key",
        );
        return None;
    };
    // servers with CGI-like interfaces read X_Api_Key and X-Api-Key as one (RFC 3875 §4.1.18)
    check(&name.as_str().replace('_', "-"), building);
    Some(name)
}

pub(super) fn check_set(name: &str, building: &mut Building<'_>) {
    if matches!(
        name,
        "authorization" | "proxy-authorization" | "cookie" | "dpop"
    ) {
        building.findings.error_because(
            format!("{name} cannot be set"),
            "the on-behalf-of token is the only credential of the request's user that is sent",
            "use another field for the API's own key, e.g. X-Api-Key",
        );
    }
    check_own(name, building);
}

/// Warns of secrets that are written in the file.
pub(super) fn warn_of_a_written_secret(
    name: Option<&HeaderName>,
    value: &HeaderValueSettings,
    building: &mut Building<'_>,
) {
    let secret = name.is_some_and(|name| {
        let name = name.as_str().replace('_', "-");
        matches!(
            name.as_str(),
            "x-api-key" | "x-auth-token" | "x-access-token"
        )
    });
    if secret && matches!(value, HeaderValueSettings::Literal(_)) {
        building.findings.warn(
            "a secret is written in this file",
            "anyone who can read the configuration can use it",
            "write { env: NAME } or { file: PATH }",
        );
    }
}

pub(super) fn check_removed(name: &str, building: &mut Building<'_>) {
    if name == "authorization" {
        building.findings.error(
            "authorization contains the on-behalf-of token",
            "remove it: what the client sent is dropped on every route",
        );
    }
    check_own(name, building);
}

fn check_own(name: &str, building: &mut Building<'_>) {
    if name == "host" {
        building.findings.error(
            "the Host field is not set or removed here",
            "write upstream.host",
        );
    }
    if is_framing(name) {
        building.findings.error_because(
            format!("{name} belongs to the connection"),
            "the gateway frames each message itself: a second framing could end it elsewhere",
            "remove it",
        );
    }
}

/// Checks a field with an underscore in its name that is to be forwarded. The check against fields that are removed on
/// every route needs the whole configuration and is made elsewhere.
pub(super) fn check_underscored(name: &str, building: &mut Building<'_>) {
    check_own(name, building);
}

/// Returns the name as it is read by servers that treat `_` and `-` alike (RFC 3875 §4.1.18).
pub(super) fn with_hyphens(name: &HeaderName) -> Option<HeaderName> {
    let text = name.as_str();
    let hyphens = text.contains('_').then(|| text.replace('_', "-"))?;
    HeaderName::from_bytes(hyphens.as_bytes()).ok()
}

pub(super) fn check_passed(name: &str, building: &mut Building<'_>) {
    let challenge = matches!(
        name,
        "www-authenticate"
            | "proxy-authenticate"
            | "authentication-info"
            | "proxy-authentication-info"
    );
    if challenge {
        building.findings.error_because(
            format!("{name} cannot be passed"),
            "it would ask the client for credentials that the API must not receive",
            "remove it",
        );
    } else if name.starts_with("access-control-") {
        building.findings.error(
            format!("{name} cannot be passed by name"),
            "write cors, which replaces the API's CORS fields, or remove it: without cors it is forwarded",
        );
    } else if is_framing(name) {
        building
            .findings
            .error(format!("{name} belongs to the connection"), "remove it");
    }
}

/// Returns `true` for fields that control message framing or the connection (RFC 9110 §7.6.1, RFC 9112 §6).
fn is_framing(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "content-length"
            | "expect"
            | "http2-settings"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

pub(super) fn check_cookie(name: &str, building: &mut Building<'_>) {
    // a cookie's name is a token, like a field's name (RFC 6265 §4.1.1)
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        building.findings.error(
            format!("expected the name of a cookie, found {name:?}"),
            "write only the name, e.g. session",
        );
    }
}
