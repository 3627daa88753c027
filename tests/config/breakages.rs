//! One error is one finding: the complete file with one error, in every section in turn.

use super::gateway;
use obo_gateway::{config::Document, settings::Findings};

const COMPLETE: &str = include_str!("../fixtures/config/valid/complete.yaml");

/// The text to replace, its replacement, and the path of the finding.
const BREAKAGES: &[(&str, &str, &str)] = &[
    // listeners and admin
    (
        "address: 127.0.0.1:0\n    public",
        "address: localhost\n    public",
        "listeners[0].address",
    ),
    (
        "public_url: https://api.example.com",
        "public_url: api.example.com",
        "listeners[0].public_url",
    ),
    (
        "http2: false\nadmin",
        "http2: 3\nadmin",
        "listeners[0].http2",
    ),
    (
        "admin: { address: 127.0.0.1:0 }",
        "admin: { address: nowhere }",
        "admin.address",
    ),
    (
        "admin: { address: 127.0.0.1:0 }",
        "admin: { adress: 127.0.0.1:0 }",
        "admin.adress",
    ),
    (
        "admin: { address: 127.0.0.1:0 }",
        "admin: { address: 127.0.0.1:0, token: { env: A, file: b } }",
        "admin.token",
    ),
    // issuer
    (
        "url: https://gateway.example.com",
        "url: gateway.example.com",
        "issuer.url",
    ),
    (
        "url: https://gateway.example.com",
        "url: https://gateway.example.com?a=b",
        "issuer.url",
    ),
    ("  actor: obo-gateway", "  actor: \"\"", "issuer.actor"),
    (
        "generate: ES256 }",
        "generate: HS256 }",
        "issuer.signing_keys[0].generate",
    ),
    (
        "generate: EdDSA }",
        "generat: EdDSA }",
        "issuer.signing_keys[1].generat",
    ),
    (
        "keys/opaque-1.key, generate: true",
        "keys/opaque-1.key",
        "issuer.opaque_keys[0]",
    ),
    (
        "  lifetime: 5m\n  pairwise",
        "  lifetime: 5x\n  pairwise",
        "issuer.lifetime",
    ),
    (
        "pairwise_salt: { file: pairwise.salt }",
        "pairwise_salt: { file: gone }",
        "issuer.pairwise_salt",
    ),
    // trusted issuers
    (
        "- name: corp\n    issuer: https://idp.example.com",
        "- name: corp\n    issuer: idp.example.com",
        "trusted_issuers[0].keys.discovery",
    ),
    (
        "- name: corp\n    issuer: https://idp.example.com",
        "- name: corp\n    issuer: [https://idp.example.com]",
        "trusted_issuers[0].issuer",
    ),
    (
        "- name: corp\n    issuer: https://idp.example.com",
        "- name: corp\n    isuer: https://idp.example.com",
        "trusted_issuers[0].isuer",
    ),
    (
        "audiences: [portal]\n    algorithms: [ES256, RS256]",
        "audiences: []\n    algorithms: [ES256, RS256]",
        "trusted_issuers[0].audiences",
    ),
    (
        "algorithms: [ES256, RS256]",
        "algorithms: [ES256, HS256]",
        "trusted_issuers[0].algorithms[1]",
    ),
    (
        "keys: { discovery: true, max_age: 5m",
        "keys: { discovery: true, max_age: 2h",
        "trusted_issuers[0].keys.max_stale",
    ),
    (
        "typ: [at+jwt, JWT]",
        "typ: [at+jwt, 7]",
        "trusted_issuers[0].typ[1]",
    ),
    (
        "required_claims: { token_use: access }",
        "required_claims: {}",
        "trusted_issuers[0].required_claims",
    ),
    (
        "role: admin, scope: [orders.write] }",
        "role: admin, scope: [] }",
        "trusted_issuers[0].roles.grants[0].scope",
    ),
    (
        "max_lifetime: 24h",
        "max_lifetime: 0s",
        "trusted_issuers[0].max_lifetime",
    ),
    ("leeway: 30s", "leeway: 5m", "trusted_issuers[0].leeway"),
    (
        "jwks_uri: https://partner.example.com/keys, insecure",
        "jwks_uri: http://partner.example.com/keys, insecure",
        "trusted_issuers[1].keys.jwks_uri",
    ),
    ("- name: partner", "- name: corp", "trusted_issuers[1].name"),
    (
        "algorithms: [PS256]",
        "algorithms: PS256",
        "trusted_issuers[1].algorithms",
    ),
    (
        "algorithms: [PS256]",
        "algorithms: [PS256]\n    audience: portal",
        "trusted_issuers[1].audience",
    ),
    // clients
    (
        "accepts: [corp, partner]",
        "accepts: [corp, partnr]",
        "clients[0].accepts[1]",
    ),
    ("subject: qualified", "subject: bare", "clients[0].subject"),
    (
        "method: private_key_jwt,",
        "method: private_key,",
        "clients[0].authentication.method",
    ),
    (
        "jwks_uri: https://portal.example.com/keys",
        "jwks_uri: portal",
        "clients[0].authentication.jwks_uri",
    ),
    (
        "rule_prefix: orders., excess: refuse",
        "rule_prefix: orders., excess: reject",
        "clients[0].scope.excess",
    ),
    (
        "grants: [token_exchange, refresh_token, entra_obo]",
        "grants: [token_exchange, refresh, entra_obo]",
        "clients[0].grants[1]",
    ),
    (
        "refresh: { idle: 7d, absolute: 30d }",
        "refresh: { idle: 31d, absolute: 30d }",
        "clients[0].refresh",
    ),
    (
        "resource: https://api.example.com/orders, audience",
        "resource: orders, audience",
        "clients[0].resources[0].resource",
    ),
    (
        "may_act_for: any, subjects: [access_token, ",
        "may_act_for: any, subjects: [acces_token, ",
        "clients[0].impersonation.subjects[0]",
    ),
    (
        "directory: { file: directory.yaml }",
        "directory: { file: gone.yaml }",
        "directory.file",
    ),
    // routes
    (
        "prefix: /orders, methods: [GET, POST]",
        "prefix: orders, methods: [GET, POST]",
        "routes[0].match.prefix",
    ),
    (
        "hosts: [api.example.com,",
        "hosts: [\"https://api.example.com\",",
        "routes[0].match.hosts[0]",
    ),
    (
        "    resource: https://api.example.com/orders\n",
        "    resource: orders\n",
        "routes[0].resource",
    ),
    (
        "cookies: [theme]",
        "cookies: [\"a b\"]",
        "routes[0].request.cookies[0]",
    ),
    (
        "name: X-Partner, value",
        "name: Authorization, value",
        "routes[0].request.headers.set[0].name",
    ),
    (
        "pass_headers: [Set-Cookie]",
        "pass_headers: [WWW-Authenticate]",
        "routes[0].response.pass_headers[0]",
    ),
    (
        "origins: [https://app.example.com]",
        "origins: [app.example.com]",
        "routes[0].cors.origins[0]",
    ),
    ("upgrade: none", "upgrade: h2c", "routes[0].upgrade"),
    (
        "url: http://127.0.0.1:9201, weight: 3",
        "url: http://127.0.0.1:9201, weight: 300",
        "routes[0].upstream.targets[0].weight",
    ),
    (
        "- { url: http://127.0.0.1:9202 }",
        "- { url: \"http://127.0.0.1:9202/path\" }",
        "routes[0].upstream.targets[1].url",
    ),
    (
        "rewrite_prefix: /\n",
        "rewrite_prefix: v1\n",
        "routes[0].upstream.rewrite_prefix",
    ),
    (
        "timeouts: { connect: 2s,",
        "timeouts: { connect: 0s,",
        "routes[0].upstream.timeouts.connect",
    ),
    (
        "issuer: corp, audiences: [portal]",
        "issuer: corps, audiences: [portal]",
        "routes[0].exchange.accepts[0].issuer",
    ),
    (
        "issuer: corp, audiences: [portal]",
        "issuer: corp, audiences: [elsewhere]",
        "routes[0].exchange.accepts[0].audiences[0]",
    ),
    (
        "      subjects: users",
        "      subjects: people",
        "routes[0].exchange.subjects",
    ),
    (
        "      audience: orders-api\n      scope:",
        "      audience: \"\"\n      scope:",
        "routes[0].exchange.audience",
    ),
    (
        "allow: [orders.read, orders.write]",
        "allow: [orders.read, \"orders write\"]",
        "routes[0].exchange.scope.allow",
    ),
    (
        "prefix: /bulk",
        "prefix: bulk",
        "routes[0].exchange.scope.operations[1].prefix",
    ),
    (
        "methods: [GET], scope: [orders.read]",
        "methods: [get], scope: [orders.read]",
        "routes[0].exchange.scope.operations[0].methods[0]",
    ),
    (
        "        format: opaque",
        "        format: jws",
        "routes[0].exchange.token.format",
    ),
    (
        "        lifetime: 2m",
        "        lifetime: 0s",
        "routes[0].exchange.token.lifetime",
    ),
    (
        "set: { tenant: acme }",
        "set: { aud: acme }",
        "routes[0].exchange.token.claims.set.aud",
    ),
    (
        "max_depth: 8",
        "max_depth: 9",
        "routes[0].exchange.chain.max_depth",
    ),
    ("- name: reports", "- name: orders", "routes[1].name"),
    ("typ: JWT }", "typ: ID }", "routes[1].exchange.token.typ"),
    ("    public: true", "    public: 1", "routes[2].public"),
    (
        "- { methods: [POST], prefix: /bulk",
        "- { methods: [TRACE], prefix: /bulk",
        "routes[0].exchange.scope.operations[1].methods[0]",
    ),
    (
        "- { methods: [POST], prefix: /bulk",
        "- { methods: [DELETE], prefix: /bulk",
        "routes[0].exchange.scope.operations[1].methods[0]",
    ),
    // the rest
    ("max_size: 256MiB", "max_size: 256", "cache.max_size"),
    (
        "refresh_ahead: 80%",
        "refresh_ahead: 120%",
        "cache.refresh_ahead",
    ),
    (
        "store: { embedded: { path: data/store } }",
        "store: { embeded: { path: data/store } }",
        "store.embeded",
    ),
    ("  token: 16KiB", "  token: 1", "limits.token"),
    (
        "header_timeout: 10s",
        "header_timeout: 0s",
        "limits.header_timeout",
    ),
    ("connections: 20000", "connections: 0", "limits.connections"),
    (
        "burst: 2x",
        "burst: 2",
        "limits.token_service.requests_per_second.burst",
    ),
    ("grace: 30s", "grace: never", "shutdown.grace"),
    ("threads: auto", "threads: 0", "runtime.threads"),
    ("level: info", "level: loud", "telemetry.log.level"),
    (
        "audit: { file: audit.jsonl }",
        "audit: { file: none/audit.jsonl }",
        "telemetry.audit.file",
    ),
];

