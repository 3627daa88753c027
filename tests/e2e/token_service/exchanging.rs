//! A token service whose clients share one secret and send it in the form.

use crate::e2e::support::{Answer, Ask, Lab, Setup, lab::ISSUER};
use obo_gateway::clock::{SharedClock, SystemClock};
use serde_json::Value;
use std::sync::Arc;

pub(super) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
pub(super) const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
pub(super) const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const SECRET: &str = "sixteen bytes or more";

pub(super) struct Exchanging {
    pub(super) lab: Lab,
}

impl Exchanging {
    /// With these sections, `clients` among them.
    pub(super) async fn with(sections: &str) -> Self {
        Self::at(sections, Arc::new(SystemClock)).await
    }

    pub(super) async fn at(sections: &str, clock: SharedClock) -> Self {
        Self::start(Setup {
            clock,
            ..setup(sections)
        })
        .await
    }

    /// With further keys of the trusted issuer, each with a comma in front.
    pub(super) async fn of_issuer(sections: &str, keys: &str) -> Self {
        let issuer = format!("{ISSUER}{keys}");
        Self::start(Setup {
            issuer,
            ..setup(sections)
        })
        .await
    }

    pub(super) async fn start(setup: Setup) -> Self {
        let lab = Lab::with(setup).await;
        Self { lab }
    }

    pub(super) async fn post(&self, path: &str, client: &str, form: &[(&str, &str)]) -> Answer {
        let body: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", client)
            .append_pair("client_secret", SECRET)
            .extend_pairs(form)
            .finish();
        let form = "application/x-www-form-urlencoded";
        self.lab
            .ask(Ask::post(path, body).field("Content-Type", form))
            .await
    }

    pub(super) async fn exchange(&self, client: &str, form: &[(&str, &str)]) -> Answer {
        let grant = ("grant_type", EXCHANGE);
        let form: Vec<_> = std::iter::once(grant).chain(form.iter().copied()).collect();
        self.post("/oauth/v2/token", client, &form).await
    }

    pub(super) async fn on_behalf_of(&self, client: &str, assertion: &str, scope: &str) -> Answer {
        let form = [
            ("grant_type", JWT_BEARER),
            ("requested_token_use", "on_behalf_of"),
            ("assertion", assertion),
            ("scope", scope),
        ];
        self.post("/oauth/v2/token", client, &form).await
    }

    pub(super) async fn refresh(&self, client: &str, form: &[(&str, &str)]) -> Answer {
        let grant = ("grant_type", "refresh_token");
        let form: Vec<_> = std::iter::once(grant).chain(form.iter().copied()).collect();
        self.post("/oauth/v2/token", client, &form).await
    }

    pub(super) async fn is_active(&self, client: &str, token: &str) -> bool {
        let form = [("token", token)];
        let answer = self.post("/oauth/v2/introspect", client, &form).await;
        assert_eq!(answer.status(), 200);
        answer.json()["active"] == true
    }
}

pub(super) fn setup(sections: &str) -> Setup {
    Setup {
        sections: sections.to_owned(),
        service: ", opaque_keys: [ { file: opaque.key, generate: true } ]".to_owned(),
        files: vec![("secret", SECRET.to_owned())],
        ..Setup::default()
    }
}

#[track_caller]
pub(super) fn member(answer: &Value, name: &str) -> String {
    answer[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name}: {answer}"))
        .to_owned()
}

/// Returns the status and `error`.
pub(super) fn ended(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    let error = body["error"].as_str().unwrap_or_default();
    (answer.status(), error.to_owned())
}
