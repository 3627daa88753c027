//! The `trusted_issuers[]` section of the configuration.

use super::{
    KnownAsSettings, RoleSettings, TrustedIssuer,
    jwt::JwtProver,
    key_source::KeySource,
    key_store::{KeyStore, KeyTimes},
    prover::Prover,
    subject::is_never_access_token,
};
use crate::{
    clock::SharedClock,
    egress::{Egress, EgressTlsSettings},
    jose::{Algorithm, normalized_typ},
    settings::{
        Building, Findings, HumanDuration, OutboundUrl, UrlError, exactly_one, fingerprint,
        not_empty,
    },
    telemetry::IssuerMetrics,
    token::Audience,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

/// An identity provider whose tokens the gateway accepts. Audiences and algorithms have no default, because they
/// decide who gets access.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuerSettings {
    /// The issuer's name in logs, metrics and routes, for example `corp`. 1 to 64 letters, digits, dots, dashes or
    /// underscores.
    #[schemars(regex(pattern = "^[A-Za-z0-9._-]+$"))]
    pub name: String,
    /// `iss` of the issuer's tokens, compared character by character. Copy it from the provider's metadata.
    #[schemars(regex(pattern = "^[!-~]+$"))]
    pub issuer: String,
    /// The accepted audiences. `aud` of a token must contain one of them, otherwise the token is refused.
    #[schemars(transform = not_empty)]
    pub audiences: Vec<Audience>,
    /// The accepted signature algorithms. Tokens with any other algorithm are refused.
    #[schemars(transform = not_empty)]
    pub algorithms: Vec<Algorithm>,
    /// Where the issuer's keys come from: exactly one of `discovery`, `jwks_uri` and `jwks_file`.
    pub keys: KeysSettings,
    /// Accepted values of `typ` in the token header. Case and the prefix `application/` are ignored. Add `JWT` for a
    /// provider that does not write `at+jwt`; it also accepts tokens without `typ`. Because ID tokens can then look
    /// like access tokens, set `required_claims` too.
    #[schemars(inner(length(min = 1)), length(min = 1))]
    #[serde(default = "default_typ")]
    pub typ: Vec<String>,
    /// Claims that every token must have with exactly this value, for example `{ token_use: access }`. Default: none.
    #[serde(default)]
    pub required_claims: Option<BTreeMap<String, Value>>,
    /// The claim with the scopes: a text separated by spaces, or a list. For a nested claim, join the names with
    /// dots.
    #[serde(default = "default_scope_claim")]
    #[schemars(length(min = 1))]
    pub scope_claim: String,
    /// The claim that identifies the user. For a nested claim, join the names with dots.
    #[serde(default = "default_subject_claim")]
    #[schemars(length(min = 1))]
    pub subject_claim: String,
    /// Scopes that are granted by roles in the token. Default: none.
    pub roles: Option<RoleSettings>,
    /// The name of the gateway that `may_act` in this issuer's tokens must contain. Default: `issuer.actor`.
    pub known_as: Option<KnownAsSettings>,
    /// The claim that identifies the calling application. Default: the first of `client_id`, `azp`, `cid` and `appid`
    /// that the token has.
    pub client_claim: Option<String>,
    /// A claim that only users' tokens have, for example `preferred_username`. For a nested claim, join the names
    /// with dots. A token in which it is missing or empty counts as an application's own token. Set it for providers
    /// whose tokens have no other such mark.
    #[schemars(length(min = 1))]
    pub user_claim: Option<String>,
    /// Maximum lifetime of a token, from `iat` to `exp`. Longer-lived tokens are refused.
    #[serde(default = "default_max_lifetime")]
    pub max_lifetime: HumanDuration,
    /// Allowed clock difference for `nbf` and `iat`, at most 60s. It never extends `exp`.
    #[serde(default = "default_leeway")]
    pub leeway: HumanDuration,
    /// Allows plain http to another machine, for `issuer` with `discovery` and for `jwks_uri`. Anyone on the network
    /// path can then replace the keys and forge tokens of this issuer.
    #[serde(default)]
    pub insecure: bool,
    /// Whether `/readyz` waits until the issuer's keys are available.
    #[serde(default = "default_required")]
    pub required: bool,
}

