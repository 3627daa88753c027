//! No token is issued without scope by mistake, and the response states the granted scope.

use super::exchanging::{ACCESS_TOKEN, Exchanging, ID_TOKEN, JWT, ended, member};
use serde_json::{Value, json};

const CLIENTS: &str = r"
clients:
  - id: web
    authentication: { method: client_secret_post, secret: { file: secret } }
    grants: [token_exchange, refresh_token, entra_obo]
    audiences: [orders-api]
    scope: { allow: [openid, offline_access, orders.read] }
  - id: drops
    authentication: { method: client_secret_post, secret: { file: secret } }
    grants: [token_exchange, entra_obo]
    audiences: [orders-api]
    scope: { allow: [openid, offline_access, orders.read], excess: drop }
    subjects_of: [web]
  - id: users
    authentication: { method: client_secret_post, secret: { file: secret } }
    grants: [token_exchange]
    audiences: [orders-api]
    scope: { allow: [], rule: user_only }
    subjects_of: [web]
  - id: unscoped
    authentication: { method: client_secret_post, secret: { file: secret } }
    grants: [token_exchange, entra_obo]
    audiences: [orders-api]
    scope: { allow: [] }
    subjects_of: [web]
store: { embedded: { path: store } }
";

fn of<'a>(
    token: &'a str,
    declared: &'a str,
    more: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let mut form = vec![
        ("subject_token", token),
        ("subject_token_type", declared),
        ("audience", "orders-api"),
    ];
    form.extend(more);
    form
}

fn id_token(service: &Exchanging) -> String {
    service.lab.idp.signer().sign_bytes(
        &json!({"typ": "JWT", "alg": "ES256", "kid": service.lab.idp.signer().kid()}),
        service
            .lab
            .claims(json!({"aud": ["web", "portal"], "azp": "web", "scope": null, "nonce": "n"}))
            .to_string()
            .as_bytes(),
    )
}

#[tokio::test]
async fn no_access_token_without_scope_is_issued_whatever_the_grant_and_the_form() {
    let service = Exchanging::with(CLIENTS).await;
    let refused = (400, "invalid_scope".to_owned());
    let scopeless = [json!(null), json!(""), json!("offline_access")]
        .map(|scope| service.lab.token_with(json!({"scope": scope})));
    for client in ["drops", "users"] {
        for token in &scopeless {
            for requested in [JWT, ACCESS_TOKEN] {
                let form = of(token, ACCESS_TOKEN, &[("requested_token_type", requested)]);
                // `users` gets only the scopes of the user, and no refresh token
                let answer = service.exchange(client, &form).await;
                assert_eq!(ended(&answer), refused, "{client} {requested}");
            }
        }
    }
    for token in &scopeless[..2] {
        let answer = service.exchange("web", &of(token, ACCESS_TOKEN, &[])).await;
        assert_eq!(ended(&answer), refused);
        let both = [
            ("actor_token", token.as_str()),
            ("actor_token_type", ACCESS_TOKEN),
        ];
        let answer = service
            .exchange("web", &of(token, ACCESS_TOKEN, &both))
            .await;
        assert_eq!(ended(&answer), refused);
    }
    let identity = id_token(&service);
    let answer = service.exchange("web", &of(&identity, ID_TOKEN, &[])).await;
    assert_eq!(ended(&answer), refused);
    for client in ["web", "drops"] {
        for scope in ["orders-api/.default", "orders-api/orders.read"] {
            let answer = service.on_behalf_of(client, &scopeless[0], scope).await;
            assert_eq!(ended(&answer), refused, "{client} {scope}");
        }
    }
}

#[tokio::test]
async fn an_id_token_needs_no_scope_and_a_client_may_have_none_on_purpose() {
    let service = Exchanging::with(CLIENTS).await;
    let scopeless = service.lab.token_with(json!({"scope": null}));
    let more = [("requested_token_type", ID_TOKEN)];
    let answer = service
        .exchange("web", &of(&scopeless, ACCESS_TOKEN, &more))
        .await;
    assert_eq!(answer.status(), 200, "{}", answer.json());
    for held in [json!(null), json!("orders.read")] {
        let token = service.lab.token_with(json!({"scope": held}));
        for requested in [JWT, ACCESS_TOKEN] {
            let more = [("requested_token_type", requested)];
            let answer = service
                .exchange("unscoped", &of(&token, ACCESS_TOKEN, &more))
                .await;
            assert_eq!(answer.status(), 200, "{}", answer.json());
            assert_eq!(answer.json()["scope"], "");
        }
        let answer = service
            .on_behalf_of("unscoped", &token, "orders-api/.default")
            .await;
        assert_eq!(answer.status(), 200, "{}", answer.json());
    }
    let token = service.lab.token();
    let more = [("scope", "orders.read")];
    let answer = service
        .exchange("unscoped", &of(&token, ACCESS_TOKEN, &more))
        .await;
    assert_eq!(ended(&answer), (400, "invalid_scope".to_owned()));
}

fn scopes(answer: &Value) -> Vec<&str> {
    let mut scopes: Vec<&str> = answer["scope"].as_str().unwrap().split(' ').collect();
    scopes.sort_unstable();
    scopes
}

