//! The issuers and routes of the configuration, including checks that concern several items of a list.

use super::{Composer, Read};
use crate::{
    egress::Egress,
    exchange::EngineParts,
    policy::{ClientCeilings, SubjectKinds},
    proxy::{self, Peers},
    route::{Route, RouteDependencies, RouteSettings, RouteTable},
    settings::{Building, Effects, PublicUrl},
    store::Revocations,
    sts::TokenService,
    verify::{IssuerSettings, TrustedIssuer},
};
use std::{collections::BTreeMap, sync::Arc};

/// The components that all routes use.
pub(super) struct SharedComponents<'a> {
    /// The trusted issuers by name.
    pub(super) issuers: &'a BTreeMap<String, Arc<TrustedIssuer>>,
    pub(super) engine: Option<&'a EngineParts>,
    /// The gateway's own endpoints; no route may match at or below their paths.
    pub(super) service: Option<&'a TokenService>,
    pub(super) clients: &'a Arc<ClientCeilings>,
    pub(super) revocations: &'a Revocations,
    /// The URL under which clients reach the gateway.
    pub(super) public_url: Option<&'a PublicUrl>,
}

impl Composer<'_> {
    pub(super) fn issuers(
        &self,
        settings: &[(usize, IssuerSettings)],
        engine: Option<&EngineParts>,
        building: &mut Building<'_>,
    ) -> BTreeMap<String, Arc<TrustedIssuer>> {
        let egress = Egress::new(self.surroundings.io.clone());
        let mut issuers: BTreeMap<String, Arc<TrustedIssuer>> = BTreeMap::new();
        for (position, settings) in settings {
            building.within(*position, |b| {
                let name = settings.name.clone();
                if engine.is_some_and(|engine| *engine.identity.issuer == *settings.issuer) {
                    b.within("issuer", |b| {
                        b.findings.error(
                            "this is the gateway's own issuer",
                            "name the provider that issues the clients' tokens",
                        )
                    });
                }
                if issuers.contains_key(&name) {
                    b.within("name", |b| {
                        b.findings.error(
                            format!("a second issuer named {name:?}"),
                            "give each issuer a unique name",
                        )
                    });
                    return;
                }
                if issuers.values().any(|other| other.url() == settings.issuer) {
                    b.within("issuer", |b| {
                        b.findings.error(
                            "this issuer is listed twice",
                            "keep one entry: an issuer has one set of keys",
                        )
                    });
                    return;
                }
                if let Some(issuer) = self.succession.issuer(&name, *position) {
                    issuers.insert(name, issuer);
                    return;
                }
                let metrics = self.metrics.issuer(&name);
                if let Some(issuer) =
                    settings
                        .clone()
                        .build(b, &self.surroundings.clock, &egress, metrics)
                {
                    issuers.insert(name, issuer);
                }
            });
        }
        issuers
    }

    /// Warns about issuers whose user tokens cannot be distinguished from application tokens, if a route for users
    /// accepts them.
    pub(super) fn warn_of_unmarked_applications(
        read: &Read,
        issuers: &BTreeMap<String, Arc<TrustedIssuer>>,
        building: &mut Building<'_>,
    ) {
        let exchanges = read.routes.iter();
        let exchanges = exchanges.filter_map(|(_, route)| route.exchange.as_ref());
        let for_users = exchanges.filter(|exchange| exchange.subjects == SubjectKinds::Users);
        let for_users: Vec<_> = for_users.collect();
        for (position, settings) in &read.trusted_issuers {
            let unmarked = issuers
                .get(&settings.name)
                .is_some_and(|issuer| !issuer.tells_applications_apart());
            let accepted = for_users.iter().any(|exchange| {
                let mut named = exchange.accepts.iter();
                exchange.accepts.is_empty() || named.any(|item| item.issuer == settings.name)
            });
            if unmarked && accepted {
                building.within(*position, |b| {
                    b.findings.warn(
                        "users and applications of this issuer cannot be distinguished",
                        "a route for users would accept a token that an application obtained for itself",
                        "set user_claim to a claim that only users' tokens have, e.g. preferred_username",
                    );
                });
            }
        }
    }

    pub(super) fn routes(
        &mut self,
        read: &Read,
        ground: &SharedComponents<'_>,
        building: &mut Building<'_>,
    ) -> Option<(RouteTable, Peers)> {
        let SharedComponents {
            issuers,
            engine,
            service,
            clients,
            revocations,
            public_url,
        } = *ground;
        let before = building.findings.errors();
        let own = engine
            .filter(|_| read.takes_own_tokens())
            .and_then(|engine| {
                TrustedIssuer::own(
                    &engine.identity.issuer,
                    &engine.keys,
                    &self.surroundings.clock,
                    &Egress::new(self.surroundings.io.clone()),
                    self.metrics.issuer(TrustedIssuer::OWN),
                )
            });
        let parts = RouteDependencies {
            issuers,
            listed_issuers: read.listed_issuers,
            engine,
            exchanger: engine.map(|engine| &engine.exchanger),
            own: own.as_ref(),
            clients,
            revocations,
            metrics: &self.metrics,
            clock: &self.surroundings.clock,
        };
        let mut peers = self.succession.peers();
        let mut routes: Vec<(usize, Route)> = Vec::new();
        for (position, settings) in &read.routes {
            building.within(*position, |b| {
                if routes
                    .iter()
                    .any(|(_, other)| other.name() == settings.name)
                {
                    b.within("name", |b| {
                        b.findings.error(
                            format!("a second route named {:?}", settings.name),
                            "give each route a unique name",
                        )
                    });
                }
                let before = b.findings.errors();
                let Some(route) = settings.build(b, &parts) else {
                    return;
                };
                let route = route.at(*position).reached_under(public_url);
                let route = self.succession.generation(route);
                if b.findings.errors() == before {
                    warn_of_needless_names(settings, b);
                }
                check_endpoints(&route, service, b);
                let kept = self.succession.keep_peers(&route, &mut peers);
                if !kept
                    && let Err(error) = peers.add(&route, b.base)
                    // `explain` sends nothing
                    && !(b.effects == Effects::Imagined && error.is_unreadable())
                {
                    b.within("upstream", |b| {
                        b.within("tls", |b| {
                            b.findings.error(
                                error.to_string(),
                                "name PEM files with the expected contents",
                            )
                        })
                    });
                }
                routes.push((*position, route));
            });
        }
        let table = RouteTable::build(routes, building.findings);
        (building.findings.errors() == before && table.routes().len() == read.routes.len())
            .then_some((table, peers))
    }
}

