//! A client revokes tokens that a trusted issuer issued to it, with everything that was derived from them (RFC 7009).

use super::exchanging::{ACCESS_TOKEN, Exchanging, ID_TOKEN, JWT, member};
use crate::e2e::support::{Signer, provider::Health};
use obo_gateway::clock::{Clock, ManualClock, SystemClock};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

const CLIENTS: &str = r"
clients:
  - id: web
    authentication: { method: client_secret_post, secret: { file: secret } }
    grants: [token_exchange, refresh_token]
    audiences: [orders-api]
    scope: { allow: [openid, offline_access, orders.read] }
    introspects: [orders-api]
  - id: other
    authentication: { method: client_secret_post, secret: { file: secret } }
    grants: [token_exchange]
    audiences: [orders-api]
    scope: { allow: [orders.read] }
    subjects_of: any
store: { embedded: { path: store } }
";

async fn start() -> Exchanging {
    Exchanging::with(CLIENTS).await
}

impl Exchanging {
    /// Returns a token that a route accepts, and that can be exchanged for an access token and a refresh token.
    fn users(&self, changes: Value) -> String {
        let mut claims = json!({"scope": "openid offline_access orders.read"});
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.lab.token_with(claims)
    }

    async fn revoked_by(&self, client: &str, token: &str) -> (u16, String) {
        let answer = self
            .post("/oauth/v2/revoke", client, &[("token", token)])
            .await;
        let error = if answer.body.is_empty() {
            String::new()
        } else {
            answer.error()
        };
        (answer.status(), error)
    }

    /// Returns `true` if a route and the token endpoint still accept the token. Asserts that both decide alike.
    async fn serves(&self, token: &str) -> bool {
        let routed = self.lab.present(token).await.status();
        let form = [
            ("subject_token", token),
            ("subject_token_type", ACCESS_TOKEN),
            ("audience", "orders-api"),
            ("scope", "orders.read"),
        ];
        let exchanged = self.exchange("other", &form).await.status();
        match (routed, exchanged) {
            (200, 200) => true,
            (401, 400) => false,
            other => panic!("{other:?}"),
        }
    }

    fn revocations(&self) -> usize {
        self.lab
            .audit()
            .matches(r#""event":"token_revoked""#)
            .count()
    }
}

fn done() -> (u16, String) {
    (200, String::new())
}

#[tokio::test]
async fn what_its_client_revokes_opens_nothing_any_more_and_nothing_that_was_made_of_it() {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let service = Exchanging::at(CLIENTS, Arc::clone(&clock) as _).await;
    let token = service.users(json!({"exp": service.lab.now() + 60}));
    let form = [
        ("subject_token", token.as_str()),
        ("subject_token_type", ACCESS_TOKEN),
        ("audience", "orders-api"),
    ];
    let issued = service.exchange("web", &form).await.json();
    // cached by the route
    assert_eq!(service.lab.present(&token).await.status(), 200);
    assert!(service.serves(&token).await);
    let opaque = member(&issued, "access_token");
    assert!(service.is_active("web", &opaque).await);

    assert_eq!(service.revoked_by("web", &token).await, done());
    assert!(!service.serves(&token).await);
    assert!(!service.is_active("web", &opaque).await);
    let audit = service.lab.audit();
    let line = audit
        .lines()
        .find(|line| line.contains(r#""event":"token_revoked""#))
        .expect("no event");
    let event: Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        (&event["revoked"], &event["subject"], &event["client_id"]),
        (&json!("token"), &json!("alice"), &json!("web"))
    );
    // the family outlives the token that it started with, and so does its revocation
    let refresh = member(&issued, "refresh_token");
    for _ in 0..2 {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.as_str()),
        ];
        let answer = service.post("/oauth/v2/token", "web", &form).await;
        assert_eq!(answer.error(), "invalid_grant");
        clock.advance(Duration::from_secs(3_600));
    }
    // again, and after its expiry: the token is already not valid
    assert_eq!(service.revoked_by("web", &token).await, done());
}

#[tokio::test]
async fn another_token_of_the_same_user_stays() {
    let service = start().await;
    let kept = service.users(json!({}));
    for changes in [json!({}), json!({"jti": null}), json!({"jti": ""})] {
        let token = service.users(changes.clone());
        assert_eq!(service.lab.present(&token).await.status(), 200);
        assert_eq!(service.revoked_by("web", &token).await, done(), "{changes}");
        assert!(!service.serves(&token).await, "{changes}");
    }
    let without = service.users(json!({"jti": null, "exp": service.lab.now() + 300}));
    assert!(service.serves(&without).await);
    assert!(service.serves(&kept).await);
}

#[tokio::test]
async fn a_token_that_was_issued_to_somebody_else_is_refused_and_stays() {
    let service = start().await;
    let refused = (400, "invalid_request".to_owned());
    for changes in [
        json!({"client_id": "other"}),
        json!({"client_id": "WEB"}),
        json!({"client_id": null}),
        json!({"client_id": null, "aud": ["portal", "web"]}),
        json!({"client_id": "other", "azp": "web"}),
    ] {
        let token = service.users(changes.clone());
        assert_eq!(
            service.revoked_by("web", &token).await,
            refused,
            "{changes}"
        );
        assert_eq!(service.lab.present(&token).await.status(), 200, "{changes}");
    }
    assert_eq!(service.revocations(), 0);
}

