//! One item of `routes` as it is written, and how it becomes a [`Route`].

use super::{Access, MatchSettings, Protected, Public, Route, Upstream, UpstreamSettings};
use crate::{
    cache::Terms,
    clock::SharedClock,
    exchange::{EngineParts, Exchange},
    policy::ExchangeSettings,
    settings::{Building, exactly_one},
    telemetry::Metrics,
    token::TokenTypeUri,
    verify::{TrustedIssuer, Verifier},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};

/// One route: which requests it serves, where they go, and what becomes of their tokens. Exactly one of `exchange`
/// and `public: true`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = exactly_one(&["exchange", "public"]))]
pub struct RouteSettings {
    /// How metrics and logs call it: unique, 1 to 64 letters, digits, dots, dashes or underscores, and not `none`.
    #[schemars(regex(pattern = "^[A-Za-z0-9._-]{1,64}$"))]
    pub name: String,
    /// Which requests it serves: exactly one of `prefix` and `exact`, and what narrows it.
    #[serde(rename = "match")]
    pub matches: MatchSettings,
    /// The API behind the route.
    pub upstream: UpstreamSettings,
    /// What becomes of the token of a request; absent on a public route.
    pub exchange: Option<ExchangeSettings>,
    /// `true`: no token is asked for and none attached; one that a client sends anyway does not reach the API.
    #[serde(default)]
    pub public: bool,
}

/// The components that routes are made of.
#[derive(Debug)]
pub struct RouteParts<'a> {
    /// The trusted issuers by name.
    pub issuers: &'a BTreeMap<String, Arc<TrustedIssuer>>,
    /// How many issuers the file lists, those that could not be built included.
    pub listed_issuers: usize,
    /// The embedded engine; absent where it could not be built, which was reported.
    pub engine: Option<&'a EngineParts>,
    /// The metrics of this process.
    pub metrics: &'a Metrics,
    /// The time.
    pub clock: &'a SharedClock,
}

impl RouteSettings {
    /// Compiles the route.
    pub fn build(&self, building: &mut Building<'_>, parts: &RouteParts<'_>) -> Option<Route> {
        building.within("name", |b| check_name(&self.name, b));
        let matches = building.within("match", |b| self.matches.build(b));
        let upstream = building.within("upstream", |b| self.upstream.build(b));
        let access = self.access(building, parts);
        if let (Some(upstream), Some(exchange)) = (&upstream, &self.exchange) {
            warn_of_exposed_claims(exchange, upstream, building);
        }
        Some(Route {
            name: self.name.as_str().into(),
            position: 0,
            matches: matches?,
            upstream: upstream?,
            access: access?,
            metrics: parts.metrics.route(&self.name),
        })
    }

    fn access(&self, building: &mut Building<'_>, parts: &RouteParts<'_>) -> Option<Access> {
        match (&self.exchange, self.public) {
            (None, true) => Some(Access::Public(Public(()))),
            (Some(exchange), false) => {
                let protected =
                    building.within("exchange", |b| protect(&self.name, exchange, b, parts));
                protected.map(|protected| Access::Protected(Arc::new(protected)))
            }
            (Some(_), true) => {
                building.within("public", |b| {
                    b.findings.error(
                        "a public route exchanges nothing",
                        "remove public, or remove exchange",
                    )
                });
                None
            }
            (None, false) => {
                building.findings.error_because(
                    "expected exchange",
                    "a route without it would let no request through",
                    "write exchange with an audience and a scope, or public: true",
                );
                None
            }
        }
    }
}

fn protect(
    route: &str,
    settings: &ExchangeSettings,
    building: &mut Building<'_>,
    parts: &RouteParts<'_>,
) -> Option<Protected> {
    let issuers = building.within("accepts", |b| accepted(settings, b, parts));
    let engine = parts.engine;
    // without an engine the rest is still checked, so that one run shows every mistake
    let nobody = crate::policy::GatewayIdentity {
        issuer: "".into(),
        actor: "".into(),
    };
    let (identity, lifetime) = engine.map_or(
        (
            &nobody,
            crate::settings::HumanDuration::from_secs(300).get(),
        ),
        |e| (&e.identity, e.lifetime),
    );
    let accepts = settings.accepts.len().max(1);
    let policy = settings.build(building, identity, lifetime, accepts);
    let (issuers, policy, engine) = (issuers?, policy?, engine?);
    let verifier = Verifier::new(issuers, &engine.identity.issuer, Arc::clone(parts.clock));
    Some(Protected {
        verifier: Arc::new(verifier),
        policy: Arc::new(policy),
        exchange: Exchange::Embedded(Arc::clone(&engine.engine)),
        terms: Terms::new(route, "", 1, TokenTypeUri::AccessToken),
    })
}

/// The issuers that the route names, or the only one there is.
fn accepted(
    settings: &ExchangeSettings,
    building: &mut Building<'_>,
    parts: &RouteParts<'_>,
) -> Option<Vec<Arc<TrustedIssuer>>> {
    if parts.listed_issuers == 0 {
        building.findings.error(
            "no issuer is trusted, so no token would be accepted",
            "write trusted_issuers with the provider whose tokens clients present",
        );
        return None;
    }
    if settings.accepts.is_empty() {
        if parts.listed_issuers > 1 {
            building.findings.error(
                "expected the issuers whose tokens this route takes: several are trusted",
                "write accepts: [ { issuer: NAME } ]",
            );
            return None;
        }
        return parts
            .issuers
            .values()
            .next()
            .map(|issuer| vec![Arc::clone(issuer)]);
    }
    let mut found = Vec::new();
    for (position, accept) in settings.accepts.iter().enumerate() {
        match parts.issuers.get(&accept.issuer) {
            Some(issuer) => found.push(Arc::clone(issuer)),
            // an issuer that is listed and could not be built was reported where it stands
            None if parts.listed_issuers > parts.issuers.len() => return None,
            None => building.within(position, |b| {
                b.within("issuer", |b| {
                    let known: Vec<&str> = parts.issuers.keys().map(String::as_str).collect();
                    b.findings.error(
                        format!("no trusted issuer is called {:?}", accept.issuer),
                        format!("write one of: {}", known.join(", ")),
                    );
                });
            }),
        }
    }
    (found.len() == settings.accepts.len()).then_some(found)
}

/// What is copied from the user's token travels readable inside the issued one.
fn warn_of_exposed_claims(
    exchange: &ExchangeSettings,
    upstream: &Upstream,
    building: &mut Building<'_>,
) {
    if upstream.is_exposed() && !exchange.token.claims.copy.is_empty() {
        building.within("exchange", |b| {
            b.findings.warn(
                format!(
                    "{} would cross the network in clear text",
                    exchange.token.claims.copy.join(", ")
                ),
                "claims are readable by whoever sees the token, and a target is plain http",
                "use https, or remove the claims from token.claims.copy",
            );
        });
    }
}

fn check_name(name: &str, building: &mut Building<'_>) {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
        building.findings.error(
            format!("expected a name, found {name:?}"),
            "write 1 to 64 letters, digits, dots, dashes or underscores",
        );
    } else if name == "none" {
        building.findings.error(
            "the name none stands for requests that no route serves",
            "write another name",
        );
    }
}