/// Reports a route at or below the path of an own endpoint: endpoints are matched first, so it could never be reached.
fn check_endpoints(route: &Route, service: Option<&TokenService>, building: &mut Building<'_>) {
    let taken = service.and_then(|service| service.paths().find(|path| route.is_at_or_below(path)));
    if let Some(path) = taken {
        building.within("match", |b| {
            b.findings.error(
                format!("{path} is an endpoint of the gateway itself"),
                "choose a path that is not below it",
            );
        });
    }
}

/// Warns about listed fields that every route forwards or drops anyway, because the list suggests otherwise.
fn warn_of_needless_names(settings: &RouteSettings, building: &mut Building<'_>) {
    building.within("response", |b| {
        let names = &settings.response.pass_headers;
        warn_where("pass_headers", names, b, |name| {
            (!proxy::is_dropped_from_response(name)).then_some("is forwarded on every route")
        });
    });
    building.within("request", |b| {
        b.within("headers", |b| {
            refuse_aliases("pass", &settings.request.headers.pass, b);
            let names = &settings.request.headers.remove;
            warn_where("remove", names, b, |name| {
                let gone = proxy::is_dropped_from_request(name) && !proxy::is_written_anew(name);
                gone.then_some("is dropped on every route")
            });
        });
    });
}

/// Reports a listed field that a server could read as one that is dropped on every route.
fn refuse_aliases(list: &'static str, names: &[String], building: &mut Building<'_>) {
    building.within(list, |b| {
        for (position, name) in names.iter().enumerate() {
            let alias = name.to_ascii_lowercase().replace('_', "-");
            if proxy::is_dropped_from_request(&alias) {
                b.within(position, |b| {
                    b.findings.error_because(
                        format!("{name} cannot be passed"),
                        "many servers read it as a field with hyphens that is dropped on every route",
                        "remove it, or have the client use another name",
                    );
                });
            }
        }
    });
}

fn warn_where(
    list: &'static str,
    names: &[String],
    building: &mut Building<'_>,
    fate: impl Fn(&str) -> Option<&'static str>,
) {
    building.within(list, |b| {
        for (position, name) in names.iter().enumerate() {
            if let Some(fate) = fate(&name.to_ascii_lowercase()) {
                b.within(position, |b| {
                    b.findings.warn(
                        format!("{name} {fate}"),
                        "listing it here suggests that it depends on this line",
                        "remove it",
                    );
                });
            }
        }
    });
}
