//! The checks for contradictions in `clients[]` that concern the token service.

use super::{
    ClientParts, ClientSettings,
    settings::{Grant, ImpersonatedSubject, ImpersonationSettings, Names, ResourceSettings},
};
use crate::{
    settings::Building,
    token::{Audience, TokenFormat},
    verify::ClientMethod,
};
use std::collections::BTreeSet;
use url::Url;

/// The scope of a refresh token (OpenID Connect Core §11).
const OFFLINE_ACCESS: &str = "offline_access";

impl ClientSettings {
    pub(super) fn grants(&self) -> &[Grant] {
        self.grants.as_deref().unwrap_or_default()
    }

    fn has(&self, grant: Grant) -> bool {
        self.grants().contains(&grant)
    }

    /// Returns `true` if the client may exchange tokens.
    fn exchanges(&self) -> bool {
        self.has(Grant::TokenExchange) || self.has(Grant::EntraObo)
    }

    /// Reports errors. `known` are the audiences that any client may get tokens for.
    pub(super) fn check_service(
        &self,
        building: &mut Building<'_>,
        parts: &ClientParts<'_>,
        known: &BTreeSet<&Audience>,
    ) {
        self.check_grants(building);
        self.check_what_exchanges_need(building, parts);
        self.check_needless(building);
        self.check_refresh(building);
        self.check_what_refreshing_needs(building, parts);
        building.within("resources", |b| self.check_resources(b));
        if let Some(impersonation) = &self.impersonation {
            building.within("impersonation", |b| {
                impersonation.check(b, parts);
                self.check_own_jwts(impersonation, b);
            });
        }
        building.within("introspects", |b| self.check_introspects(b, known));
    }

    fn check_grants(&self, building: &mut Building<'_>) {
        let idle = self.grants().is_empty() && self.introspects.is_empty();
        if self.grants.as_ref().is_some_and(Vec::is_empty) {
            building.within("grants", |b| {
                b.findings.error(
                    "expected at least one grant, found none",
                    "list its grants, e.g. [token_exchange], or remove grants",
                );
            });
        }
        if self.authentication.is_none() && !idle {
            let key = match self.grants() {
                [] => "introspects",
                _ => "grants",
            };
            building.within(key, |b| {
                b.findings.error_because(
                    "the client cannot authenticate",
                    "anyone who knows its id could make requests in its name",
                    "add authentication, e.g. { method: client_secret_basic, secret: { env: PORTAL_SECRET } }",
                );
            });
        }
        if self.authentication.is_some() && idle {
            building.within("authentication", |b| {
                b.findings.warn(
                    "the client is not permitted to do anything",
                    "it has neither grants nor introspects, so its authentication has no effect",
                    "write grants or introspects, or remove it",
                );
            });
        }
        if self.scope.is_none() && (self.exchanges() || self.introspects.is_empty()) {
            building.within("scope", |b| {
                b.findings.error(
                    "a client that may get tokens has no scope",
                    "write the maximum scope that it may get, e.g. { allow: [orders.read] }",
                );
            });
        }
        let public = self.authentication.as_ref().map(|a| a.method) == Some(ClientMethod::Public);
        if public && self.exchanges() {
            building.within("authentication", |b| {
                b.findings.warn(
                    "a public client exchanges tokens",
                    "anyone who has a token and knows the client's id can exchange it",
                    "write another authentication method, or remove its grants",
                );
            });
        }
    }

    fn check_what_exchanges_need(&self, building: &mut Building<'_>, parts: &ClientParts<'_>) {
        if self.token_formats.is_empty() {
            building.within("token_formats", |b| {
                b.findings.error(
                    "expected at least one token format, found none",
                    "list some of opaque, jwt and id_token, or remove token_formats",
                );
            });
        }
        if !self.exchanges() {
            return;
        }
        if self.audiences.is_none() {
            building.within("audiences", |b| {
                b.findings.error_because(
                    "a client that exchanges tokens has no audiences",
                    "at the token service, a client gets tokens only for the audiences that are listed here",
                    "list the audiences that it may get tokens for",
                );
            });
        }
        if self.token_formats.contains(&TokenFormat::Opaque) && !parts.opaque {
            building.within("token_formats", |b| {
                b.findings.error_because(
                    "opaque tokens need issuer.opaque_keys",
                    "they are sealed with these keys, and opaque is one of the default formats",
                    "write opaque_keys: [ { file: keys/opaque-1.key, generate: true } ] in issuer, or token_formats: [jwt]",
                );
            });
        }
    }

    /// Reports settings that have no effect.
    fn check_needless(&self, building: &mut Building<'_>) {
        if self.exchanges() {
            return;
        }
        let written = [
            ("subjects_of", self.subjects_of != Names::default()),
            ("chain", self.chain.accept_own),
            ("resources", !self.resources.is_empty()),
            ("impersonation", self.impersonation.is_some()),
            ("accepts", self.accepts.is_some()),
            ("subject", self.subject.is_some()),
        ];
        for (key, _) in written.into_iter().filter(|(_, written)| *written) {
            building.within(key, |b| {
                b.findings.error(
                    "the client exchanges no tokens",
                    "add token_exchange to its grants, or remove it",
                );
            });
        }
    }