#[test]
fn one_mistake_anywhere_is_one_finding_at_its_place() {
    hold(COMPLETE, BREAKAGES);
}

#[test]
fn an_issuer_that_cannot_be_read_makes_no_other_name_wrong() {
    let people = COMPLETE.replacen("may_act_for: any", "may_act_for: [\"corp:1234\"]", 1);
    let one_issuer = include_str!("../fixtures/config/valid/shortest.yaml").to_owned()
        + "clients: [ { id: portal, audiences: [orders-api], scope: { allow: [orders.read] } } ]\n";
    for base in [&people, &one_issuer] {
        assert_eq!(findings(base), [], "{base}");
        hold(
            base,
            &[
                ("- name: corp\n", "- nam: corp\n", "trusted_issuers[0].nam"),
                (
                    "- name: corp\n",
                    "- name: corp\n    other: 1\n",
                    "trusted_issuers[0].other",
                ),
                (
                    "- name: corp\n",
                    "- name: [corp]\n",
                    "trusted_issuers[0].name",
                ),
                (
                    "- name: corp\n",
                    "- name: \"a:b\"\n",
                    "trusted_issuers[0].name",
                ),
                (
                    "issuer: https://idp.example.com",
                    "issuer: 7",
                    "trusted_issuers[0].issuer",
                ),
                (
                    "keys: { discovery: true",
                    "keys: { discover: true",
                    "trusted_issuers[0].keys.discover",
                ),
                (
                    "keys: { discovery: true",
                    "keys: { discovery: yes please",
                    "trusted_issuers[0].keys.discovery",
                ),
            ],
        );
    }
}

#[track_caller]
fn hold(base: &str, breakages: &[(&str, &str, &str)]) {
    let mut differing = String::new();
    for (good, broken, place) in breakages {
        assert_eq!(base.matches(good).count(), 1, "{good:?} is there once");
        let found = findings(&base.replacen(good, broken, 1));
        let places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
        if places != [*place] {
            differing += &format!("{broken:?}: expected one at {place}, found {found:#?}\n");
        }
    }
    assert!(differing.is_empty(), "{differing}");
}

/// Returns place and text of all findings.
fn findings(text: &str) -> Vec<(String, String)> {
    let findings = match Document::parse("gateway.yaml", text) {
        Ok(document) => {
            let mut findings = Findings::default();
            gateway::read(&document, &mut findings);
            findings
        }
        Err(unreadable) => unreadable.findings,
    };
    let findings = findings.into_vec().into_iter();
    findings
        .map(|finding| (finding.path.to_string(), finding.what))
        .collect()
}
