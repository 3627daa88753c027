//! `authorization_details` (RFC 9396) at the token service: copied unchanged in every form and through refreshes, or
//! refused. The request parameter is always refused.

use super::{FORM, PATH, SECRET};
use crate::e2e::support::{Answer, Ask, Lab, Setup, obo};
use serde_json::{Value, json};

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

fn client(id: &str, rule: &str) -> String {
    format!(
        r"
  - id: {id}
    authentication: {{ method: client_secret_post, secret: {{ file: secret }} }}
    grants: [token_exchange, refresh_token, entra_obo]
    audiences: [orders-api]
    scope: {{ allow: [openid, offline_access, orders.read] }}
    subjects_of: any
    chain: {{ accept_own: true }}
    introspects: [orders-api]{rule}
"
    )
}

struct Service(Lab);

impl Service {
    async fn start() -> Self {
        let clients = client("strict", "") + &client("copies", "\n    authorization_details: copy");
        let setup = Setup {
            sections: format!("clients:\n{clients}store: {{ embedded: {{ path: store }} }}\n"),
            service: ", opaque_keys: [ { file: opaque.key, generate: true } ]".to_owned(),
            files: vec![("secret", SECRET.to_owned())],
            ..Setup::default()
        };
        Self(Lab::with(setup).await)
    }

    fn user(&self, details: Option<&Value>) -> String {
        self.0.token_with(json!({
            "scope": "openid offline_access orders.read", "authorization_details": details,
        }))
    }

    async fn post(&self, path: &str, client: &str, form: &[(&str, &str)]) -> Answer {
        let body: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", client)
            .append_pair("client_secret", SECRET)
            .extend_pairs(form)
            .finish();
        self.0
            .ask(Ask::post(path, body).field("Content-Type", FORM))
            .await
    }

    async fn exchange(&self, client: &str, token: &str, further: &[(&str, &str)]) -> Answer {
        let form = [
            ("grant_type", EXCHANGE),
            ("subject_token", token),
            ("subject_token_type", ACCESS_TOKEN),
            ("audience", "orders-api"),
        ];
        self.post(PATH, client, &[&form, further].concat()).await
    }

    async fn on_behalf_of(&self, client: &str, assertion: &str) -> Answer {
        let form = [
            ("grant_type", JWT_BEARER),
            ("requested_token_use", "on_behalf_of"),
            ("assertion", assertion),
            ("scope", "orders-api/.default"),
        ];
        self.post(PATH, client, &form).await
    }

    /// Returns the gateway's claims of one of its access tokens, of any form.
    async fn told(&self, token: &str) -> Value {
        let form = [("token", token)];
        let told = self
            .post("/oauth/v2/introspect", "copies", &form)
            .await
            .json();
        assert_eq!(told["active"], true, "{told}");
        told["authorization_details"].clone()
    }
}

fn payment() -> Value {
    json!([{"type": "payment_initiation", "actions": ["read"], "amount": {"value": "123.50"}}])
}

#[track_caller]
fn member(answer: &Value, name: &str) -> String {
    let member = answer[name].as_str();
    member
        .unwrap_or_else(|| panic!("no {name}: {answer}"))
        .to_owned()
}

#[tokio::test]
async fn a_subject_an_actor_and_an_assertion_that_details_restrict_are_refused() {
    let service = Service::start().await;
    let plain = service.user(None);
    for details in [payment(), json!([]), json!("x"), json!({}), json!(0)] {
        let user = service.user(Some(&details));
        let actor = [
            ("actor_token", user.as_str()),
            ("actor_token_type", ACCESS_TOKEN),
        ];
        for answer in [
            service.exchange("strict", &user, &[]).await,
            service.exchange("strict", &plain, &actor).await,
        ] {
            assert_eq!(
                (answer.status(), answer.error()),
                (400, "invalid_request".to_owned())
            );
        }
        let answer = service.on_behalf_of("strict", &user).await;
        assert_eq!(
            (answer.status(), answer.error()),
            (400, "invalid_grant".to_owned())
        );
    }
    let labels = ["reason=\"authorization_details\""];
    service.0.counts("obo_denied_total", &labels, 15).await;
    assert_eq!(service.exchange("strict", &plain, &[]).await.status(), 200);
}