#[tokio::test]
async fn a_scope_never_names_a_token_that_is_not_beside_it() {
    let service = Exchanging::with(CLIENTS).await;
    let token = service
        .lab
        .token_with(json!({"scope": "openid offline_access orders.read"}));
    for (client, requested, more, expected) in [
        (
            "web",
            JWT,
            None,
            &["offline_access", "openid", "orders.read"][..],
        ),
        ("web", ID_TOKEN, None, &["openid", "orders.read"]),
        (
            "web",
            ACCESS_TOKEN,
            Some("offline_access orders.read"),
            &["offline_access", "orders.read"],
        ),
        // this client may not use refresh tokens
        ("drops", JWT, None, &["openid", "orders.read"]),
        (
            "drops",
            ACCESS_TOKEN,
            Some("offline_access orders.read"),
            &["orders.read"],
        ),
        ("users", JWT, None, &["openid", "orders.read"]),
    ] {
        let mut given = vec![("requested_token_type", requested)];
        given.extend(more.map(|scope| ("scope", scope)));
        let answer = service
            .exchange(client, &of(&token, ACCESS_TOKEN, &given))
            .await
            .json();
        assert_eq!(scopes(&answer), expected, "{client} {requested}");
        let refreshes = answer.get("refresh_token").is_some();
        assert_eq!(refreshes, expected.contains(&"offline_access"));
        let identity = answer.get("id_token").is_some() || requested == ID_TOKEN;
        assert_eq!(identity, expected.contains(&"openid"));
    }
    let only = [("scope", "offline_access")];
    let answer = service
        .exchange("drops", &of(&token, ACCESS_TOKEN, &only))
        .await;
    assert_eq!(ended(&answer), (400, "invalid_scope".to_owned()));
    for (client, expected) in [("web", true), ("drops", false)] {
        let scope = "orders-api/.default openid offline_access";
        let answer = service.on_behalf_of(client, &token, scope).await.json();
        assert_eq!(scopes(&answer).contains(&"offline_access"), expected);
        assert_eq!(answer.get("refresh_token").is_some(), expected);
        assert!(scopes(&answer).contains(&"openid"));
        member(&answer, "id_token");
    }
}

#[tokio::test]
async fn the_token_says_no_more_than_the_answer() {
    let service = Exchanging::with(CLIENTS).await;
    let token = service
        .lab
        .token_with(json!({"scope": "offline_access orders.read"}));
    let more = [("requested_token_type", JWT)];
    let answer = service
        .exchange("drops", &of(&token, ACCESS_TOKEN, &more))
        .await
        .json();
    let issued = member(&answer, "access_token");
    let claims =
        crate::e2e::support::obo::verify(service.lab.address(), &issued, service.lab.now())
            .await
            .claims;
    assert_eq!(
        (&claims["scope"], &answer["scope"]),
        (&json!("orders.read"), &json!("orders.read"))
    );
}

#[tokio::test]
async fn a_refresh_gives_no_token_without_scope_either() {
    let service = Exchanging::with(CLIENTS).await;
    let token = service
        .lab
        .token_with(json!({"scope": "offline_access orders.read"}));
    let issued = service
        .exchange("web", &of(&token, ACCESS_TOKEN, &[]))
        .await
        .json();
    let refresh = member(&issued, "refresh_token");
    for scope in ["orders.write", "openid", "orders.read orders.write"] {
        let form = [("refresh_token", refresh.as_str()), ("scope", scope)];
        let answer = service.refresh("web", &form).await;
        assert_eq!(ended(&answer), (400, "invalid_scope".to_owned()), "{scope}");
    }
    let form = [
        ("refresh_token", refresh.as_str()),
        ("scope", "orders.read"),
    ];
    let answer = service.refresh("web", &form).await;
    assert_eq!(answer.json()["scope"], "orders.read");
}

#[tokio::test]
async fn the_printed_spelling_asks_for_all_that_is_held_too() {
    let service = Exchanging::with(CLIENTS).await;
    let token = service
        .lab
        .token_with(json!({"scope": "orders.read orders.write"}));
    for name in [
        "urn:opc:idm:_myscopes_",
        "urn:opc:idm:__myscopes__",
        "__myscopes__",
    ] {
        let more = [("scope", name)];
        let answer = service
            .exchange("web", &of(&token, ACCESS_TOKEN, &more))
            .await;
        assert_eq!(answer.json()["scope"], "orders.read", "{name}");
    }
}

#[tokio::test]
async fn a_jwt_of_a_trusted_issuer_is_an_access_token_where_nobody_acts() {
    let service = Exchanging::with(CLIENTS).await;
    let exchange = async |token: &str| {
        let answer = service.exchange("web", &of(token, JWT, &[])).await;
        let (status, error) = ended(&answer);
        assert!(
            matches!(
                (status, error.as_str()),
                (200, "") | (400, "invalid_request")
            ),
            "{status} {error}"
        );
        status == 200
    };
    let of = |changes: Value| service.lab.token_with(changes);
    assert!(exchange(&of(json!({}))).await);
    assert!(!exchange(&id_token(&service)).await, "an ID token");
    for changes in [
        json!({"typ": "Refresh"}),
        json!({"token_use": "refresh"}),
        json!({"client_id": "other", "aud": "other"}),
        json!({"client_id": "other"}),
        json!({"iss": "web", "sub": "alice", "aud": "https://gateway.example.com"}),
        json!({"exp": service.lab.now() - 1}),
        json!({"cnf": {"jkt": "x"}}),
    ] {
        assert!(!exchange(&of(changes.clone())).await, "{changes}");
    }
    assert!(!exchange("oboat_x").await);
}
