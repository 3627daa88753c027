//! Settings shaped as a gateway's, for reading fixtures without building anything.

use obo_gateway::config::{Document, Section};
use obo_gateway::settings::{
    ByteSize, Findings, HumanDuration, SecretSettings, ServerTlsSettings, UpstreamTlsSettings,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

macro_rules! settings {
    ($($name:ident { $($(#[$meta:meta])* $field:ident: $type:ty),* $(,)? })*) => {$(
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[allow(dead_code)]
        pub(crate) struct $name { $($(#[$meta])* pub(crate) $field: $type),* }
    )*};
}

macro_rules! words {
    ($($name:ident { $($word:ident),* })*) => {$(
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum $name { $($word),* }
    )*};
}

settings! {
    Listener { address: String, public_url: Option<String>, tls: Option<Tls>, http2: Option<bool> }
    Admin { address: Option<String>, token: Option<Secret> }
    SigningKey { file: PathBuf, generate: Option<Algorithm> }
    TrustedIssuer {
        name: String, issuer: String, audiences: Vec<String>, algorithms: Vec<Algorithm>, keys: Keys,
        typ: Option<Vec<String>>, required_claims: Option<BTreeMap<String, serde_json::Value>>,
        client_claim: Option<String>, max_lifetime: Option<HumanDuration>, leeway: Option<HumanDuration>,
        required: Option<bool>,
    }
    Keys {
        discovery: Option<bool>, jwks_uri: Option<String>, jwks_file: Option<PathBuf>,
        max_age: Option<HumanDuration>, max_stale: Option<HumanDuration>,
    }
    Route {
        name: String, r#match: Match, upstream: Upstream, exchange: Option<Exchange>, public: Option<bool>,
    }
    Match {
        hosts: Option<Vec<String>>, prefix: Option<String>, exact: Option<String>, methods: Option<Vec<String>>,
    }
    Upstream {
        targets: Vec<Target>, host: Option<String>, rewrite_prefix: Option<String>, http2: Option<bool>,
        tls: Option<ClientTls>, timeouts: Option<Timeouts>,
    }
    Target { url: String, weight: Option<u32> }
    Timeouts { connect: Option<HumanDuration>, response: Option<HumanDuration>, idle: Option<HumanDuration> }
    Exchange {
        accepts: Option<Vec<Accepts>>, clients: Option<Vec<String>>, subjects: Option<Subjects>, audience: String,
        scope: Scope, token: Option<Token>, actor: Option<Actor>, chain: Option<Chain>,
    }
    Accepts { issuer: String }
    Scope { allow: Vec<String>, require: Option<Vec<String>>, rule: Option<Rule>, excess: Option<Excess> }
    Token { lifetime: Option<HumanDuration>, subject: Option<Subject>, claims: Option<TokenClaims> }
    TokenClaims { copy: Option<Vec<String>>, set: Option<BTreeMap<String, serde_json::Value>> }
    Chain { max_depth: Option<u8> }
    Cache { max_size: Option<ByteSize> }
    Limits {
        token: Option<ByteSize>, headers: Option<ByteSize>, target: Option<ByteSize>, body: Option<String>,
        header_timeout: Option<HumanDuration>, connections: Option<u32>, connections_per_address: Option<u32>,
    }
    Shutdown { delay: Option<HumanDuration>, grace: Option<HumanDuration> }
    Runtime { threads: Option<serde_yaml::Value> }
    Telemetry { log: Option<Log>, audit: Option<Sink> }
    Log { format: Option<String>, level: Option<String>, access: Option<Sink> }
    Sink { file: Option<PathBuf> }
}

words! {
    Subjects { Users, Any }
    Rule { Intersection, UserOnly }
    Excess { Drop, Refuse }
    Subject { Same, Qualified, Pairwise }
}

type Tls = ServerTlsSettings;
type ClientTls = UpstreamTlsSettings;
type Secret = SecretSettings;

#[derive(Debug, Deserialize)]
pub(crate) enum Algorithm {
    ES256,
    ES384,
    EdDSA,
    RS256,
    PS256,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Actor {
    Gateway {},
    None {},
}

/// Reads every section of `document`, as the gateway's own composition does.
pub(crate) fn read(document: &Document, findings: &mut Findings) {
    document.sections(findings, |top| {
        top.required_list::<Listener>("listeners");
        top.take_or_default::<Admin>("admin");
        issuer(top);
        for (index, trusted) in top.required_list::<TrustedIssuer>("trusted_issuers") {
            top.findings().within("trusted_issuers", |f| {
                f.within(index, |f| f.within("keys", |f| trusted.keys.check(f)));
            });
        }
        for (index, route) in top.required_list::<Route>("routes") {
            top.findings()
                .within("routes", |f| f.within(index, |f| route.check(f)));
        }
        top.take_or_default::<Cache>("cache");
        top.take_or_default::<Limits>("limits");
        top.take_or_default::<Shutdown>("shutdown");
        top.take_or_default::<Runtime>("runtime");
        top.take_or_default::<Telemetry>("telemetry");
    });
}

fn issuer(top: &mut Section<'_>) {
    top.section("issuer", |issuer| {
        issuer.required::<String>("url");
        issuer.take::<String>("actor");
        issuer.required_list::<SigningKey>("signing_keys");
        issuer.take::<HumanDuration>("lifetime");
    });
}

impl Keys {
    fn check(&self, findings: &mut Findings) {
        findings.exactly_one(&[
            ("discovery", self.discovery == Some(true)),
            ("jwks_uri", self.jwks_uri.is_some()),
            ("jwks_file", self.jwks_file.is_some()),
        ]);
    }
}

impl Route {
    fn check(&self, findings: &mut Findings) {
        let empty = |exchange: &&Exchange| exchange.audience.is_empty();
        if self.exchange.as_ref().filter(empty).is_some() {
            findings.within("exchange", |f| {
                f.within("audience", |f| {
                    f.error_because(
                        "expected a name, found \"\"",
                        "a token that names no audience is good anywhere",
                        "write the name by which the API knows itself",
                    );
                });
            });
        }
    }
}
