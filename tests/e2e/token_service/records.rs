//! Log lines and audit events of the token service: the client, the revoked tokens, and the subject of a refusal.

use super::exchanging::{ACCESS_TOKEN, Exchanging, ID_TOKEN, member};
use crate::e2e::support::{Ask, Client, process::program, until};
use serde_json::{Value, json};
use std::fs;

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
    audiences: [orders-api]
    scope: { allow: [orders.read] }
store: { embedded: { path: store } }
";

async fn start() -> Exchanging {
    Exchanging::with(CLIENTS).await
}

impl Exchanging {
    /// Waits until the access log has `number` lines, and returns them.
    async fn access_lines(&self, number: usize) -> Vec<Value> {
        let text = || fs::read_to_string(self.lab.file("access.jsonl")).unwrap_or_default();
        let what = format!("{number} lines are written");
        until(&what, || text().lines().count() >= number).await;
        let text = text();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect()
    }

    fn events(&self, name: &str) -> Vec<Value> {
        let text = self.lab.audit();
        let events = text.lines().map(|line| serde_json::from_str(line).unwrap());
        events
            .filter(|event: &Value| event["event"] == name)
            .collect()
    }

    async fn listed(&self) -> Vec<Value> {
        let admin = self.lab.gateway.admin_address();
        let ask = Ask::get("/revocations").host(&admin.to_string());
        let answer = Client::connect(admin).await.ask(&ask).await.unwrap();
        answer.json()["revocations"].as_array().unwrap().clone()
    }

    async fn list_command(&self) -> String {
        let mut command = program();
        command
            .args(["revoke", "list", "--config"])
            .arg(self.lab.file("gateway.yaml"))
            .arg("--admin")
            .arg(self.lab.gateway.admin_address().to_string());
        let ran = tokio::task::spawn_blocking(move || command.output().unwrap());
        let ran = ran.await.unwrap();
        assert!(ran.status.success(), "{ran:?}");
        String::from_utf8(ran.stdout).unwrap()
    }

    async fn issued(&self) -> Value {
        let token = self
            .lab
            .token_with(json!({"scope": "openid offline_access orders.read"}));
        let form = [
            ("subject_token", token.as_str()),
            ("subject_token_type", ACCESS_TOKEN),
            ("audience", "orders-api"),
        ];
        self.exchange("web", &form).await.json()
    }
}

