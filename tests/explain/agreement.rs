//! The same request, sent to a running gateway and replayed by `explain`.

use crate::explain::{
    chance::Chance,
    gateways::{self, NOW},
    requests::{self, Request},
    support::{Answer, Lab, until},
};
use obo_gateway::{
    cli::{Explainer, ImaginedRequest},
    clock::SystemRandomness,
    config::Surroundings,
};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::runtime::Handle;

const GATEWAYS: u64 = 40;
const REQUESTS: usize = 30;

#[tokio::test]
async fn explain_and_the_gateway_agree_on_every_generated_request() {
    let mut tally = Tally::default();
    for seed in 0..GATEWAYS {
        agree(seed, &mut tally).await;
    }
    tally.assert_that_everything_was_met();
}

/// The cases that occurred, so that the test fails if important ones are missing.
#[derive(Default)]
struct Tally {
    verdicts: BTreeMap<String, usize>,
    reasons: BTreeSet<String>,
}

impl Tally {
    fn note(&mut self, told: &Value) {
        let verdict = told["verdict"].as_str().unwrap().to_owned();
        *self.verdicts.entry(verdict).or_default() += 1;
        if let Some(reason) = told["answer"]["reason"].as_str() {
            self.reasons.insert(reason.to_owned());
        }
    }

    fn assert_that_everything_was_met(&self) {
        let of = |verdict: &str| self.verdicts.get(verdict).copied().unwrap_or_default();
        let text = format!("{:?} {:?}", self.verdicts, self.reasons);
        assert!(of("forwarded") >= 200, "{text}");
        assert!(of("refused") >= 200, "{text}");
        assert!(of("answered") >= 20, "{text}");
        assert!(
            of("forwarded") + of("refused") + of("answered") >= 500,
            "{text}"
        );
        assert!(self.reasons.len() >= 28, "{text}");
    }
}

/// The result of one request.
struct Real {
    what: String,
    told: Value,
    id: Option<String>,
}

async fn agree(seed: u64, tally: &mut Tally) {
    let mut chance = Chance::seeded(seed);
    let folder = tempfile::tempdir().unwrap();
    let salt = folder.path().join("salt");
    std::fs::write(&salt, "0123456789abcdef0123456789abcdef\n").unwrap();
    let lab = Lab::with(gateways::any(&mut chance, &salt)).await;
    let surroundings = Surroundings {
        clock: Arc::clone(&lab.clock),
        randomness: Arc::new(SystemRandomness),
        io: Handle::current(),
    };
    let mut explainer = Explainer::new(&lab.file("gateway.yaml"), &surroundings).unwrap();
    let mut own = None;
    let mut met = Vec::new();
    for number in 0..REQUESTS {
        let Request { ask, what } = requests::any(&mut chance, &lab, own.as_deref());
        let what = format!("gateway {seed}, request {number}: {what}");
        let mut asked =
            ImaginedRequest::new(&ask.method, &format!("http://{}{}", ask.host, ask.target))
                .unwrap();
        for (name, value) in &ask.fields {
            asked = asked.header(&format!("{name}: {value}")).unwrap();
        }
        let told = explainer.explain(&asked).await.unwrap().to_json();
        lab.origin.forget();
        let answer = lab.ask(ask).await;
        compare(&lab, &answer, &told, &what).await;
        if let Some(token) = lab
            .origin
            .requests()
            .first()
            .and_then(|request| request.bearer())
        {
            own = Some(token.to_owned());
        }
        tally.note(&told);
        let id = answer.field("x-request-id").map(str::to_owned);
        met.push(Real { what, told, id });
    }
    compare_reasons(&lab, &met).await;
}

/// Compares the verdict, the status, and the response to the client or the claims that the upstream gets.
async fn compare(lab: &Lab, answer: &Answer, told: &Value, what: &str) {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let what = format!("{what}\n{}\n{text}\n{told:#}", answer.start);
    let requests = lab.origin.requests();
    let forwarded = told["verdict"] == "forwarded";
    assert_eq!(requests.len(), usize::from(forwarded), "{what}");
    let Some(request) = requests.first() else {
        assert_eq!(told["answer"]["status"], answer.status(), "{what}");
        if let Some(error) = told["answer"]["error"].as_str()
            && !answer.body.is_empty()
        {
            assert_eq!(error, answer.error(), "{what}");
        }
        let challenge = told["answer"]["fields"]["www-authenticate"].as_str();
        assert_eq!(challenge, answer.challenge(), "{what}");
        return;
    };
    assert_eq!(answer.status(), 200, "{what}");
    let path = request.target().split('?').next().unwrap();
    assert_eq!(told["route"]["upstream_path"], path, "{what}");
    match request.bearer() {
        None => assert!(told.get("claims").is_none(), "{what}"),
        Some(_) => {
            let issued = lab.issued(request).await;
            assert_eq!(lasting(&issued), lasting(&told["claims"]), "{what}");
            assert!(issued["exp"].as_i64().unwrap() > NOW, "{what}");
        }
    }
}

/// Returns all claims except the random one. The clock is stopped, so even the times are equal.
fn lasting(claims: &Value) -> Map<String, Value> {
    let mut claims = claims.as_object().expect("no claims").clone();
    assert!(claims.remove("jti").is_some());
    claims
}

/// Asserts that the access log of the gateway matches the explanations.
async fn compare_reasons(lab: &Lab, met: &[Real]) {
    let lines = || std::fs::read_to_string(lab.file("access.jsonl")).unwrap_or_default();
    // plus the requests for the keys, which the upstream verifies tokens with
    until("everything is logged", || {
        let lines = lines();
        let mut ids = met.iter().filter_map(|real| real.id.as_deref());
        ids.all(|id| lines.contains(id))
    })
    .await;
    let lines = lines();
    let logged: BTreeMap<String, Value> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| (line["request_id"].as_str().unwrap().to_owned(), line))
        .collect();
    for real in met {
        let Some(id) = &real.id else { continue };
        let line = &logged[id];
        let Real { what, told, .. } = real;
        assert_eq!(
            line.get("reason"),
            told["answer"].get("reason"),
            "{what}\n{told:#}"
        );
        let route = told["route"]["name"].as_str().unwrap_or("none");
        assert_eq!(line["route"], route, "{what}\n{told:#}");
    }
}
