//! One item of `routes` in the configuration, and how it becomes a [`Route`].

use super::{
    Access, CorsSettings, MatchSettings, PolicyContexts, Protected, Public, RequestSettings,
    ResourceName, ResponseRules, ResponseSettings, Route, RouteDependencies, Upstream,
    UpstreamSettings, chain, form, matcher::Match, operations,
};
use crate::{
    policy::{AcceptSettings, ExchangeSettings, PolicyParts, Salt},
    settings::{Building, exactly_one, fingerprint},
    source::Source,
    token::Audience,
    verify::{Accepted, TrustedIssuer, Verifier},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A route: which requests it matches, where it forwards them, and how it exchanges their tokens. Exactly one of
/// `exchange` and `public: true` is required.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = exactly_one(&["exchange", "public"]))]
pub struct RouteSettings {
    /// The route's name in metrics and logs. It must be unique, have 1 to 64 letters, digits, dots, dashes or
    /// underscores, and not be `none`.
    #[schemars(regex(pattern = "^[A-Za-z0-9._-]{1,64}$"))]
    pub name: String,
    /// Which requests the route serves.
    #[serde(rename = "match")]
    pub matches: MatchSettings,
    /// The API behind the route.
    pub upstream: UpstreamSettings,
    /// How the route exchanges the token of each request. Not used on a public route.
    pub exchange: Option<ExchangeSettings>,
    /// `true`: the route needs no token and attaches none. A token that a client sends anyway is not forwarded.
    #[serde(default)]
    pub public: bool,
    /// The API's resource identifier for clients (RFC 9728). Default: the public URL with the matched path.
    #[schemars(regex(pattern = "^https?://[^?#]+$"))]
    pub resource: Option<String>,
    /// Changes to the headers and cookies that are forwarded to the API.
    #[serde(default)]
    pub request: RequestSettings,
    /// Changes to the headers that are returned to the client.
    #[serde(default)]
    pub response: ResponseSettings,
    /// The web origins whose scripts may call the route (CORS). Default: none.
    pub cors: Option<CorsSettings>,
    /// Whether a connection may switch to another protocol.
    #[serde(default)]
    pub upgrade: Upgrade,
}

fingerprint!(RouteSettings {
    fields: [name, matches, exchange, public, resource, request, response],
    without: {
        [upstream]: "decides which connections remain in use, not which tokens",
        [cors]: "applies to every request, whatever its token",
        [upgrade]: "is about the protocol of a connection",
    },
});

/// Whether a connection may switch to another protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Upgrade {
    /// No upgrade.
    #[default]
    None,
    /// To a WebSocket (RFC 6455), until the token that opened it expires or is revoked.
    WebSocket,
}

impl RouteSettings {
    /// Returns `true` if the route accepts tokens that this gateway issued.
    pub fn accepts_own_tokens(&self) -> bool {
        let exchange = self.exchange.as_ref();
        exchange.is_some_and(|exchange| exchange.chain.accept_own)
    }

    /// Compiles the route.
    pub fn build(
        &self,
        building: &mut Building<'_>,
        parts: &RouteDependencies<'_>,
    ) -> Option<Route> {
        building.within("name", |b| check_name(&self.name, b));
        let matches = building.within("match", |b| self.matches.build(b));
        let upstream = building.within("upstream", |b| self.upstream.build(b));
        let access = self.access(building, parts);
        if let (Some(matches), Some(exchange)) = (&matches, &self.exchange) {
            building.within("exchange", |b| {
                b.within("scope", |b| {
                    b.within("operations", |b| operations::check(exchange, matches, b));
                });
            });
        }
        let resource = building.within("resource", |b| self.resource(b));
        let request = building.within("request", |b| self.request.build(b));
        let response = self.response_rules(matches.as_ref(), building);
        self.check_upgrade(building);
        if let (Some(upstream), Some(exchange)) = (&upstream, &self.exchange) {
            warn_of_exposed_claims(exchange, upstream, building);
        }
        let access = access?;
        let metrics = parts.metrics.route(&self.name, access.exchanger());
        Some(Route {
            name: self.name.as_str().into(),
            position: 0,
            matches: matches?,
            upstream: upstream?,
            access,
            request: request.map(Box::new),
            response: response.map(Box::new),
            resource: resource.map(Box::new),
            upgrade: self.upgrade,
            metrics,
        })
    }

    fn resource(&self, building: &mut Building<'_>) -> Option<ResourceName> {
        let written = self.resource.as_deref()?;
        if self.public {
            building.findings.error_because(
                "a public route is not a protected resource",
                "the metadata would name a source of tokens that this route does not need",
                "remove resource, or remove public",
            );
            return None;
        }
        ResourceName::read(written, building)
    }

    fn response_rules(
        &self,
        matches: Option<&Match>,
        building: &mut Building<'_>,
    ) -> Option<ResponseRules> {
        let served = matches.map_or(&[][..], |matches| &matches.methods);
        let cors = building.within("cors", |b| {
            self.cors.as_ref()?.build(served, !self.public, b)
        });
        building.within("response", |b| self.response.build(cors, b))
    }

    fn check_upgrade(&self, building: &mut Building<'_>) {
        if self.upgrade == Upgrade::WebSocket && self.upstream.http2 {
            building.within("upgrade", |b| {
                b.findings.error_because(
                    "WebSockets are opened over HTTP/1.1",
                    "upstream.http2 uses HTTP/2 for the targets, which has no such upgrade",
                    "remove upstream.http2, or use a separate route for WebSockets",
                );
            });
        }
    }

