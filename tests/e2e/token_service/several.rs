//! A gateway that trusts two issuers, and clients that accept one of them.

use super::exchanging::{ACCESS_TOKEN, Exchanging, JWT, ended, member, setup};
use crate::e2e::support::{Provider, Setup, lab::ISSUER, obo, until};
use obo_gateway::clock::{Clock, SystemClock};
use serde_json::{Value, json};

const CLIENTS: &str = r"
clients:
  - id: web
    accepts: [corp]
    authentication: { method: client_secret_post, secret: { file: secret } }
    grants: [token_exchange, entra_obo]
    audiences: [orders-api]
    scope: { allow: [orders.read] }
  - id: all
    authentication: { method: client_secret_post, secret: { file: secret } }
    grants: [token_exchange]
    audiences: [orders-api]
    scope: { allow: [orders.read] }
    subjects_of: any
store: { embedded: { path: store } }
";

const ROUTES: &str = r"
  - name: orders
    match: { prefix: /orders }
    upstream: { targets: [ { url: ORIGIN } ] }
    exchange:
      accepts: [ { issuer: corp }, { issuer: partner } ]
      audience: orders-api
      scope: { allow: [orders.read] }
      token: { subject: qualified }
";

struct Two {
    service: Exchanging,
    partner: Provider,
}

impl Two {
    async fn start() -> Self {
        let partner = Provider::start().await;
        let issuer = format!(
            r#"{ISSUER} }}, {{ name: partner, issuer: "{}", {ISSUER}"#,
            partner.issuer()
        );
        let service = Exchanging::start(Setup {
            issuer,
            routes: ROUTES.to_owned(),
            ..setup(CLIENTS)
        })
        .await;
        let ready = || service.lab.gateway.is_ready();
        until("both issuers' keys are there", ready).await;
        Self { service, partner }
    }

    fn partners(&self, changes: Value) -> String {
        let claims = self.partner.claims(SystemClock.now().as_secs(), changes);
        self.partner.signer().sign(&claims)
    }

    async fn told(&self, client: &str, token: &str) -> Result<String, (u16, String)> {
        let form = [
            ("subject_token", token),
            ("subject_token_type", ACCESS_TOKEN),
            ("audience", "orders-api"),
            ("requested_token_type", JWT),
        ];
        let answer = self.service.exchange(client, &form).await;
        if answer.status() != 200 {
            return Err(ended(&answer));
        }
        let lab = &self.service.lab;
        let token = member(&answer.json(), "access_token");
        let issued = obo::verify(lab.address(), &token, lab.now()).await;
        Ok(member(&issued.claims, "sub"))
    }
}

#[tokio::test]
async fn a_client_of_one_issuer_gets_its_users_by_their_bare_names_and_nobody_elses() {
    let two = Two::start().await;
    let (corps, partners) = (two.service.lab.token(), two.partners(json!({})));
    assert_eq!(two.told("web", &corps).await, Ok("alice".to_owned()));
    let refused = Err((400, "invalid_request".to_owned()));
    assert_eq!(two.told("web", &partners).await, refused);
    assert_eq!(two.told("all", &corps).await, Ok("corp:alice".to_owned()));
    assert_eq!(
        two.told("all", &partners).await,
        Ok("partner:alice".to_owned())
    );
    let answer = two
        .service
        .on_behalf_of("web", &partners, "orders-api/.default")
        .await;
    assert_eq!(ended(&answer), (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn a_client_revokes_no_token_of_an_issuer_that_it_does_not_accept() {
    let two = Two::start().await;
    let lab = &two.service.lab;
    let (corps, partners) = (lab.token(), two.partners(json!({})));
    for (token, status, then) in [(&partners, 400, 200), (&corps, 200, 401)] {
        let form = [("token", token.as_str())];
        let answer = two.service.post("/oauth/v2/revoke", "web", &form).await;
        assert_eq!(answer.status(), status);
        assert_eq!(lab.present(token).await.status(), then);
    }
}