fingerprint!(IssuerSettings {
    fields: [
        name,
        issuer,
        audiences,
        algorithms,
        keys,
        typ,
        required_claims,
        scope_claim,
        subject_claim,
        roles,
        known_as,
        client_claim,
        user_claim,
        max_lifetime,
        leeway,
        insecure,
        required
    ],
});

/// Where an issuer's keys come from: exactly one of `discovery`, `jwks_uri` and `jwks_file`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = exactly_one(&["discovery", "jwks_uri", "jwks_file"]))]
pub struct KeysSettings {
    /// `true`: from the `jwks_uri` in the issuer's metadata (OpenID Connect Discovery or RFC 8414).
    pub discovery: Option<bool>,
    /// The URL of a JWK set (RFC 7517 §5).
    #[schemars(with = "Option<OutboundUrl>")]
    pub jwks_uri: Option<String>,
    /// Has the same effect as the issuer's `insecure`.
    #[serde(default)]
    pub insecure: bool,
    /// A file with a JWK set (RFC 7517 §5). It is read at start and again every `max_age`.
    pub jwks_file: Option<PathBuf>,
    /// How often the keys are fetched, 1s to 24h. A key that the issuer removed is refused within this time.
    #[serde(default = "default_max_age")]
    pub max_age: HumanDuration,
    /// How long the last fetched keys are used if the keys cannot be fetched. At least `max_age`. After it, requests
    /// with this issuer's tokens get 503.
    #[serde(default = "default_max_stale")]
    pub max_stale: HumanDuration,
    /// How the certificate of the provider's server is verified. Default: with the system's CA certificates.
    pub tls: Option<EgressTlsSettings>,
}

fingerprint!(KeysSettings {
    fields: [discovery, jwks_uri, insecure, max_age, max_stale, tls],
    files: [jwks_file],
});

fn default_typ() -> Vec<String> {
    vec!["at+jwt".to_owned()]
}

fn default_scope_claim() -> String {
    "scope".to_owned()
}

fn default_subject_claim() -> String {
    SUB.to_owned()
}

fn default_max_lifetime() -> HumanDuration {
    HumanDuration::from_secs(24 * 60 * 60)
}

fn default_leeway() -> HumanDuration {
    HumanDuration::from_secs(30)
}

fn default_required() -> bool {
    true
}

fn default_max_age() -> HumanDuration {
    HumanDuration::from_secs(5 * 60)
}

fn default_max_stale() -> HumanDuration {
    HumanDuration::from_secs(60 * 60)
}

/// The claim that names the subject by default (RFC 7519 §4.1.2).
const SUB: &str = "sub";
const MAX_LEEWAY: Duration = Duration::from_secs(60);
const SHORTEST_MAX_AGE: Duration = Duration::from_secs(1);
const LONGEST_MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

impl IssuerSettings {
    /// Returns `true` if the name is valid for an issuer.
    pub fn has_name(&self) -> bool {
        is_name(&self.name)
    }