#[tokio::test]
async fn what_no_issuer_signed_or_has_ended_has_no_effect() {
    let service = start().await;
    let (lab, stranger) = (&service.lab, Signer::es256());
    let claims = lab.claims(json!({"jti": "t-1"}));
    let genuine = lab.idp.signer().sign(&claims);
    let named = |kid: &str| json!({"typ": "at+jwt", "alg": "ES256", "kid": kid});
    let text = claims.to_string();
    let forged = stranger.sign_bytes(&named(lab.idp.signer().kid()), text.as_bytes());
    let (payload, signature) = genuine.rsplit_once('.').unwrap();
    let cut = format!("{payload}.{}", &signature[..signature.len() - 8]);
    for (what, token) in [
        ("signed by another key of that name", forged),
        ("signed by an unknown key", stranger.sign(&claims)),
        ("cut", cut),
        ("without signature", format!("{payload}.")),
        ("expired", lab.token_with(json!({"exp": lab.now() - 1}))),
        ("without an end", lab.token_with(json!({"exp": null}))),
        (
            "of another issuer",
            lab.token_with(json!({"iss": "https://elsewhere.example"})),
        ),
        (
            "of the gateway, as it says",
            lab.token_with(json!({"iss": "https://gateway.example.com"})),
        ),
        ("no token", "a.b.c".to_owned()),
    ] {
        assert_eq!(service.revoked_by("web", &token).await, done(), "{what}");
    }
    assert!(service.serves(&genuine).await);
    assert_eq!(service.revocations(), 0);
}

#[tokio::test]
async fn the_client_is_found_where_the_issuer_names_it() {
    for (issuer, changes) in [
        ("", json!({"client_id": null, "azp": "web"})),
        ("", json!({"client_id": null, "cid": "web"})),
        ("", json!({"client_id": null, "appid": "web"})),
        (
            ", client_claim: app.id",
            json!({"client_id": "other", "app": {"id": "web"}}),
        ),
    ] {
        let service = Exchanging::of_issuer(CLIENTS, issuer).await;
        let token = service.users(changes.clone());
        assert_eq!(service.lab.present(&token).await.status(), 200, "{changes}");
        assert_eq!(service.revoked_by("web", &token).await, done(), "{changes}");
        assert!(!service.serves(&token).await, "{changes}");
    }
}

#[tokio::test]
async fn an_id_token_can_be_revoked_by_the_client_that_it_is_for() {
    let service = start().await;
    let id_token = |changes: Value| {
        let mut claims = json!({
            "aud": "web", "client_id": null, "scope": null, "nonce": "n", "jti": null,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let claims = service.lab.claims(claims);
        let signer = service.lab.idp.signer();
        let header = json!({"typ": "JWT", "alg": "ES256", "kid": signer.kid()});
        signer.sign_bytes(&header, claims.to_string().as_bytes())
    };
    for token in [
        id_token(json!({})),
        id_token(json!({"aud": ["web", "portal"], "azp": "web"})),
    ] {
        let form = [
            ("subject_token", token.as_str()),
            ("subject_token_type", ID_TOKEN),
            ("audience", "orders-api"),
            ("scope", "openid"),
            ("requested_token_type", JWT),
        ];
        let before = service.exchange("web", &form).await;
        assert_eq!(before.status(), 200, "{}", before.json());
        assert_eq!(
            service.revoked_by("other", &token).await,
            (400, "invalid_request".to_owned())
        );
        assert_eq!(service.revoked_by("web", &token).await, done());
        assert_eq!(
            service.exchange("web", &form).await.error(),
            "invalid_request"
        );
    }
}

#[tokio::test]
async fn while_the_keys_cannot_be_had_nothing_is_answered_as_done() {
    let service = start().await;
    let successor = Signer::es256();
    service.lab.idp.turn(Health::Failing);
    let token = successor.sign(&service.lab.claims(json!({})));
    let (status, error) = service.revoked_by("web", &token).await;
    assert_eq!((status, error.as_str()), (503, "temporarily_unavailable"));
    assert_eq!(service.revocations(), 0);
}

#[tokio::test]
async fn without_a_store_nothing_is_answered_as_done() {
    let clients = r"
clients:
  - id: web
    authentication: { method: client_secret_post, secret: { file: secret } }
    grants: [token_exchange]
    audiences: [orders-api]
    scope: { allow: [orders.read] }
";
    let service = Exchanging::with(clients).await;
    let token = service.users(json!({}));
    let (status, error) = service.revoked_by("web", &token).await;
    assert_eq!((status, error.as_str()), (503, "temporarily_unavailable"));
    assert_eq!(service.lab.present(&token).await.status(), 200);
}