    fn check_refresh(&self, building: &mut Building<'_>) {
        let granted = self.has(Grant::RefreshToken);
        if granted && !self.exchanges() {
            building.within("grants", |b| {
                b.findings.error(
                    "none of its other grants issues a refresh token",
                    "add token_exchange or entra_obo, or remove refresh_token",
                );
            });
        }
        let allows = |scope: &super::ClientScopeSettings| scope.allow.contains(OFFLINE_ACCESS);
        if granted && self.exchanges() && !self.scope.as_ref().is_some_and(allows) {
            building.within("scope", |b| {
                b.findings.warn(
                    "offline_access is not allowed, and the client may use refresh tokens",
                    "a refresh token is issued only if the scope contains offline_access",
                    "add offline_access to allow, or remove refresh_token from grants",
                );
            });
        }
        let Some(refresh) = self.refresh else { return };
        building.within("refresh", |b| {
            if !granted {
                b.findings.error(
                    "the client uses no refresh tokens",
                    "add refresh_token to its grants, or remove refresh",
                );
            }
            if refresh.idle.get().is_zero() || refresh.absolute.get() < refresh.idle.get() {
                b.findings.error(
                    format!(
                        "expected idle above 0s and absolute no shorter, found {} and {}",
                        refresh.idle, refresh.absolute
                    ),
                    "write e.g. { idle: 7d, absolute: 30d }",
                );
            }
        });
    }

    fn check_what_refreshing_needs(&self, building: &mut Building<'_>, parts: &ClientParts<'_>) {
        let missing = match (parts.stored, parts.opaque) {
            (true, true) => return,
            (false, true) => "store",
            (true, false) => "issuer.opaque_keys",
            (false, false) => "store and issuer.opaque_keys",
        };
        let fix = "write store: { embedded: { path: data/store } } and, in issuer, opaque_keys: [ { file: keys/opaque-1.key, generate: true } ]; or remove it";
        let why = "refresh tokens are kept in the store and sealed with these keys, so none can be issued";
        if let Some(position) = self.grants().iter().position(|g| *g == Grant::RefreshToken) {
            building.within("grants", |b| {
                b.within(position, |b| {
                    b.findings
                        .error_because(format!("refresh_token needs {missing}"), why, fix);
                });
            });
        }
        let scope = self.scope.as_ref();
        if scope.is_some_and(|scope| scope.allow.contains(OFFLINE_ACCESS)) {
            building.within("scope", |b| {
                b.within("allow", |b| {
                    b.findings
                        .error_because(format!("{OFFLINE_ACCESS} needs {missing}"), why, fix);
                });
            });
        }
    }

    fn check_resources(&self, building: &mut Building<'_>) {
        let audiences = self.audiences.as_deref().unwrap_or_default();
        for (position, resource) in self.resources.iter().enumerate() {
            building.within(position, |b| {
                resource.check(b, audiences);
                let mut before = self.resources.iter().take(position);
                if before.any(|other| other.resource == resource.resource) {
                    b.within("resource", |b| {
                        b.findings.error(
                            "this resource is listed twice",
                            "keep one entry: a resource maps to one audience",
                        );
                    });
                }
            });
        }
    }

    fn check_own_jwts(&self, impersonation: &ImpersonationSettings, building: &mut Building<'_>) {
        let keys = self
            .authentication
            .as_ref()
            .is_some_and(|a| a.jwks_file.is_some() || a.jwks_uri.is_some());
        if impersonation.subjects.contains(&ImpersonatedSubject::Jwt) && !keys {
            building.within("subjects", |b| {
                b.findings.error(
                    "a JWT that the client signs cannot be verified without its keys",
                    "write jwks_file or jwks_uri in its authentication, or remove jwt",
                );
            });
        }
    }

    fn check_introspects(&self, building: &mut Building<'_>, known: &BTreeSet<&Audience>) {
        for (position, audience) in self.introspects.iter().enumerate() {
            if !known.contains(audience) {
                building.within(position, |b| {
                    b.findings.error(
                        format!("no token is issued for {audience}"),
                        "write an audience of a route or a client",
                    );
                });
            }
        }
    }
}

impl ResourceSettings {
    fn check(&self, building: &mut Building<'_>, audiences: &[Audience]) {
        // RFC 8707 §2
        let sound = Url::parse(&self.resource).is_ok() && !self.resource.contains('#');
        if !sound {
            building.within("resource", |b| {
                b.findings.error(
                    format!(
                        "expected an absolute URI without a fragment, found {:?}",
                        self.resource
                    ),
                    "write the resource that the client sends, e.g. https://api.example.com",
                );
            });
        }
        if !audiences.contains(&self.audience) {
            building.within("audience", |b| {
                b.findings.error(
                    format!("{} is not one of the client's audiences", self.audience),
                    "add it to audiences, or write one of them",
                );
            });
        }
    }
}

impl ImpersonationSettings {
    fn check(&self, building: &mut Building<'_>, parts: &ClientParts<'_>) {
        if !parts.directory_written {
            building.findings.error_because(
                "impersonation needs a directory",
                "the directory defines which users may impersonate which others",
                "write directory: { file: directory.yaml }, or remove impersonation",
            );
        }
        if self.subjects.is_empty() {
            building.within("subjects", |b| {
                b.findings.error(
                    "expected at least one kind of subject, found none",
                    "list some of access_token, id_token, jwt and user_id, or remove impersonation",
                );
            });
        }
        if self.may_act_for == Names::default() {
            building.within("may_act_for", |b| {
                b.findings.error(
                    "expected any, or the ids of users",
                    "list the users that may be impersonated, or remove impersonation",
                );
            });
        }
    }
}