    /// Builds the issuer and reports every error. A key file is read here. Other keys are fetched from
    /// [`TrustedIssuer::start`] on.
    pub fn build(
        self,
        building: &mut Building<'_>,
        clock: &SharedClock,
        egress: &Egress,
        metrics: IssuerMetrics,
    ) -> Option<Arc<TrustedIssuer>> {
        let before = building.findings.errors();
        let sound = self.check(building.findings);
        let roles = self
            .roles
            .as_ref()
            .and_then(|roles| building.within("roles", |b| roles.build(b)));
        let known_as = self
            .known_as
            .as_ref()
            .and_then(|known_as| building.within("known_as", |b| known_as.build(b)));
        let sound = sound && building.findings.errors() == before;
        let name: Arc<str> = self.name.as_str().into();
        let keys = building.within("keys", |building| {
            let (source, egress) = self.keys.source(&self, egress, building)?;
            let times = KeyTimes {
                max_age: self.keys.max_age.get(),
                max_stale: self.keys.max_stale.get(),
            };
            let store = KeyStore::new(
                Arc::clone(&name),
                source,
                times,
                egress,
                Arc::clone(clock),
                metrics.clone(),
            );
            store.load_file(building)?;
            Some(store)
        })?;
        if !sound {
            return None;
        }
        let typ = self.typ.iter().map(|typ| normalized_typ(typ).into());
        let required_claims = self.required_claims.into_iter().flatten();
        Some(Arc::new(TrustedIssuer {
            name,
            url: self.issuer.into(),
            audiences: self.audiences,
            typ: typ.collect(),
            required_claims: required_claims.map(|(n, v)| (n.into(), v)).collect(),
            scope_claim: self.scope_claim.into(),
            subject_claim: Some(self.subject_claim)
                .filter(|claim| claim != SUB)
                .map(Into::into),
            client_claim: self.client_claim.map(Into::into),
            user_claim: self.user_claim.map(Into::into),
            roles,
            known_as,
            max_lifetime: self.max_lifetime.get(),
            leeway: self.leeway.get(),
            required: self.required,
            prover: Prover::Jwt(JwtProver::new(self.algorithms, keys)),
            metrics,
        }))
    }

    fn check(&self, findings: &mut Findings) -> bool {
        let mut sound = true;
        let visible = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
        sound &= check(findings, "name", is_name(&self.name), || {
            (
                format!("expected a name, found {:?}", self.name),
                "write 1 to 64 letters, digits, dots, dashes or underscores, e.g. corp",
            )
        });
        sound &= check(findings, "issuer", visible(&self.issuer), || {
            (
                format!("expected the `iss` of its tokens, found {:?}", self.issuer),
                "copy `issuer` from the provider's metadata, byte for byte",
            )
        });
        sound &= check(findings, "audiences", !self.audiences.is_empty(), || {
            (
                "expected at least one audience, found none".to_owned(),
                "name the `aud` that the provider writes in tokens meant for this gateway",
            )
        });
        sound &= check(findings, "algorithms", !self.algorithms.is_empty(), || {
            (
                "expected at least one algorithm, found none".to_owned(),
                "list the algorithms that the provider signs with, e.g. [RS256]",
            )
        });
        sound &= check(findings, "leeway", self.leeway.get() <= MAX_LEEWAY, || {
            (
                format!("expected at most 60s, found {}", self.leeway),
                "synchronize the clocks instead: a minute is enough for synchronized clocks",
            )
        });
        let lives = !self.max_lifetime.get().is_zero();
        sound &= check(findings, "max_lifetime", lives, || {
            (
                "expected more than 0s, found 0s".to_owned(),
                "write the maximum lifetime of this provider's access tokens, e.g. 24h",
            )
        });
        for (key, claim, fix) in [
            (
                "client_claim",
                self.client_claim.as_deref(),
                "name the claim, e.g. azp",
            ),
            (
                "user_claim",
                self.user_claim.as_deref(),
                "name a claim that only users' tokens have, e.g. preferred_username",
            ),
            (
                "scope_claim",
                Some(self.scope_claim.as_str()),
                "name the claim, e.g. scp",
            ),
            (
                "subject_claim",
                Some(self.subject_claim.as_str()),
                "name the claim, e.g. oid",
            ),
        ] {
            sound &= check(findings, key, claim.is_none_or(visible), || {
                ("expected the name of a claim".to_owned(), fix)
            });
        }
        sound & self.check_typ(findings)
    }

    fn check_typ(&self, findings: &mut Findings) -> bool {
        let any = !self.typ.is_empty() && self.typ.iter().all(|typ| !typ.is_empty());
        let sound = check(findings, "typ", any, || {
            (
                "expected at least one type, found none".to_owned(),
                "write [at+jwt], or [JWT] for a provider that does not write at+jwt",
            )
        });
        for (position, typ) in self.typ.iter().enumerate() {
            if is_never_access_token(typ) {
                findings.within("typ", |findings| {
                    findings.within(position, |findings| {
                        findings.warn(
                            format!("{typ} is never the type of an access token"),
                            "tokens of this type are always refused",
                            "remove it",
                        );
                    });
                });
            }
        }
        let plain = self.typ.iter().any(|typ| normalized_typ(typ) == "jwt");
        // an empty map is reported where it is parsed
        if plain && self.required_claims.is_none() {
            findings.within("typ", |findings| {
                findings.warn(
                    "JWT is accepted and no claim is required",
                    "an ID token of the same provider looks like an access token",
                    "add `required_claims` with a claim that only access tokens have, e.g. { token_use: access }",
                );
            });
        }
        sound
    }
}

