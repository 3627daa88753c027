//! The rules for each client at the token service.

use super::{
    ClientSettings,
    settings::{AudienceRule, Grant, ImpersonationSettings, Names},
};
use crate::{
    clock::SharedClock,
    egress::Egress,
    policy::{DetailsRule, Excess, GatewayIdentity, naming::SubjectNaming, requested::UserScopes},
    settings::{Building, HumanDuration},
    token::{Audience, ScopeSet, TokenFormat},
    verify::{ClientAuthenticator, ClientTerms, Directory, UserIds},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// What one client may request from the token service, and the most that it may get.
#[derive(Debug)]
pub struct ClientPolicy {
    id: Box<str>,
    authenticator: Option<ClientAuthenticator>,
    grants: BTreeSet<Grant>,
    introspects: Box<[Audience]>,
    formats: Box<[TokenFormat]>,
    accept_own: bool,
    accepts: Option<Box<[Box<str>]>>,
    user_ids: UserIds,
    refresh: RefreshTerms,
    resources: BTreeMap<String, Audience>,
    pub(in crate::policy) audiences: Box<[Audience]>,
    pub(in crate::policy) audience_rule: AudienceRule,
    pub(in crate::policy) allow: ScopeSet,
    pub(in crate::policy) user_scopes: UserScopes,
    pub(in crate::policy) excess: Excess,
    pub(in crate::policy) subjects_of: Names,
    pub(in crate::policy) details: DetailsRule,
    pub(in crate::policy) lifetime: Duration,
    pub(in crate::policy) impersonation: Option<ImpersonationSettings>,
    pub(in crate::policy) naming: SubjectNaming,
    pub(in crate::policy) directory: Option<Arc<dyn Directory>>,
    pub(in crate::policy) gateway: GatewayIdentity,
}

/// The lifetimes of refresh tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshTerms {
    /// A refresh token expires if it is not used for this long.
    pub idle: Duration,
    /// All refresh tokens of a family expire this long after the first one was issued.
    pub absolute: Duration,
}

/// The inputs for compiling the clients' policies.
#[derive(Debug, Clone, Copy)]
pub struct ClientParts<'a> {
    /// The gateway's identity.
    pub gateway: &'a GatewayIdentity,
    /// The default lifetime of issued tokens.
    pub lifetime: Duration,
    /// The names of the trusted issuers.
    pub issuers: &'a BTreeSet<String>,
    /// The number of trusted issuers, including those with invalid settings.
    pub listed_issuers: usize,
    /// The directory of users. `None` if none is configured, or if it has errors, which were reported.
    pub directory: Option<&'a Arc<dyn Directory>>,
    /// `true` if a directory is configured.
    pub directory_written: bool,
    /// `true` if opaque tokens can be issued (`issuer.opaque_keys`).
    pub opaque: bool,
    /// `true` if refresh tokens can be stored (`store`).
    pub stored: bool,
    /// The audiences of the routes.
    pub audiences: &'a BTreeSet<Audience>,
    /// The source of the current time.
    pub clock: &'a SharedClock,
    /// The connections over which clients' keys are fetched.
    pub egress: &'a Egress,
}

/// The clients by id.
#[derive(Debug, Default)]
pub struct Clients(BTreeMap<Box<str>, Arc<ClientPolicy>>);

impl Clients {
    /// Compiles `clients`, which are passed with their positions. Errors that concern only the ceilings, including
    /// duplicate ids, are reported by [`ClientCeilings::build`](super::ClientCeilings::build).
    pub fn build(
        settings: &[(usize, ClientSettings)],
        building: &mut Building<'_>,
        parts: &ClientParts<'_>,
    ) -> Self {
        let named = settings
            .iter()
            .filter_map(|(_, client)| client.audiences.as_ref());
        let known: BTreeSet<&Audience> = parts.audiences.iter().chain(named.flatten()).collect();
        let user_ids = parts.user_ids(settings);
        let mut clients = BTreeMap::new();
        for (position, client) in settings {
            let policy = building.within(*position, |b| {
                client.check_service(b, parts, &known);
                client.check_issuers(b, parts, user_ids);
                ClientPolicy::build(client, b, parts, user_ids)
            });
            clients.entry(policy.id.clone()).or_insert(Arc::new(policy));
        }
        Self(clients)
    }

    /// Returns the client with this id, compared exactly.
    pub fn of(&self, id: &str) -> Option<&Arc<ClientPolicy>> {
        self.0.get(id)
    }

    /// How the directory names users. `None` if there are no clients.
    pub fn user_ids(&self) -> Option<UserIds> {
        self.iter().next().map(|client| client.user_ids)
    }

    /// The longest lifetime of any client's refresh tokens. `None` if no client gets them.
    pub fn longest_refresh(&self) -> Option<Duration> {
        let refreshing = self
            .iter()
            .filter(|client| client.may_use(Grant::RefreshToken));
        refreshing.map(|client| client.refresh.absolute).max()
    }

