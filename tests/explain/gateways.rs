//! Generated configurations: every rule of scopes, subjects, callers, chains, routes and issuers.

use crate::explain::{
    chance::Chance,
    support::{Setup, lab::GATEWAY_ISSUER},
};
use obo_gateway::clock::{ManualClock, UnixTime};
use std::{path::Path, sync::Arc};

/// The scopes in tokens and routes.
pub const SCOPES: [&str; 6] = ["read", "write", "u.read", "u.write", "old", "admin"];
/// The time of all requests.
pub const NOW: i64 = 1_800_000_000;

/// Returns a configuration. `salt` is a file with the salt of pseudonyms.
pub fn any(chance: &mut Chance, salt: &Path) -> Setup {
    let mut routes = route(chance, "orders", "prefix: /orders");
    if chance.percent(60) {
        let narrowing = chance.of(&[
            "exact: /orders/special",
            "prefix: /orders, methods: [POST]",
            "prefix: /orders/list",
            "prefix: /orders, hosts: [api.example.com]",
            "prefix: /, hosts: [\"*.example.com\"]",
        ]);
        routes += &route(chance, "other", narrowing);
    }
    let cors = cors(chance);
    routes += &format!(
        "  - name: status\n    match: {{ prefix: /status }}\n    upstream: {{ targets: [ {{ url: ORIGIN }} ] }}\n    \
         public: true\n{cors}"
    );
    Setup {
        routes,
        issuer: issuer(chance),
        service: format!(", pairwise_salt: {{ file: \"{}\" }}", salt.display()),
        sections: sections(chance),
        clock: Arc::new(ManualClock::at(UnixTime::from_secs(NOW))),
        ..Setup::default()
    }
}

fn list(names: &[&str]) -> String {
    format!("[{}]", names.join(", "))
}

fn cors(chance: &mut Chance) -> String {
    match chance.percent(40) {
        false => String::new(),
        true => format!(
            "    cors: {{ origins: [{}], methods: [GET, POST], headers: [Authorization] }}\n",
            chance.of(&["https://app.example.com", "\"*\""])
        ),
    }
}

fn route(chance: &mut Chance, name: &str, matched: &str) -> String {
    let rewrite = chance.of(&["", ", rewrite_prefix: /v1"]);
    let cors = cors(chance);
    let exchange = exchange(chance, name, matched);
    format!(
        "  - name: {name}\n    match: {{ {matched} }}\n    upstream: {{ targets: [ {{ url: ORIGIN }} ]{rewrite} }}\n    \
         exchange: {{ {exchange} }}\n{cors}"
    )
}

fn exchange(chance: &mut Chance, name: &str, matched: &str) -> String {
    // a token that is issued for the gateway itself may be presented to it again
    let audience = match chance.percent(30) {
        true => format!("\"{GATEWAY_ISSUER}\""),
        false => format!("{name}-api"),
    };
    let mut keys = vec![format!("audience: {audience}"), scope(chance, matched)];
    let form = chance.of(&["same", "qualified", "pairwise"]);
    let lifetime = chance.of(&["30s", "2m", "1h"]);
    let claims = chance.of(&[
        "",
        ", claims: { copy: [email, name], set: { tenant: acme } }",
    ]);
    keys.push(format!(
        "token: {{ subject: {form}, lifetime: {lifetime}{claims} }}"
    ));
    if chance.percent(25) {
        keys.push(format!(
            "clients: {}",
            list(&chance.some(&["web", "phone"], 1))
        ));
    }
    if chance.percent(30) {
        keys.push("subjects: any".to_owned());
    }
    if chance.percent(30) {
        keys.push("actor: { type: none }".to_owned());
    }
    if chance.percent(50) {
        let depth = chance.of(&[1, 2, 8]);
        let own = chance.of(&["true", "false"]);
        keys.push(format!(
            "chain: {{ max_depth: {depth}, accept_own: {own} }}"
        ));
    }
    if chance.percent(20) {
        keys.push("accepts: [ { issuer: corp, audiences: [portal] } ]".to_owned());
    }
    keys.join(", ")
}

fn scope(chance: &mut Chance, matched: &str) -> String {
    let allow = chance.some(&SCOPES, 1);
    let mut keys = vec![format!("allow: {}", list(&allow))];
    if chance.percent(40) {
        keys.push(format!("require: [{}]", chance.of(&SCOPES)));
    }
    if chance.percent(25) {
        keys.push("excess: refuse".to_owned());
    }
    if chance.percent(30) {
        keys.push(
            chance
                .of(&["rule: user_only", "rule: user_only, rule_prefix: u."])
                .to_owned(),
        );
    }
    if chance.percent(40) {
        let (from, to) = (chance.of(&SCOPES), chance.some(&SCOPES, 0));
        keys.push(format!("map: {{ {from}: {} }}", list(&to)));
    }
    if chance.percent(50) {
        let below = !matched.starts_with("exact");
        // a method that the route itself does not serve is an error
        let methods: &[&str] = match matched.contains("[POST]") {
            true => &["POST"],
            false => &["GET", "POST", "GET, HEAD"],
        };
        let mut operations = vec![operation(chance, &allow, methods, None)];
        if below {
            operations.push(operation(chance, &allow, methods, Some("/list")));
        }
        keys.push(format!("operations: [ {} ]", operations.join(", ")));
    }
    format!("scope: {{ {} }}", keys.join(", "))
}

fn operation(
    chance: &mut Chance,
    allow: &[&'static str],
    methods: &[&str],
    prefix: Option<&str>,
) -> String {
    let scope = chance.some(allow, 1);
    let mut keys = vec![format!("scope: {}", list(&scope))];
    keys.push(format!("methods: [{}]", chance.of(methods)));
    if let Some(prefix) = prefix {
        keys.push(format!("prefix: {prefix}"));
    }
    if chance.percent(30) {
        keys.push(format!("require: [{}]", chance.of(&SCOPES)));
    }
    format!("{{ {} }}", keys.join(", "))
}

fn issuer(chance: &mut Chance) -> String {
    let mut keys =
        "audiences: [portal, desktop], algorithms: [ES256], keys: { discovery: true }".to_owned();
    let rules = [
        "typ: [at+jwt, JWT]",
        "required_claims: { acr: loa2 }",
        "scope_claim: scp",
        "subject_claim: oid",
        "client_claim: azp",
        "roles: { claim: realm.roles, grants: [ { role: clerk, scope: [write] }, { role: boss, scope: [admin] } ] }",
        "known_as: { sub: gateway-app }",
        "max_lifetime: 15m",
    ];
    for rule in rules {
        if chance.percent(25) {
            keys = format!("{keys}, {rule}");
        }
    }
    keys
}

fn sections(chance: &mut Chance) -> String {
    let mut sections = chance
        .of(&["", "limits: { token: 1KiB, target: 1KiB }\n"])
        .to_owned();
    if chance.percent(50) {
        let rule = chance.of(&[
            "",
            ", rule: user_only",
            ", rule: user_only, rule_prefix: u.",
        ]);
        let audiences = chance.of(&["", "audiences: [orders-api], "]);
        let lifetime = chance.of(&["", ", lifetime: 20s"]);
        let allow = list(&chance.some(&SCOPES, 1));
        sections += &format!(
            "clients: [ {{ id: web, {audiences}scope: {{ allow: {allow}{rule} }}{lifetime} }} ]\n"
        );
    }
    sections
}