/// Returns `true` if `text` is a valid name. Names appear in metrics, logs and qualified subjects, so they have no
/// colon.
fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

fn check(
    findings: &mut Findings,
    key: &str,
    holds: bool,
    mistake: impl FnOnce() -> (String, &'static str),
) -> bool {
    if !holds {
        let (what, fix) = mistake();
        findings.within(key, |findings| findings.error(what, fix));
    }
    holds
}

impl KeysSettings {
    fn source(
        &self,
        of: &IssuerSettings,
        egress: &Egress,
        building: &mut Building<'_>,
    ) -> Option<(KeySource, Egress)> {
        let insecure = of.insecure || self.insecure;
        let (max_age, max_stale) = (self.max_age.get(), self.max_stale.get());
        let mut sound = (SHORTEST_MAX_AGE..=LONGEST_MAX_AGE).contains(&max_age);
        check(building.findings, "max_age", sound, || {
            (
                format!("expected 1s to 24h, found {}", self.max_age),
                "write the time within which a removed key must be refused, e.g. 5m",
            )
        });
        sound &= check(building.findings, "max_stale", max_stale >= max_age, || {
            (
                format!(
                    "expected at least max_age ({}), found {}",
                    self.max_age, self.max_stale
                ),
                "write how long the last fetched keys may be used while the provider is unavailable, e.g. 1h",
            )
        });
        let egress = match &self.tls {
            None => egress.clone(),
            Some(tls) => building.within("tls", |building| egress.trusting(tls, building))?,
        };
        let source = match (self.discovery, &self.jwks_uri, &self.jwks_file) {
            (Some(true), None, None) => discovery(&of.issuer, insecure, building.findings),
            (None | Some(false), Some(uri), None) => building
                .findings
                .within("jwks_uri", |f| url(uri, insecure, f).map(KeySource::Uri)),
            (None | Some(false), None, Some(file)) => {
                Some(KeySource::File(building.base.resolve(file)))
            }
            _ => {
                building.findings.error(
                    "expected exactly one of discovery, jwks_uri and jwks_file",
                    "write { discovery: true }, { jwks_uri: https://… } or { jwks_file: … }",
                );
                None
            }
        }?;
        sound.then_some((source, egress))
    }
}

fn discovery(issuer: &str, insecure: bool, findings: &mut Findings) -> Option<KeySource> {
    findings.within("discovery", |findings| {
        let base = url(issuer, insecure, findings)?;
        if base.url().query().is_some() {
            findings.error(
                "the issuer has a query, so it has no well-known document",
                "name the keys with jwks_uri instead",
            );
            return None;
        }
        KeySource::discovery(issuer, &base)
    })
}

fn url(text: &str, insecure: bool, findings: &mut Findings) -> Option<OutboundUrl> {
    const WHY: &str = "anyone who can change the keys in transit can sign tokens as the issuer";
    let parsed = match insecure {
        true => OutboundUrl::parse_insecure(text),
        false => OutboundUrl::parse(text),
    };
    match parsed {
        Ok(url) => {
            if url.is_plain() && !url.is_loopback() {
                let what = format!("the keys come from {} over plain http", url.host());
                findings.warn(what, WHY, "use https if the provider supports it");
            }
            Some(url)
        }
        Err(error @ UrlError::Unencrypted(_)) => {
            findings.error_because(
                error.to_string(),
                WHY,
                "write an https URL, or add insecure: true if that is meant",
            );
            None
        }
        Err(error) => {
            findings.error(
                error.to_string(),
                "write an https URL; plain http is for loopback only",
            );
            None
        }
    }
}
