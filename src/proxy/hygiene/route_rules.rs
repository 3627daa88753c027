//! Applies the fields that a single route forwards or adds, beyond the rules for all routes.

use crate::{
    route::{Cors, RequestRules, ResponseRules, Speaker},
    source::TokenNeedle,
};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Says if copies of a presented token were found and withheld.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Copies {
    /// No copies were found.
    None,
    /// At least one cookie or field contained a copy and was dropped entirely.
    KeptBack,
}

/// Applies the route's request settings to the fields that are forwarded (`kept`); `received` are those of the client.
pub(super) fn add_to_request(
    kept: &mut HeaderMap,
    received: &HeaderMap,
    terms: &RequestRules,
    presented: &[TokenNeedle],
) -> Copies {
    for name in terms.removed() {
        kept.remove(name);
    }
    let mut found = if terms.passes_cookies() {
        add_cookies(kept, received, terms, presented)
    } else {
        Copies::None
    };
    for name in terms.passed() {
        for value in received.get_all(name) {
            if presented.iter().any(|token| token.is_in(value.as_bytes())) {
                found = Copies::KeptBack;
            } else {
                kept.append(name.clone(), value.clone());
            }
        }
    }
    for (name, value) in terms.set() {
        kept.insert(name.clone(), value.clone());
    }
    found
}

/// Adds the cookies that may pass, as one field (RFC 9113 §8.2.3 joins those of HTTP/2 in the same way).
fn add_cookies(
    kept: &mut HeaderMap,
    received: &HeaderMap,
    terms: &RequestRules,
    presented: &[TokenNeedle],
) -> Copies {
    let mut passing: Vec<u8> = Vec::new();
    let mut found = Copies::None;
    let fields = received.get_all(header::COOKIE).iter();
    for pair in fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b';')) {
        let pair = pair.trim_ascii();
        let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
        if !terms.passes_cookie(name.trim_ascii_end()) {
            continue;
        }
        if presented.iter().any(|token| token.is_in(pair)) {
            found = Copies::KeptBack;
            continue;
        }
        if !passing.is_empty() {
            passing.extend_from_slice(b"; ");
        }
        passing.extend_from_slice(pair);
    }
    // parts of a received value are a valid value
    if let (false, Ok(mut value)) = (passing.is_empty(), HeaderValue::from_bytes(&passing)) {
        value.set_sensitive(true);
        kept.insert(header::COOKIE, value);
    }
    found
}

/// Restores the response fields that the route forwards, and sets the route's CORS fields.
pub(super) fn add_to_response(
    kept: &mut HeaderMap,
    received: &HeaderMap,
    terms: &ResponseRules,
    origin: Option<&HeaderValue>,
    is_dropped: impl Fn(&HeaderName) -> bool,
) {
    for name in terms.passed().iter().filter(|name| is_dropped(name)) {
        for value in received.get_all(name) {
            kept.append(name.clone(), value.clone());
        }
    }
    if let Some(rules) = terms.cors() {
        replace_cors(kept, rules, origin);
    }
}

/// Replaces the CORS fields of the upstream's response with those that the operator configured.
fn replace_cors(fields: &mut HeaderMap, cors: &Cors, origin: Option<&HeaderValue>) {
    for name in FIELDS {
        fields.remove(*name);
    }
    for (name, value) in cors.fields(origin, Speaker::Upstream) {
        fields.append(name, value);
    }
}

/// Fields of the CORS protocol, and of its extension to private networks.
const FIELDS: &[&str] = &[
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-expose-headers",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-max-age",
    "access-control-allow-private-network",
    "access-control-allow-local-network",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        route::RequestSettings,
        settings::{BaseDir, Building, Effects, Findings},
    };
    use std::path::Path;

    fn cookies(passing: &[&str], received: &[&str], token: &str) -> (Option<String>, Copies) {
        let settings = serde_json::json!({ "cookies": passing });
        let settings: RequestSettings = serde_json::from_value(settings).unwrap();
        let terms = built(&settings);
        let mut fields = HeaderMap::new();
        for value in received {
            fields.append(header::COOKIE, HeaderValue::from_str(value).unwrap());
        }
        let token = TokenNeedle::of_bytes(token.as_bytes());
        let mut kept = HeaderMap::new();
        let found = add_to_request(&mut kept, &fields, &terms, token.as_slice());
        let cookie = kept.get(header::COOKIE);
        (
            cookie.map(|value| value.to_str().unwrap().to_owned()),
            found,
        )
    }

    fn built(settings: &RequestSettings) -> RequestRules {
        let mut building = Building {
            base: &BaseDir::of_file(Path::new("x")),
            effects: Effects::None,
            findings: &mut Findings::default(),
        };
        settings.build(&mut building).unwrap()
    }

    const TOKEN: &str = "0123456789abcdefghijklmnopqrstuv";

    #[test]
    fn only_cookies_that_are_named_pass_in_their_order() {
        let received = ["a=1; session=x=y;theme=dark", "Session=2; theme=light; b"];
        let (cookie, found) = cookies(&["theme", "session"], &received, TOKEN);
        assert_eq!(
            cookie.as_deref(),
            Some("session=x=y; theme=dark; theme=light")
        );
        assert_eq!(found, Copies::None);
    }

    #[test]
    fn a_cookie_that_holds_the_token_is_dropped_whole_and_the_others_pass() {
        let received = format!("session=a{TOKEN}b; theme=dark");
        let (cookie, found) = cookies(&["theme", "session"], &[&received], TOKEN);
        assert_eq!(cookie.as_deref(), Some("theme=dark"));
        assert_eq!(found, Copies::KeptBack);
    }

    #[test]
    fn without_a_cookie_that_passes_there_is_no_field() {
        let (cookie, _) = cookies(&["theme"], &["session=1"], TOKEN);
        assert_eq!(cookie, None);
    }
}
