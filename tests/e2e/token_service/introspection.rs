//! Introspection of the tokens that an API gets, opaque or signed.

use super::FORM;
use crate::e2e::support::{Answer, Ask, Client, Lab, Setup, encoded, lab::GATEWAY_ISSUER};
use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::{DecodingKey, Validation, jwk::JwkSet};
use serde_json::{Value, json};
use std::fs;

const PATH: &str = "/oauth/v2/introspect";
const SIGNED: &str = "application/token-introspection+jwt";
const SECRET: &str = "a secret of the orders API, long enough";
/// `signing_keys` and `opaque_keys`, as every lab has them at first.
const KEYS: &str = ", opaque_keys: [ { file: opaque.key, generate: true } ]";

/// An API that gets opaque tokens, an API that gets signed ones, and the clients that may introspect them.
const ROUTES: &str = r"
  - name: orders
    match: { prefix: /orders }
    upstream: { targets: [ { url: ORIGIN } ] }
    exchange:
      audience: orders-api
      scope: { allow: [orders.read] }
      token: { format: opaque }
  - name: signed
    match: { prefix: /signed }
    upstream: { targets: [ { url: ORIGIN } ] }
    exchange:
      audience: orders-api
      scope: { allow: [orders.read] }
  - name: other
    match: { prefix: /other }
    upstream: { targets: [ { url: ORIGIN } ] }
    exchange: { audience: other-api, scope: { allow: [orders.read] } }
";
const CLIENTS: &str = r"
clients:
  - id: orders-api
    authentication: { method: client_secret_basic, secret: { file: secret } }
    introspects: [orders-api]
  - id: other-api
    authentication: { method: client_secret_basic, secret: { file: secret } }
    introspects: [other-api]
store: { embedded: { path: store } }
";

async fn lab() -> Lab {
    with(KEYS, Vec::new()).await
}

/// Starts the lab with these keys of the token service and these files.
async fn with(keys: &str, mut files: Vec<(&'static str, String)>) -> Lab {
    files.push(("secret", SECRET.to_owned()));
    Lab::with(Setup {
        routes: ROUTES.to_owned(),
        service: keys.to_owned(),
        sections: CLIENTS.to_owned(),
        files,
        ..Setup::default()
    })
    .await
}

impl Lab {
    /// Returns the token that the API of `path` gets.
    async fn handed_to(&self, path: &str) -> String {
        self.origin.forget();
        let answer = self.ask(Ask::get(path).bearer(&self.token())).await;
        assert_eq!(answer.status(), 200);
        self.origin.request().bearer().unwrap().to_owned()
    }

    async fn introspect(&self, client: &str, token: &str, accept: &str) -> Answer {
        let credentials = STANDARD.encode(format!("{client}:{}", encoded(SECRET)));
        let ask = Ask::post(PATH, format!("token={token}"))
            .field("Content-Type", FORM)
            .field("Accept", accept)
            .field("Authorization", &format!("Basic {credentials}"));
        self.ask(ask).await
    }

    async fn told_of(&self, token: &str) -> Value {
        let answer = self
            .introspect("orders-api", token, "application/json")
            .await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.field("cache-control"), Some("no-store"));
        answer.json()
    }
}

fn not_active() -> Value {
    json!({"active": false})
}

#[tokio::test]
async fn a_downstream_learns_by_introspection_what_its_opaque_token_is_for_and_nothing_else() {
    let lab = lab().await;
    for path in ["/orders/1", "/signed/1"] {
        let mut told = lab.told_of(&lab.handed_to(path).await).await;
        let members = told.as_object_mut().unwrap();
        let mut take = |name: &str| members.remove(name).unwrap();
        let (exp, iat) = (take("exp").as_i64().unwrap(), take("iat").as_i64().unwrap());
        assert!((1..=300).contains(&(exp - iat)), "{path}");
        assert_eq!(take("nbf"), iat);
        assert!(take("jti").as_str().unwrap().starts_with("s."));
        assert_eq!(
            told,
            json!({
                "active": true, "token_type": "Bearer", "iss": GATEWAY_ISSUER, "sub": "alice",
                "client_id": "web", "scope": "orders.read", "aud": ["orders-api"],
                "act": {"iss": GATEWAY_ISSUER, "sub": "obo-gateway"},
            }),
            "{path}"
        );
    }
}

#[tokio::test]
async fn another_api_and_the_user_s_own_token_get_nothing() {
    let lab = lab().await;
    let token = lab.handed_to("/orders/1").await;
    let other = lab.introspect("other-api", &token, "*/*").await;
    assert_eq!((other.status(), other.json()), (200, not_active()));
    assert_eq!(lab.told_of(&lab.token()).await, not_active());
    assert_eq!(lab.told_of("x").await, not_active());
}

