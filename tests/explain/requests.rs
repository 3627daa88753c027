//! Generated tokens and requests: valid ones, and ones with one error.

use crate::explain::{
    chance::Chance,
    gateways::{NOW, SCOPES},
    support::{Ask, Lab, Signer, lab::GATEWAY_ISSUER},
};
use serde_json::{Value, json};

/// A request and a description of its token, for the message when the two decisions differ.
pub struct Request {
    pub ask: Ask,
    pub what: String,
}

/// Returns a request. `own` is a token that the gateway issued.
pub fn any(chance: &mut Chance, lab: &Lab, own: Option<&str>) -> Request {
    let (what, token) = token(chance, lab, own);
    let (method, target) = line(chance, token.as_deref());
    let mut ask = Ask::new(method, &target).host(chance.of(&[
        "api.example.com",
        "api.example.com",
        "API.example.com:8443",
        "elsewhere.test",
    ]));
    let preflight = chance.percent(8);
    if preflight {
        ask.method = "OPTIONS".to_owned();
        ask = ask.field(
            "Access-Control-Request-Method",
            chance.of(&["GET", "POST", "odd one"]),
        );
    }
    if preflight || chance.percent(15) {
        ask = ask.field(
            "Origin",
            chance.of(&["https://app.example.com", "https://evil.test"]),
        );
    }
    let what = format!("{what}, {method} {target} of {}", ask.host);
    let ask = match token {
        None => ask,
        Some(token) => presented(chance, ask, &token),
    };
    Request { ask, what }
}

fn presented(chance: &mut Chance, ask: Ask, token: &str) -> Ask {
    match chance.below(30) {
        0 => ask.bearer(token).bearer(token),
        1 => ask.field("Authorization", &format!("Basic {token}")),
        2 => ask.field("Authorization", &format!("Bearer {token} x")),
        3 => ask.field("Authorization", "Bearer"),
        4 => ask.field("authorization", &format!("bEARER  {token}")),
        _ => ask.bearer(token),
    }
}

fn line(chance: &mut Chance, token: Option<&str>) -> (&'static str, String) {
    let method = match chance.below(10) {
        0..5 => "GET",
        5..8 => "POST",
        _ => chance.of(&["HEAD", "DELETE", "OPTIONS", "TRACE", "PURGE"]),
    };
    let target = match chance.below(20) {
        0..12 => chance.of(&[
            "/orders",
            "/orders/7",
            "/orders/list",
            "/orders/list/2?q=a%20b",
        ]),
        12..14 => chance.of(&["/status", "/status/x", "/orders/special"]),
        14 | 15 => chance.of(&["/nowhere", "/orders2", "/orders/listing", "/"]),
        16 => chance.of(&[
            "/orders/../status",
            "/orders//7",
            "/orders/%2e",
            "/orders/a;b",
            "/orders/%zz",
        ]),
        17 => chance.of(&[
            "/oauth/v2/keys",
            "/.well-known/oauth-protected-resource/orders",
        ]),
        18 => chance.of(&["/orders?access_token=1", "/orders?a=1&ACCESS%5Ftoken=1"]),
        _ => {
            let long = "x".repeat(chance.of(&[10, 2_000, 20_000]));
            let repeated = token.unwrap_or("no-token-here");
            return (
                method,
                chance.of(&[format!("/orders/{long}"), format!("/orders/{repeated}")]),
            );
        }
    };
    (method, target.to_owned())
}

