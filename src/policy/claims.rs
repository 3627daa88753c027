//! The additional claims of an issued token: an allow-list of copied claims, and constants.

use crate::{
    settings::{Building, fingerprint},
    token::Claims,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Additional claims of the issued token. Claims that the gateway sets itself (`iss`, `sub`, `aud` …) cannot be
/// named.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClaimSettings {
    /// Claims to copy from the presented token if it has them, for example `[email]`.
    pub copy: Vec<String>,
    /// Claims with a fixed value, for example `{ tenant: acme }`.
    pub set: BTreeMap<String, Value>,
}

fingerprint!(ClaimSettings {
    fields: [copy, set],
});

/// Claims that the gateway sets itself. A route can neither copy nor set them.
const RESERVED: [&str; 24] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "act",
    "may_act",
    "scope",
    "client_id",
    "azp",
    "cnf",
    "auth_time",
    "acr",
    "amr",
    "sid",
    "nonce",
    "at_hash",
    "c_hash",
    "events",
    "authorization_details",
    "typ",
    "token_type",
];

/// The claims about the subject's authentication. They are copied if the subject token has them (RFC 9068 §2.2.1).
const AUTHENTICATION: [&str; 3] = ["auth_time", "acr", "amr"];

/// The claims that a route configures.
#[derive(Debug, Clone, Default)]
pub struct ClaimPolicy {
    copy: Vec<String>,
    set: Map<String, Value>,
}

impl ClaimPolicy {
    /// Compiles the names and constants.
    pub(super) fn build(settings: &ClaimSettings, building: &mut Building<'_>) -> Option<Self> {
        let before = building.findings.errors();
        for (position, name) in settings.copy.iter().enumerate() {
            building.within("copy", |b| b.within(position, |b| check_name(name, b)));
            if settings.set.contains_key(name) {
                building.within("set", |b| {
                    b.within(name.as_str(), |b| {
                        b.findings.error(
                            "the claim is both set and copied",
                            "either copy it or set it",
                        );
                    });
                });
            }
        }
        for name in settings.set.keys() {
            building.within("set", |b| b.within(name.as_str(), |b| check_name(name, b)));
        }
        (building.findings.errors() == before).then(|| Self {
            copy: settings.copy.clone(),
            set: settings.set.clone().into_iter().collect(),
        })
    }

    /// Returns the claims for a subject token with the claims `subject`.
    pub(super) fn apply(&self, subject: &Claims) -> Map<String, Value> {
        let copied = AUTHENTICATION
            .into_iter()
            .chain(self.copy.iter().map(String::as_str))
            .filter_map(|name| {
                subject
                    .get(name)
                    .map(|value| (name.to_owned(), value.clone()))
            });
        copied.chain(self.set.clone()).collect()
    }
}

fn check_name(name: &str, building: &mut Building<'_>) {
    if name.is_empty() {
        building
            .findings
            .error("expected the name of a claim", "write one, e.g. email");
    } else if RESERVED.contains(&name) {
        building.findings.error_because(
            format!("{name} cannot be chosen by a route"),
            "upstreams rely on the gateway for its value",
            "remove it",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        settings::{BaseDir, Effects, Findings},
        token::Limits,
    };
    use serde_json::json;
    use std::path::Path;

    fn build(settings: &ClaimSettings) -> (Option<ClaimPolicy>, usize) {
        let (base, mut findings) = (BaseDir::of_file(Path::new("x")), Findings::default());
        let mut building = Building {
            base: &base,
            effects: Effects::None,
            findings: &mut findings,
        };
        let policy = ClaimPolicy::build(settings, &mut building);
        (policy, findings.errors())
    }

    #[test]
    fn only_named_claims_and_how_the_user_signed_in_are_carried() {
        let settings = ClaimSettings {
            copy: vec!["email".into(), "absent".into()],
            set: [("tenant".to_owned(), json!("acme"))].into(),
        };
        let subject = Claims::parse(
            br#"{"email":"a@b","phone":"1","acr":"mfa","roles":["x"]}"#,
            Limits::TOKEN,
        )
        .unwrap();
        let claims = build(&settings).0.unwrap().apply(&subject);
        assert_eq!(
            Value::Object(claims),
            json!({"acr": "mfa", "email": "a@b", "tenant": "acme"})
        );
    }

    #[test]
    fn claims_that_the_gateway_vouches_for_cannot_be_chosen() {
        for name in RESERVED {
            let copied = ClaimSettings {
                copy: vec![name.into()],
                ..ClaimSettings::default()
            };
            let set = ClaimSettings {
                set: [(name.to_owned(), json!(1))].into(),
                ..ClaimSettings::default()
            };
            assert_eq!(build(&copied).1, 1, "{name}");
            assert_eq!(build(&set).1, 1, "{name}");
        }
        let roles = ClaimSettings {
            copy: vec!["roles".into(), "groups".into(), "entitlements".into()],
            ..ClaimSettings::default()
        };
        assert!(build(&roles).0.is_some());
    }
}
