//! Tokens that are revoked: by their own client, by an operator, or because they were used twice; and Microsoft Entra
//! on-behalf-of requests.

use crate::e2e::support::{Answer, Ask, Client, Lab, Setup};
use futures_util::future::join_all;
use serde_json::{Value, json};

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const SECRET: &str = "sixteen bytes or more";

const CLIENTS: &str = r"
clients:
  - id: portal
    authentication: { method: client_secret_post, secret: { file: secret } }
    grants: [token_exchange, refresh_token, entra_obo]
    audiences: [orders-api, portal]
    scope: { allow: [openid, offline_access, orders.read] }
  - id: other
    authentication: { method: client_secret_post, secret: { file: secret } }
    grants: [token_exchange]
    audiences: [orders-api]
    scope: { allow: [orders.read] }
    introspects: [orders-api]
";
const STORE: &str = "store: { embedded: { path: store } }\n";

struct Service(Lab);

impl Service {
    async fn start() -> Self {
        Self::of(&format!("{CLIENTS}{STORE}")).await
    }

    async fn of(sections: &str) -> Self {
        let setup = Setup {
            sections: sections.to_owned(),
            service: ", opaque_keys: [ { file: opaque.key, generate: true } ]".to_owned(),
            files: vec![("secret", SECRET.to_owned())],
            ..Setup::default()
        };
        Self(Lab::with(setup).await)
    }

    fn user(&self) -> String {
        self.0
            .token_with(json!({"scope": "openid offline_access orders.read"}))
    }

    async fn post(&self, path: &str, client: &str, form: &[(&str, &str)]) -> Answer {
        let body: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", client)
            .append_pair("client_secret", SECRET)
            .extend_pairs(form)
            .finish();
        let form = "application/x-www-form-urlencoded";
        self.0
            .ask(Ask::post(path, body).field("Content-Type", form))
            .await
    }

    async fn exchange(&self, requested: &str) -> Value {
        let user = self.user();
        let form = [
            ("grant_type", EXCHANGE),
            ("subject_token", user.as_str()),
            ("subject_token_type", ACCESS_TOKEN),
            ("audience", "orders-api"),
            ("requested_token_type", requested),
        ];
        let answer = self.post("/oauth/v2/token", "portal", &form).await;
        assert_eq!(answer.status(), 200, "{}", answer.json());
        answer.json()
    }

    async fn refresh(&self, token: &str) -> Answer {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.post("/oauth/v2/token", "portal", &form).await
    }

    async fn revoke(&self, client: &str, form: &[(&str, &str)]) -> Answer {
        self.post("/oauth/v2/revoke", client, form).await
    }

    async fn is_active(&self, token: &str) -> bool {
        let form = [("token", token)];
        let answer = self.post("/oauth/v2/introspect", "other", &form).await;
        assert_eq!(answer.status(), 200);
        answer.json()["active"] == true
    }

    async fn on_behalf_of(&self, assertion: &str, scope: &str) -> Answer {
        let form = [
            ("grant_type", JWT_BEARER),
            ("requested_token_use", "on_behalf_of"),
            ("assertion", assertion),
            ("scope", scope),
        ];
        self.post("/oauth/v2/token", "portal", &form).await
    }
}

#[track_caller]
fn member(answer: &Value, name: &str) -> String {
    answer[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name}: {answer}"))
        .to_owned()
}

