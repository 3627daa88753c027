//! The output of `{:?}` at every stage of an exchange.

use super::traces::{Canary, Text};
use crate::e2e::support::{Setup, Signer, install_crypto, lab};
use http::{Request, request::Parts};
use obo_gateway::{
    clock::{Clock, SystemClock, SystemRandomness},
    config::{Document, Surroundings, compose},
    pipeline::{Decision, RequestRecord},
    policy::ExchangeRequest,
    proxy::Hooks,
    route::Access,
    settings::{BaseDir, Effects, Findings},
    source,
};
use serde_json::json;
use std::{fmt::Debug, fs, sync::Arc};

/// Decides on a request whose token has to be exchanged, and prints what it consists of meanwhile.
async fn forwarded(
    hooks: &Hooks,
    head: &Parts,
    print: &mut impl FnMut(&dyn Debug),
) -> RequestRecord {
    let (pipeline, id) = (&hooks.pipeline, hooks.ids.request_id());
    let mut record = RequestRecord::since(hooks.clock.instant());
    let decision = pipeline.decide(head, id, &mut record);
    print(&decision);
    let Decision::Exchange(pending) = decision else {
        panic!("nothing is cached yet")
    };
    let forward = pipeline.conclude(head, pending, &mut record).await;
    print(&forward.unwrap());
    print(&record);
    record
}

/// The head of a request that presents `token`.
fn presenting(token: &str) -> Parts {
    let request = Request::get("/orders/1")
        .header("host", "a")
        .header("authorization", format!("Bearer {token}"));
    request.body(()).unwrap().into_parts().0
}

#[tokio::test]
async fn nothing_on_the_way_of_a_token_prints_it() {
    install_crypto();
    let folder = tempfile::tempdir().unwrap();
    let signer = Signer::es256();
    let setup = Setup {
        issuer: "audiences: [portal], algorithms: [ES256], keys: { jwks_file: jwks.json }"
            .to_owned(),
        ..Setup::default()
    };
    let file = folder.path().join("gateway.yaml");
    fs::write(
        folder.path().join("jwks.json"),
        json!({"keys": [signer.jwk()]}).to_string(),
    )
    .unwrap();
    fs::write(
        &file,
        lab::yaml(&setup, "https://idp.example.com", "http://127.0.0.1:1"),
    )
    .unwrap();
    let surroundings = Surroundings {
        clock: Arc::new(SystemClock),
        randomness: Arc::new(SystemRandomness),
        io: tokio::runtime::Handle::current(),
    };
    let document = Document::read(&file).ok().unwrap();
    let mut findings = Findings::default();
    let base = BaseDir::of_file(&file);
    let configuration = compose(
        &document,
        &base,
        Effects::Allowed,
        &surroundings,
        &mut findings,
    )
    .unwrap();

    let now = SystemClock.now();
    let token = signer.sign(&json!({
        "iss": "https://idp.example.com", "sub": "alice", "aud": "portal", "client_id": "web", "scope": "orders.read",
        "iat": now.as_secs(), "exp": now.as_secs() + 600,
    }));
    let head = presenting(&token);

    let mut printed = String::new();
    let mut print = |stage: &dyn Debug| printed.push_str(&format!("{stage:?}\n{stage:#?}\n"));
    let found = source::Source::default().find(&head.headers, None, 16 << 10);
    let bearer = found.unwrap().token;
    print(&bearer);
    let presented = bearer.present().unwrap();
    print(&presented);
    print(&presented.token());
    print(&source::TokenNeedle::of(presented.token()));
    let record = forwarded(&configuration.hooks, &head, &mut print).await;

    let Access::Protected(stages) = record.route.as_ref().unwrap().access() else {
        panic!("the route is protected")
    };
    let subject = stages.verifier.verify(&presented).await.unwrap();
    print(&subject);
    let asked = ExchangeRequest::new(subject);
    print(&asked);
    let permitted = stages.policy.permit(asked, now).unwrap();
    print(&permitted);
    let exchanger = &stages.exchanger;
    let response = exchanger.exchange(&permitted, &presented).await.unwrap();
    print(&response);
    let issued_text = String::from_utf8(response.access_token.expose().to_vec()).unwrap();
    let issued = exchanger
        .accept(permitted, response, &presented, now)
        .unwrap();
    print(&issued);
    print(&configuration);
    assert!(printed.contains("redacted"));

    let printed = Text::new(printed.as_bytes());
    for token in [token, issued_text] {
        let canary = Canary::new(&token);
        assert!(!canary.is_in(&printed) && !canary.payload_is_in(&printed));
    }
}