#[tokio::test]
async fn a_line_names_the_client_once_it_has_proven_who_it_is() {
    let service = start().await;
    let token = service.lab.token();
    let form = [
        ("subject_token", token.as_str()),
        ("subject_token_type", ACCESS_TOKEN),
        ("audience", "orders-api"),
        ("scope", "orders.read"),
    ];
    assert_eq!(service.exchange("web", &form).await.status(), 200);
    assert_eq!(service.exchange("other", &form).await.status(), 400);
    let asked = [("token", token.as_str())];
    for path in ["/oauth/v2/introspect", "/oauth/v2/revoke"] {
        assert_eq!(service.post(path, "web", &asked).await.status(), 200);
    }
    let none = service.post("/oauth/v2/token", "web", &[]).await;
    assert_eq!(none.status(), 400);
    // these names were not verified
    assert_eq!(service.exchange("nobody", &form).await.status(), 401);
    let body = "client_id=web&client_secret=wrong&grant_type=refresh_token".to_owned();
    let ask = Ask::post("/oauth/v2/token", body);
    let ask = ask.field("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(service.lab.ask(ask).await.status(), 401);
    let ask = Ask::get("/oauth/v2/keys");
    assert_eq!(service.lab.ask(ask).await.status(), 200);

    let lines = service.access_lines(8).await;
    let clients: Vec<&Value> = lines.iter().map(|line| &line["client_id"]).collect();
    assert_eq!(
        json!(clients),
        json!(["web", "other", "web", "web", "web", null, null, null])
    );
    let audited = service.events("token_refused");
    assert_eq!(audited[0]["client_id"], "other");
}

#[tokio::test]
async fn a_line_about_a_refused_subject_names_it_as_the_audit_log_does() {
    let service = start().await;
    let token = service.lab.token();
    for (audience, scope, reason) in [
        ("reports-api", "orders.read", "target_not_allowed"),
        ("orders-api", "payments.admin", "scope_exceeds"),
        ("orders-api", "offline_access", "scope_exceeds"),
    ] {
        let form = [
            ("subject_token", token.as_str()),
            ("subject_token_type", ACCESS_TOKEN),
            ("audience", audience),
            ("scope", scope),
        ];
        let answer = service.exchange("web", &form).await;
        assert_eq!(answer.status(), 400, "{audience} {scope} {reason}");
    }
    let form = [
        ("subject_token", "no token"),
        ("subject_token_type", ID_TOKEN),
    ];
    assert_eq!(service.exchange("web", &form).await.status(), 400);
    let lines = service.access_lines(4).await;
    let audited = service.events("token_refused");
    assert_eq!(audited.len(), 4);
    for (line, event) in lines.iter().zip(&audited) {
        for name in ["issuer", "subject", "client_id", "reason", "request_id"] {
            assert_eq!(line[name], event[name], "{name} of {line}");
        }
    }
    let named = lines.iter().filter(|line| line["subject"] == "alice");
    assert_eq!(named.count(), 3, "{lines:?}");
}

#[tokio::test]
async fn what_a_client_revokes_is_on_record_and_listed_with_the_client_and_its_address() {
    let service = start().await;
    let issued = service.issued().await;
    let user = service.lab.token_with(json!({"jti": "t-1"}));
    let nameless = service.lab.token_with(json!({"jti": null, "sub": "bob"}));
    let access = member(&issued, "access_token");
    for token in [&access, &user, &nameless] {
        let answer = service
            .post("/oauth/v2/revoke", "web", &[("token", token)])
            .await;
        assert_eq!(answer.status(), 200);
    }
    let refresh = member(&service.issued().await, "refresh_token");
    let form = [("token", refresh.as_str())];
    let answer = service.post("/oauth/v2/revoke", "web", &form).await;
    assert_eq!(answer.status(), 200);

    let by = json!({"client_id": "web", "address": "127.0.0.1"});
    let events = service.events("token_revoked");
    assert_eq!(events.len(), 4);
    for event in &events {
        assert_eq!(event["by"], by, "{event}");
        assert!(event["until"].as_i64() > Some(service.lab.now()), "{event}");
    }
    let listed = service.listed().await;
    assert_eq!(listed.len(), 4, "{listed:?}");
    for revocation in &listed {
        assert_eq!(revocation["by"], by, "{revocation}");
        assert_eq!(revocation["revoked_by"], "client");
        assert!(revocation["ends"].is_string(), "{revocation}");
        assert!(!revocation.to_string().contains(&refresh));
    }
    let text = service.list_command().await;
    for expected in [
        "by client web from 127.0.0.1  the token t-1 of ",
        "about alice, and every token made from it",
        "about bob",
        "every token that was or will be issued for a refresh token of the client web",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in {text}");
    }
    assert_eq!(text.lines().count(), 4, "{text}");
}

#[tokio::test]
async fn a_family_that_ends_because_its_token_was_used_twice_says_so_in_the_list() {
    let service = start().await;
    let refresh = member(&service.issued().await, "refresh_token");
    let form = [("refresh_token", refresh.as_str())];
    assert_eq!(service.refresh("web", &form).await.status(), 200);
    assert_eq!(service.refresh("web", &form).await.status(), 400);
    let events = service.events("token_revoked");
    let by = json!({"client_id": "web", "address": "127.0.0.1"});
    assert_eq!(events[0]["by"], by);
    let text = service.list_command().await;
    assert!(text.contains("by client web from 127.0.0.1"), "{text}");
    assert!(text.contains("was used twice"), "{text}");
}

#[tokio::test]
async fn what_an_operator_revoked_is_listed_with_the_credential_and_the_address() {
    let service = start().await;
    let asked = json!({"subject": {"issuer": "corp", "sub": "al\u{1b}[2Jice"}});
    let answer = crate::e2e::revocation::revoke(&service.lab, &asked).await;
    assert_eq!(answer.status(), 200);
    let text = service.list_command().await;
    assert!(
        text.contains("by operator (loopback) from 127.0.0.1"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "{text}");
}