#[tokio::test]
async fn nobody_asks_without_proving_who_it_is_and_without_a_token() {
    let lab = lab().await;
    let token = lab.handed_to("/orders/1").await;
    let form = |body: String| Ask::post(PATH, body).field("Content-Type", FORM);
    let anonymous = lab.ask(form(format!("token={token}"))).await;
    assert_eq!(anonymous.status(), 401);
    let body = format!("token={token}&client_id=orders-api");
    assert_eq!(lab.ask(form(body)).await.status(), 401);
    let nothing = lab.introspect("orders-api", "", "*/*").await;
    assert_eq!(
        (nothing.status(), nothing.error().as_str()),
        (400, "invalid_request")
    );
    assert_eq!(lab.ask(Ask::get(PATH)).await.status(), 405);
}

#[tokio::test]
async fn a_signed_answer_verifies_with_the_published_keys() {
    let lab = lab().await;
    let token = lab.handed_to("/orders/1").await;
    let answer = lab.introspect("orders-api", &token, SIGNED).await;
    assert_eq!(answer.field("content-type"), Some(SIGNED));
    let text = String::from_utf8(answer.body.clone()).unwrap();
    let header = jsonwebtoken::decode_header(&text).unwrap();
    assert_eq!(header.typ.as_deref(), Some("token-introspection+jwt"));
    let published = lab.ask(Ask::get("/oauth/v2/keys")).await;
    let keys: JwkSet = serde_json::from_slice(&published.body).unwrap();
    let key = keys.find(&header.kid.unwrap()).unwrap();
    let mut rules = Validation::new(header.alg);
    rules.set_issuer(&[GATEWAY_ISSUER]);
    rules.set_audience(&["orders-api"]);
    rules.set_required_spec_claims(&["iss", "aud"]);
    rules.validate_exp = false;
    let key = DecodingKey::from_jwk(key).unwrap();
    let signed = jsonwebtoken::decode::<Value>(&text, &key, &rules).unwrap();
    let told = lab.told_of(&token).await;
    assert_eq!(signed.claims["token_introspection"], told);
}

#[tokio::test]
async fn what_ends_the_user_s_token_ends_what_the_downstream_has() {
    let lab = lab().await;
    let (opaque, signed) = (
        lab.handed_to("/orders/1").await,
        lab.handed_to("/signed/1").await,
    );
    let subject = json!({"subject": {"issuer": lab.idp.issuer(), "sub": "alice"}});
    let admin = lab.gateway.admin_address();
    let ask = Ask::post("/revocations", subject.to_string())
        .host(&admin.to_string())
        .field("Content-Type", "application/json");
    let mut client = Client::connect(admin).await;
    let revoked = client.ask(&ask).await.unwrap().status();
    assert!((200..300).contains(&revoked), "{revoked}");
    for token in [opaque, signed] {
        assert_eq!(lab.told_of(&token).await, not_active());
    }
}

#[tokio::test]
async fn a_replica_with_the_same_keys_knows_the_tokens_of_the_other() {
    let first = lab().await;
    let (opaque, signed) = (
        first.handed_to("/orders/1").await,
        first.handed_to("/signed/1").await,
    );
    let file = |name: &str| fs::read_to_string(first.file(name)).unwrap();
    let files = vec![
        ("signing.pem", file("signing.pem")),
        ("opaque.key", file("opaque.key")),
    ];
    let second = with(KEYS, files).await;
    for token in [&opaque, &signed] {
        assert_eq!(second.told_of(token).await, first.told_of(token).await);
        assert_eq!(second.told_of(token).await["active"], true);
    }
    let stranger = lab().await;
    for token in [&opaque, &signed] {
        assert_eq!(stranger.told_of(token).await, not_active());
    }
}

#[tokio::test]
async fn a_new_key_seals_and_the_old_one_opens_until_it_is_gone() {
    let before = lab().await;
    let old = before.handed_to("/orders/1").await;
    let file = |name: &str| fs::read_to_string(before.file(name)).unwrap();
    let (signing, sealing) = (file("signing.pem"), file("opaque.key"));
    let files = || {
        vec![
            ("signing.pem", signing.clone()),
            ("old.key", sealing.clone()),
        ]
    };

    let keys = ", opaque_keys: [ { file: new.key, generate: true }, { file: old.key } ]";
    let rotated = with(keys, files()).await;
    assert_eq!(rotated.told_of(&old).await["active"], true);
    let new = rotated.handed_to("/orders/1").await;
    assert_eq!(rotated.told_of(&new).await["active"], true);
    assert_eq!(before.told_of(&new).await, not_active());

    let keys = ", opaque_keys: [ { file: new.key, generate: true } ]";
    let gone = with(keys, files()).await;
    assert_eq!(gone.told_of(&old).await, not_active());
}