    fn access(&self, building: &mut Building<'_>, parts: &RouteDependencies<'_>) -> Option<Access> {
        match (&self.exchange, self.public) {
            (None, true) => Some(Access::Public(Public(()))),
            (Some(exchange), false) => {
                let protected = building.within("exchange", |b| {
                    protect(&self.name, exchange, self.resource.as_deref(), b, parts)
                });
                protected.map(|protected| Access::Protected(Arc::new(protected)))
            }
            (Some(_), true) => {
                building.within("public", |b| {
                    b.findings.error(
                        "a public route does not exchange tokens",
                        "remove public, or remove exchange",
                    )
                });
                None
            }
            (None, false) => {
                building.findings.error_because(
                    "expected exchange",
                    "a route without it would refuse every request",
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
    resource: Option<&str>,
    building: &mut Building<'_>,
    parts: &RouteDependencies<'_>,
) -> Option<Protected> {
    let issuers = building.within("accepts", |b| accepted(settings, b, parts));
    let engine = parts.engine;
    // without an engine the rest is still checked, so that one run shows all errors
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
    let salt = engine.map_or(Salt::Unknown, |engine| {
        engine
            .pairwise_salt
            .as_ref()
            .map_or(Salt::Absent, Salt::Key)
    });
    let policy = settings.build(
        building,
        &PolicyParts {
            gateway: identity,
            lifetime,
            issuers: settings.accepts.len().max(1),
            salt,
            clients: parts.clients,
        },
    );
    let (engine, exchanger) = (engine?, parts.exchanger?);
    form::check(settings, engine, building);
    let own = chain::own_tokens(settings, resource, engine, building, parts);
    let (issuers, policy) = (issuers?, policy?);
    let verifier = Verifier::new(
        issuers,
        &engine.identity.issuer,
        parts.revocations.clone(),
        Arc::clone(parts.clock),
    );
    let verifier = verifier.accepting(own);
    Some(Protected {
        source: Source::default(),
        verifier: Arc::new(verifier),
        contexts: PolicyContexts::new(route, &policy, 1),
        policy: Arc::new(policy),
        exchanger: exchanger.clone(),
    })
}

/// Returns the issuers that the route names, or the only trusted one.
fn accepted(
    settings: &ExchangeSettings,
    building: &mut Building<'_>,
    parts: &RouteDependencies<'_>,
) -> Option<Vec<Accepted>> {
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
                "expected the issuers whose tokens this route accepts: several are trusted",
                "write accepts: [ { issuer: NAME } ]",
            );
            return None;
        }
        return parts
            .issuers
            .values()
            .next()
            .map(|issuer| vec![Accepted::from(Arc::clone(issuer))]);
    }
    let mut found = Vec::new();
    for (position, accept) in settings.accepts.iter().enumerate() {
        match parts.issuers.get(&accept.issuer) {
            Some(issuer) => building.within(position, |b| {
                let again = |other: &AcceptSettings| other.issuer == accept.issuer;
                if settings.accepts.iter().take(position).any(again) {
                    b.findings.error(
                        format!("the issuer {:?} is accepted twice", accept.issuer),
                        "put all audiences into one entry",
                    );
                }
                found.push(narrowed(issuer, accept.audiences.as_deref(), b));
            }),
            // an issuer that is listed but could not be built was already reported
            None if parts.listed_issuers > parts.issuers.len() => return None,
            None => building.within(position, |b| {
                b.within("issuer", |b| {
                    let known: Vec<&str> = parts.issuers.keys().map(String::as_str).collect();
                    b.findings.error(
                        format!("no trusted issuer is named {:?}", accept.issuer),
                        format!("write one of: {}", known.join(", ")),
                    );
                });
            }),
        }
    }
    (found.len() == settings.accepts.len()).then_some(found)
}

/// Accepts tokens of the issuer that are addressed to one of `audiences`, which must be among the issuer's own.
fn narrowed(
    issuer: &Arc<TrustedIssuer>,
    audiences: Option<&[Audience]>,
    building: &mut Building<'_>,
) -> Accepted {
    let Some(audiences) = audiences else {
        return Arc::clone(issuer).into();
    };
    building.within("audiences", |b| {
        if audiences.is_empty() {
            b.findings.error_because(
                "expected at least one audience, found none",
                "no token of the issuer would be accepted",
                "list audiences of the issuer's own list, or remove audiences",
            );
        }
        for (position, audience) in audiences.iter().enumerate() {
            if !issuer.audiences().contains(audience) {
                b.within(position, |b| {
                    b.findings.error_because(
                        format!("the issuer's own list has no {:?}", audience.as_str()),
                        "a route can only restrict the audiences of its issuer",
                        "add it to the issuer's audiences, or remove it here",
                    );
                });
            }
        }
    });
    Accepted::addressed_to(Arc::clone(issuer), audiences.to_vec())
}

/// Warns if claims that are copied from the user's token would be readable on the network.
fn warn_of_exposed_claims(
    exchange: &ExchangeSettings,
    upstream: &Upstream,
    building: &mut Building<'_>,
) {
    if upstream.is_exposed() && !exchange.token.claims.copy.is_empty() {
        building.within("exchange", |b| {
            b.findings.warn(
                format!(
                    "{} would be sent unencrypted",
                    exchange.token.claims.copy.join(", ")
                ),
                "anyone who sees a token can read its claims, and a target uses plain http",
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
            "the name none is reserved for requests that match no route",
            "write another name",
        );
    }
}