#[tokio::test]
async fn a_client_ends_its_own_token_whatever_the_hint() {
    let service = Service::start().await;
    for requested in [JWT, ACCESS_TOKEN] {
        let token = member(&service.exchange(requested).await, "access_token");
        assert!(service.is_active(&token).await);
        let form = [
            ("token", token.as_str()),
            ("token_type_hint", "refresh_token"),
        ];
        let answer = service.revoke("portal", &form).await;
        assert_eq!((answer.status(), answer.body.len()), (200, 0));
        assert!(!service.is_active(&token).await, "{requested}");
    }
    assert!(service.0.audit().contains(r#""event":"token_revoked""#));
}

#[tokio::test]
async fn another_clients_token_stays_and_an_unknown_one_is_worth_nothing_already() {
    let service = Service::start().await;
    let issued = service.exchange(JWT).await;
    let token = member(&issued, "access_token");
    for (name, token) in [
        ("access", &token),
        ("refresh", &member(&issued, "refresh_token")),
    ] {
        let answer = service.revoke("other", &[("token", token)]).await;
        assert_eq!(
            (answer.status(), answer.error()),
            (400, "invalid_request".to_owned()),
            "{name}"
        );
    }
    assert!(service.is_active(&token).await);
    assert_eq!(
        service
            .revoke("portal", &[("token", "never heard of")])
            .await
            .status(),
        200
    );
    let id_token = member(&service.exchange(ID_TOKEN).await, "access_token");
    let answer = service.revoke("portal", &[("token", &id_token)]).await;
    assert_eq!(answer.error(), "unsupported_token_type");
}

#[tokio::test]
async fn a_revoked_refresh_token_ends_all_that_came_of_it() {
    let service = Service::start().await;
    let first = service.exchange(JWT).await;
    let second = service
        .refresh(&member(&first, "refresh_token"))
        .await
        .json();
    let tokens = [&first, &second].map(|answer| member(answer, "access_token"));
    let newest = member(&second, "refresh_token");
    assert_eq!(
        service
            .revoke("portal", &[("token", &newest)])
            .await
            .status(),
        200
    );
    for token in &tokens {
        assert!(!service.is_active(token).await);
    }
    assert_eq!(service.refresh(&newest).await.error(), "invalid_grant");
}

#[tokio::test]
async fn a_token_that_many_use_at_once_refreshes_once_at_most_and_ends_its_family() {
    let service = Service::start().await;
    let first = service.exchange(JWT).await;
    let token = member(&first, "refresh_token");
    let answers = join_all((0..10).map(|_| service.refresh(&token))).await;
    let granted: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status() == 200)
        .collect();
    assert!(granted.len() <= 1, "{}", granted.len());
    for answer in answers.iter().filter(|answer| answer.status() != 200) {
        assert_eq!(
            (answer.status(), answer.error()),
            (400, "invalid_grant".to_owned())
        );
    }
    for answer in granted {
        assert!(
            !service
                .is_active(&member(&answer.json(), "access_token"))
                .await
        );
    }
    assert!(!service.is_active(&member(&first, "access_token")).await);
}

#[tokio::test]
async fn what_an_operator_revokes_ends_what_was_issued_and_what_would_be() {
    let service = Service::start().await;
    let issued = service.exchange(JWT).await;
    let lab = &service.0;
    let admin = lab.gateway.admin_address();
    let asked = json!({"subject": {"issuer": lab.idp.issuer(), "sub": "alice"}});
    let ask = Ask::post("/revocations", asked.to_string())
        .host(&admin.to_string())
        .field("Content-Type", "application/json");
    let answer = Client::connect(admin).await.ask(&ask).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(!service.is_active(&member(&issued, "access_token")).await);
    let refreshed = service.refresh(&member(&issued, "refresh_token")).await;
    assert_eq!(refreshed.error(), "invalid_grant");
    let user = service.user();
    let form = [
        ("grant_type", EXCHANGE),
        ("subject_token", user.as_str()),
        ("subject_token_type", ACCESS_TOKEN),
    ];
    let answer = service.post("/oauth/v2/token", "portal", &form).await;
    assert_eq!(answer.error(), "invalid_request");
}

#[tokio::test]
async fn without_a_store_tokens_are_exchanged_and_neither_refreshed_nor_revoked() {
    let clients = r"
clients:
  - id: portal
    authentication: { method: client_secret_post, secret: { file: secret } }
    grants: [token_exchange, entra_obo]
    audiences: [orders-api, portal]
    scope: { allow: [openid, orders.read] }
";
    let service = Service::of(clients).await;
    let issued = service.exchange(JWT).await;
    assert!(issued.get("refresh_token").is_none());
    assert_eq!(issued["scope"], "openid orders.read");
    let token = member(&issued, "access_token");
    let answer = service.revoke("portal", &[("token", &token)]).await;
    assert_eq!(
        (answer.status(), answer.error()),
        (503, "temporarily_unavailable".to_owned())
    );
    assert!(answer.field("retry-after").is_some());
    assert_eq!(
        service.refresh("oborf_x").await.error(),
        "unauthorized_client"
    );
    let metadata = service
        .0
        .ask(Ask::get("/.well-known/openid-configuration"))
        .await
        .json();
    assert!(metadata.get("revocation_endpoint").is_none());
    assert_eq!(
        metadata["grant_types_supported"],
        json!([EXCHANGE, JWT_BEARER])
    );
}

#[tokio::test]
async fn on_behalf_of_gives_what_is_allowed_in_the_words_it_was_asked_in() {
    let service = Service::start().await;
    let scope = "api://orders-api/.default openid profile offline_access";
    let answer = service.on_behalf_of(&service.user(), scope).await.json();
    let told: Vec<&str> = answer["scope"].as_str().unwrap().split(' ').collect();
    assert!(told.contains(&"api://orders-api/orders.read"), "{told:?}");
    assert!(told.contains(&"api://orders-api/.default"), "{told:?}");
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["ext_expires_in"], answer["expires_in"]);
    assert!(answer["expires_in"].as_u64().unwrap() > 0);
    assert!(answer.get("issued_token_type").is_none());
    assert_eq!(member(&answer, "access_token").matches('.').count(), 2);
    member(&answer, "id_token");

    let refresh = member(&answer, "refresh_token");
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.as_str()),
        ("scope", scope),
    ];
    let refreshed = service.post("/oauth/v2/token", "portal", &form).await;
    assert_eq!(
        refreshed.json()["scope"],
        answer["scope"],
        "{}",
        refreshed.json()
    );
}

#[tokio::test]
async fn on_behalf_of_refuses_in_its_own_form() {
    let service = Service::start().await;
    let lab = &service.0;
    let (user, scope) = (service.user(), "orders-api/.default");
    let of = |changes: Value| lab.token_with(changes);
    for (assertion, scope, error, number) in [
        (
            of(json!({"exp": lab.now() - 1})),
            scope,
            "invalid_grant",
            500_133,
        ),
        (of(json!({"sub": "web"})), scope, "invalid_grant", 7_000_114),
        (
            of(json!({"aud": "elsewhere"})),
            scope,
            "invalid_grant",
            500_131,
        ),
        (user.clone(), "payroll/.default", "invalid_target", 500_011),
        (
            user.clone(),
            "orders-api/orders.write",
            "invalid_scope",
            70_011,
        ),
        (
            user.clone(),
            "orders-api/a portal/b",
            "invalid_scope",
            70_011,
        ),
        (user.clone(), "openid", "invalid_scope", 70_011),
    ] {
        let answer = service.on_behalf_of(&assertion, scope).await;
        let body = answer.json();
        assert_eq!(
            (answer.status(), answer.error()),
            (400, error.to_owned()),
            "{body}"
        );
        assert_eq!(body["error_codes"], json!([number]), "{body}");
        for member in [
            "error_description",
            "timestamp",
            "trace_id",
            "correlation_id",
        ] {
            assert!(body[member].is_string(), "{member}");
        }
    }
}