/// Returns a description of a token, and the token, or `None` for a request without one.
#[allow(
    clippy::too_many_lines,
    reason = "one line for each kind of token, and nothing else"
)]
fn token(chance: &mut Chance, lab: &Lab, own: Option<&str>) -> (String, Option<String>) {
    let good = good(chance);
    if chance.percent(70) {
        return (format!("good {good}"), Some(lab.token_with(good)));
    }
    let signed = |changes: Value| {
        let mut claims = good.clone();
        claims
            .as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        (changes.to_string(), Some(lab.token_with(claims)))
    };
    let header = lab.idp.signer().header();
    let typed = |header: Value| {
        let claims = lab.claims(good.clone()).to_string();
        (
            header.to_string(),
            Some(lab.idp.signer().sign_bytes(&header, claims.as_bytes())),
        )
    };
    let with = |name: &str, value: Value| {
        crate::explain::support::signer::with(header.clone(), json!({name: value}))
    };
    let other = Signer::es256();
    match chance.below(27) {
        0 => ("no token".to_owned(), None),
        1 => (
            "garbage".to_owned(),
            Some("not.a.token-of-anybody".to_owned()),
        ),
        2 => signed(json!({"exp": NOW - chance.of(&[0, 1, 600])})),
        3 => signed(json!({"nbf": NOW + chance.of(&[29, 31, 600])})),
        4 => signed(json!({"exp": NOW + 100_000})),
        5 => signed(json!({"exp": chance.of(&[json!("soon"), json!(null), json!(1.5)])})),
        6 => signed(
            json!({"aud": chance.of(&[json!("elsewhere"), json!(null), json!(["x", "desktop"]), json!(7)])}),
        ),
        7 => signed(json!({"sub": chance.of(&["", "web", "münchen", "a\u{7}b"])})),
        8 => signed(json!({"cnf": {"jkt": "x"}})),
        9 => signed(json!({"typ": chance.of(&["Refresh", "ID", "Bearer"])})),
        10 => signed(json!({"acr": chance.of(&["loa1", "loa2"])})),
        11 => signed(json!({"act": act(chance.below(10))})),
        12 => signed(json!({"act": "nobody"})),
        13 => signed(
            json!({"may_act": chance.of(&[json!({"sub": "obo-gateway"}), json!({"sub": "gateway-app"}), json!({"sub": "x"}), json!(1)])}),
        ),
        14 => signed(json!({"scope": chance.of(&["a\tb", "", "read  write"]), "scp": 7})),
        15 => signed(json!({"realm": {"roles": [7]}})),
        16 => signed(json!({"iss": chance.of(&["https://elsewhere.test", GATEWAY_ISSUER, ""])})),
        17 => typed(with(
            "typ",
            chance.of(&[
                json!("JWT"),
                json!(null),
                json!("application/at+JWT"),
                json!("logout+jwt"),
            ]),
        )),
        18 => typed(with(
            "alg",
            chance.of(&[json!("RS256"), json!("none"), json!("HS256")]),
        )),
        19 => typed(with(chance.of(&["crit", "zip", "b64"]), json!(["x"]))),
        20 => (
            "unknown key".to_owned(),
            Some(other.sign(&lab.claims(good))),
        ),
        21 => {
            let claims = lab.claims(good).to_string();
            (
                "another's key".to_owned(),
                Some(other.sign_bytes(&header, claims.as_bytes())),
            )
        }
        22 => (
            "long".to_owned(),
            Some(lab.token_with(
                json!({"scope": "read", "long": "x".repeat(chance.of(&[900, 20_000]))}),
            )),
        ),
        _ => match own {
            Some(own) => ("the gateway's own".to_owned(), Some(own.to_owned())),
            None => ("no token".to_owned(), None),
        },
    }
}

/// Returns the claims of a token that some route accepts.
fn good(chance: &mut Chance) -> Value {
    let scopes = chance.some(&SCOPES, 0);
    json!({
        "scope": scopes.join(" "), "scp": scopes, "oid": "7-alice", "name": "Alice",
        "client_id": chance.of(&[json!("web"), json!("phone"), json!(null)]),
        "azp": chance.of(&[json!("web"), json!("tablet")]),
        "realm": {"roles": chance.some(&["clerk", "boss", "guest"], 0)},
        "exp": NOW + chance.of(&[5, 45, 600]),
    })
}

fn act(depth: usize) -> Value {
    (0..depth).fold(json!({"sub": "first"}), |act, level| {
        json!({"sub": format!("actor-{level}"), "iss": "https://elsewhere.test", "act": act})
    })
}
