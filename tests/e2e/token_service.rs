//! The token service on real sockets: client authentication and the form of requests.

mod certificates;
mod client;
mod details;
mod exchanging;
mod form;
mod introspection;
mod limits;
mod metadata;
mod records;
mod revoking;
mod scopes;
mod several;
mod tokens;

use crate::e2e::support::{Answer, Ask, Lab, Setup, Signer, lab::GATEWAY_ISSUER, with_changes};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

const PATH: &str = "/oauth/v2/token";
const FORM: &str = "application/x-www-form-urlencoded";
const SECRET: &str = "a+secret%of sixteen bytes:or more";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// One client for each authentication method.
const CLIENTS: &str = r"
clients:
  - id: web@portal
    authentication: { method: client_secret_basic, secret: { file: secret } }
    audiences: [orders-api]
    scope: { allow: [orders.read, openid] }
  - id: post
    authentication: { method: client_secret_post, secret: { file: secret } }
    audiences: [orders-api]
    scope: { allow: [orders.read] }
  - id: signs
    authentication: { method: private_key_jwt, jwks_file: signs.jwks }
    audiences: [orders-api]
    scope: { allow: [orders.read] }
  - id: public
    authentication: { method: none }
    audiences: [orders-api]
    scope: { allow: [orders.read] }
  - id: proxy-only
    audiences: [orders-api]
    scope: { allow: [orders.read] }
";

struct Service {
    lab: Lab,
    signer: Signer,
}

impl Service {
    async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    async fn with(setup: Setup) -> Self {
        let signer = Signer::es256();
        let sections = format!("{CLIENTS}{}", setup.sections);
        let files = vec![
            ("secret", SECRET.to_owned()),
            ("signs.jwks", json!({"keys": [signer.jwk()]}).to_string()),
        ];
        let lab = Lab::with(Setup {
            sections,
            files,
            ..setup
        })
        .await;
        Self { lab, signer }
    }

    /// Returns an assertion of the client that signs, with some claims replaced; null removes one.
    fn assertion(&self, changes: Value) -> String {
        let now = self.lab.now();
        let claims = json!({
            "iss": "signs", "sub": "signs", "aud": GATEWAY_ISSUER, "iat": now, "exp": now + 60, "jti": "1",
        });
        let claims = with_changes(claims, &changes);
        let header = json!({"alg": "ES256", "kid": self.signer.kid(), "typ": "JWT"});
        self.signer
            .sign_bytes(&header, claims.to_string().as_bytes())
    }

    async fn present(&self, assertion: &str) -> Answer {
        let form = [
            ("client_assertion", assertion),
            ("client_assertion_type", ASSERTION_TYPE),
        ];
        self.lab.ask(post(&form)).await
    }
}

/// Returns a request for a grant that is never offered. Only an authenticated client gets `unsupported_grant_type`.
fn post(form: &[(&str, &str)]) -> Ask {
    let body: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "password")
        .extend_pairs(form)
        .finish();
    Ask::post(PATH, body).field("Content-Type", FORM)
}

/// Returns such a request with an Authorization field that contains `credentials` unchanged.
fn basic(credentials: &str, form: &[(&str, &str)]) -> Ask {
    let encoded = STANDARD.encode(credentials);
    post(form).field("Authorization", &format!("Basic {encoded}"))
}

/// Returns status and code. Asserts that the response is not cacheable and repeats nothing of the request.
#[track_caller]
fn told(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    assert_eq!(answer.field("pragma"), Some("no-cache"));
    assert_eq!(answer.field("content-type"), Some("application/json"));
    assert!(answer.field("x-request-id").is_some());
    assert!(answer.field("access-control-allow-origin").is_none());
    let body = String::from_utf8_lossy(&answer.body);
    assert!(body.len() < 1_024 && !body.contains(SECRET), "{body}");
    (answer.status(), answer.error())
}

#[track_caller]
fn assert_authenticated(answer: &Answer) {
    assert_eq!(told(answer), (400, "unsupported_grant_type".to_owned()));
}

#[track_caller]
fn assert_stranger(answer: &Answer) {
    assert_eq!(told(answer), (401, "invalid_client".to_owned()));
    assert!(answer.challenge().is_none());
}

#[track_caller]
fn assert_invalid(answer: &Answer) {
    assert_eq!(told(answer), (400, "invalid_request".to_owned()));
}