    /// All clients, sorted by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ClientPolicy>> {
        self.0.values()
    }
}

impl ClientPolicy {
    fn build(
        settings: &ClientSettings,
        building: &mut Building<'_>,
        parts: &ClientParts<'_>,
        user_ids: UserIds,
    ) -> Self {
        let authenticator = settings.authentication.as_ref().and_then(|written| {
            building.within("authentication", |b| {
                written.build(&settings.id, b, parts.clock, parts.egress)
            })
        });
        let scope = settings.scope.as_ref();
        let refresh = settings.refresh.unwrap_or_default();
        Self {
            id: settings.id.as_str().into(),
            authenticator,
            grants: settings.grants().iter().copied().collect(),
            introspects: settings.introspects.as_slice().into(),
            formats: settings.token_formats.as_slice().into(),
            accept_own: settings.chain.accept_own,
            accepts: settings
                .accepted()
                .map(|names| names.map(Into::into).collect()),
            user_ids,
            refresh: RefreshTerms {
                idle: refresh.idle.get(),
                absolute: refresh.absolute.get(),
            },
            resources: settings
                .resources
                .iter()
                .map(|resource| (resource.resource.clone(), resource.audience.clone()))
                .collect(),
            audiences: settings.audiences.as_deref().unwrap_or_default().into(),
            audience_rule: settings.audience_rule,
            allow: scope.map_or_else(ScopeSet::empty, |scope| scope.allow.clone()),
            // a prefix without a rule is reported with the ceilings
            user_scopes: scope.map_or_else(UserScopes::default, |scope| {
                UserScopes::of(scope.rule, scope.rule_prefix.as_deref())
            }),
            excess: scope.map_or(Excess::Refuse, |scope| scope.excess),
            subjects_of: settings.subjects_of.clone(),
            details: settings.authorization_details,
            lifetime: settings.lifetime.map_or(parts.lifetime, HumanDuration::get),
            impersonation: settings.impersonation_of(parts, user_ids),
            naming: settings.naming(parts),
            directory: parts.directory.map(Arc::clone),
            gateway: parts.gateway.clone(),
        }
    }

    /// The client's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The authenticator of the client. `None` if the client cannot use the token service.
    pub fn authenticator(&self) -> Option<&ClientAuthenticator> {
        self.authenticator.as_ref()
    }

    /// Returns `true` if the client may use `grant`.
    pub fn may_use(&self, grant: Grant) -> bool {
        self.grants.contains(&grant)
    }

    /// The facts about the client that the verifier needs.
    pub fn terms(&self) -> ClientTerms<'_> {
        ClientTerms {
            id: &self.id,
            accept_own: self.accept_own,
            accepts: self.accepts.as_deref(),
            user_ids: self.user_ids,
        }
    }

    /// The format of refreshed access tokens, and of access tokens for requests that name no format. `None` if the
    /// client gets no access tokens.
    pub fn access_format(&self) -> Option<TokenFormat> {
        let mut formats = self.formats.iter().copied();
        formats.find(|format| *format != TokenFormat::IdToken)
    }

    /// Returns `true` if the client may get tokens of this format.
    pub fn admits_format(&self, format: TokenFormat) -> bool {
        self.formats.contains(&format)
    }

    /// Returns `true` if the client may introspect a token for one of `audiences`.
    pub fn introspects<'a>(&self, mut audiences: impl Iterator<Item = &'a str>) -> bool {
        audiences.any(|audience| self.introspects.iter().any(|own| own.as_str() == audience))
    }

    /// Returns `true` if the client may introspect any tokens.
    pub fn is_introspecting(&self) -> bool {
        !self.introspects.is_empty()
    }

    /// The most scope that the client may get, not counting scopes with the rule `user_only`.
    pub fn scope_ceiling(&self) -> &ScopeSet {
        &self.allow
    }

    /// The lifetimes of the client's refresh tokens.
    pub fn refresh(&self) -> RefreshTerms {
        self.refresh
    }

    /// Returns the scopes among `held` that the client may get.
    #[must_use]
    pub fn may_have(&self, held: &ScopeSet) -> ScopeSet {
        held.filtered(|scope| self.allow.contains(scope) || self.user_scopes.include(scope))
    }

    /// Returns the audience with this name that the client may get tokens for, or the audience of the resource.
    pub fn target(&self, name: &str) -> Option<&Audience> {
        let mut own = self.audiences.iter();
        own.find(|audience| audience.as_str() == name)
            .or_else(|| self.resource(name))
    }

    /// Returns the audience that `resource` maps to (RFC 8707).
    pub(in crate::policy) fn resource(&self, resource: &str) -> Option<&Audience> {
        self.resources.get(resource)
    }
}