#[tokio::test]
async fn a_client_that_says_so_gets_them_in_every_form_and_keeps_them_through_refresh_and_chain() {
    let service = Service::start().await;
    let user = service.user(Some(&payment()));
    for requested in [JWT, ACCESS_TOKEN] {
        let asked = [("requested_token_type", requested)];
        let answer = service.exchange("copies", &user, &asked).await.json();
        // RFC 9396 §7
        assert_eq!(answer["authorization_details"], payment(), "{answer}");
        let token = member(&answer, "access_token");
        assert_eq!(service.told(&token).await, payment());

        let refresh = member(&answer, "refresh_token");
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.as_str()),
        ];
        let refreshed = service.post(PATH, "copies", &form).await.json();
        assert_eq!(refreshed["authorization_details"], payment(), "{refreshed}");
        let token = member(&refreshed, "access_token");
        assert_eq!(service.told(&token).await, payment());

        // the gateway's own token, presented again
        let again = service.exchange("copies", &token, &asked).await.json();
        assert_eq!(
            service.told(&member(&again, "access_token")).await,
            payment()
        );
        let refused = service.exchange("strict", &token, &[]).await;
        assert_eq!(refused.error(), "invalid_request");
    }
    let signed = service
        .exchange("copies", &user, &[("requested_token_type", JWT)])
        .await;
    let token = member(&signed.json(), "access_token");
    let issued = obo::verify(service.0.address(), &token, service.0.now()).await;
    assert_eq!(issued.claims["authorization_details"], payment());
    let id_token = service
        .exchange("copies", &user, &[("requested_token_type", ID_TOKEN)])
        .await;
    assert_eq!(id_token.status(), 200);
    let entra = service.on_behalf_of("copies", &user).await.json();
    assert_eq!(
        service.told(&member(&entra, "access_token")).await,
        payment()
    );
}

#[tokio::test]
async fn the_actors_restrict_as_the_subjects_do_and_two_that_differ_are_refused() {
    let service = Service::start().await;
    let other = json!([{"type": "payment_initiation", "actions": ["write"]}]);
    let (plain, restricted) = (service.user(None), service.user(Some(&payment())));
    let elsewise = service.user(Some(&other));
    for (subject, actor, expected) in [
        (&plain, &restricted, Some(payment())),
        (&restricted, &restricted, Some(payment())),
        (&restricted, &plain, Some(payment())),
        (&restricted, &elsewise, None),
    ] {
        let actor = [
            ("actor_token", actor.as_str()),
            ("actor_token_type", ACCESS_TOKEN),
        ];
        let answer = service.exchange("copies", subject, &actor).await;
        match expected {
            Some(details) => assert_eq!(answer.json()["authorization_details"], details),
            None => assert_eq!(answer.error(), "invalid_request"),
        }
    }
}

#[tokio::test]
async fn nobody_can_ask_for_details_yet() {
    let service = Service::start().await;
    let user = service.user(None);
    let details = payment().to_string();
    let asked = [("authorization_details", details.as_str())];
    for client in ["strict", "copies"] {
        let answer = service.exchange(client, &user, &asked).await;
        assert_eq!(
            (answer.status(), answer.error()),
            (400, "invalid_authorization_details".to_owned())
        );
    }
    let refresh = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "oborf_x"),
        asked[0],
    ];
    let on_behalf_of = [
        ("grant_type", JWT_BEARER),
        ("requested_token_use", "on_behalf_of"),
        ("assertion", user.as_str()),
        ("scope", "orders-api/.default"),
        ("authorization_details", "[]"),
    ];
    for form in [&refresh[..], &on_behalf_of] {
        let answer = service.post(PATH, "copies", form).await;
        assert_eq!(answer.error(), "invalid_authorization_details");
    }
    // without a value a parameter is absent (RFC 6749 §3.2)
    let empty = [("authorization_details", "")];
    assert_eq!(
        service.exchange("strict", &user, &empty).await.status(),
        200
    );
}
