//! A gateway whose route exchanges at a provider that responds from a script: what the client and the upstream get.

use super::{
    answers::{assert_own, assert_untouched},
    support::{
        Lab, Origin, Provider, Setup, install_crypto, lab, until,
        wire::{Message, find},
    },
};
use crate::exchangers::scripted::{Scripted, profile};
use obo_gateway::{
    cli::Gateway,
    config::{Document, Surroundings, compose},
    egress::EgressError,
    exchange::{
        EngineSettings, ExchangeError, NamedExchanger, ProviderProfile, ResponseFault,
        TokenResponse, WithoutExpiry,
    },
    policy::ClientCeilings,
    route::{RouteDependencies, RouteSettings, RouteTable},
    settings::{BaseDir, Building, Effects, Findings},
    store::Revocations,
    token::{RawToken, ScopeSet},
};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::runtime::Handle;

const ISSUED: &str = "8xLOxBtZp8-issued-by-the-provider";

/// Starts a gateway whose protected routes exchange at `provider`, under this name.
async fn lab_with(provider: Scripted) -> Lab {
    install_crypto();
    let (setup, idp, origin) = (
        Setup::default(),
        Provider::start().await,
        Origin::start().await,
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.yaml");
    let yaml = lab::yaml(&setup, idp.issuer(), &origin.url());
    std::fs::write(&file, &yaml).unwrap();
    let surroundings = Surroundings {
        clock: Arc::clone(&setup.clock),
        randomness: setup.randomness,
        io: Handle::current(),
    };
    let (base, mut findings) = (BaseDir::of_file(&file), Findings::default());
    let document = Document::read(&file).ok().unwrap();
    let composed = compose(
        &document,
        &base,
        Effects::Allowed,
        &surroundings,
        &mut findings,
    );
    let mut configuration = composed.unwrap();

    let mut building = Building {
        base: &base,
        effects: Effects::Allowed,
        findings: &mut findings,
    };
    let sections: serde_yaml::Value = serde_yaml::from_str(&yaml).unwrap();
    let issuer: EngineSettings = serde_yaml::from_value(sections["issuer"].clone()).unwrap();
    let (clock, randomness) = (&surroundings.clock, &surroundings.randomness);
    let engine = issuer.build(&mut building, Arc::clone(clock), Arc::clone(randomness));
    let issuers = configuration.issuers.iter();
    let issuers = issuers.map(|issuer| (issuer.name().to_owned(), Arc::clone(issuer)));
    let parts = RouteDependencies {
        issuers: &issuers.collect(),
        listed_issuers: 1,
        engine: engine.as_ref(),
        exchanger: Some(&NamedExchanger::new("provider", provider)),
        own: None,
        clients: &Arc::new(ClientCeilings::default()),
        revocations: &Revocations::of_one_process(),
        metrics: &configuration.metrics,
        clock,
    };
    let routes: Vec<RouteSettings> = serde_yaml::from_value(sections["routes"].clone()).unwrap();
    let routes = routes.iter().enumerate().map(|(position, settings)| {
        let route = settings.build(&mut building, &parts).unwrap();
        (position, route.at(position))
    });
    let routes = routes.collect();
    configuration.hooks.pipeline.routes = RouteTable::build(routes, &mut findings);
    assert!(!findings.has_errors());
    let gateway = Gateway::run((&file).into(), configuration, &surroundings).unwrap();
    until("the gateway is ready", || gateway.is_ready()).await;
    Lab {
        idp,
        origin,
        gateway,
        folder,
        clock: setup.clock,
    }
}

fn issued() -> TokenResponse {
    TokenResponse {
        expires_in: Some(Duration::from_secs(60)),
        ..TokenResponse::bearer(RawToken::from(ISSUED.to_owned()))
    }
}

fn scripted(
    respond: impl Fn() -> Result<TokenResponse, ExchangeError> + Send + 'static,
) -> Scripted {
    Scripted::new(profile(), move |_, _| respond())
}

/// No log contains a token that was presented or issued.
#[track_caller]
fn assert_silent(lab: &Lab, presented: &str) {
    let access = std::fs::read(lab.file("access.jsonl")).unwrap_or_default();
    let signature = presented.rsplit('.').next().unwrap();
    for log in [access, lab.audit().into_bytes()] {
        assert_eq!(find(&log, signature.as_bytes()), None);
        assert_eq!(find(&log, ISSUED.as_bytes()), None);
    }
}

#[tokio::test]
async fn the_upstream_gets_the_providers_token_alone_and_a_warm_request_asks_no_provider() {
    let provider = scripted(|| Ok(issued()));
    let lab = lab_with(provider.clone()).await;
    let token = lab.token();
    for _ in 0..3 {
        assert_eq!(lab.present(&token).await.status(), 200);
    }
    assert_eq!(provider.exchanges(), 1);
    let requests = lab.origin.requests();
    assert_eq!(requests.len(), 3);
    for request in &requests {
        assert_eq!(request.bearer(), Some(ISSUED));
        assert_eq!(request.all("authorization").count(), 1);
    }
    let signature = token.rsplit('.').next().unwrap().to_owned();
    assert_eq!(find(&lab.origin.bytes(), signature.as_bytes()), None);
    let labels = [
        "exchanger=\"provider\"",
        "outcome=\"issued\"",
        "route=\"orders\"",
    ];
    lab.counts("obo_exchange_total", &labels, 1).await;
    lab.counts("obo_exchange_duration_seconds_count", &labels[..1], 1)
        .await;
    lab.counts("obo_cache_total", &["result=\"hit\""], 2).await;
    assert_silent(&lab, &token);
}

/// The response to a client whose exchange fails with `error`: status, code and reason.
async fn response_to(error: ExchangeError, status: u16, code: &str, reason: &str) -> Message {
    let failure = error.clone();
    let provider = scripted(move || Err(failure.clone()));
    let lab = lab_with(provider.clone()).await;
    let token = lab.token();
    let first = lab.present(&token).await;
    assert_own(&first, status, code, &[&token]);
    assert_own(&lab.present(&token).await, status, code, &[&token]);
    // a decision about the token is remembered for moments, a failure is not
    let decided = matches!(status, 401 | 403);
    assert_eq!(provider.exchanges(), if decided { 1 } else { 2 }, "{error}");
    assert_untouched(&lab);
    let reason = format!("reason=\"{reason}\"");
    lab.counts("obo_denied_total", &[&reason, "route=\"orders\""], 2)
        .await;
    let outcome = if decided { "refused" } else { "failed" };
    let outcome = format!("outcome=\"{outcome}\"");
    let labels = ["exchanger=\"provider\"", outcome.as_str()];
    lab.counts("obo_exchange_total", &labels, provider.exchanges())
        .await;
    assert_silent(&lab, &token);
    // the provider works again: another token is exchanged
    provider.respond(|_, _| Ok(issued()));
    let other = lab.token_with(json!({ "jti": "another" }));
    assert_eq!(lab.present(&other).await.status(), 200);
    first
}

#[tokio::test]
async fn a_refused_token_is_401_like_any_unacceptable_token() {
    let error = ExchangeError::TokenRefused {
        code: "invalid_grant",
    };
    let answer = response_to(error, 401, "invalid_token", "provider_refused_token").await;
    let challenge = answer.challenge().unwrap();
    assert!(
        challenge.contains(r#"error="invalid_token""#),
        "{challenge}"
    );
}

#[tokio::test]
async fn a_refused_target_is_403_without_an_error_code_in_the_challenge() {
    let error = ExchangeError::TargetRefused {
        code: "invalid_target",
    };
    let answer = response_to(error, 403, "access_denied", "provider_refused_target").await;
    assert!(!answer.challenge().unwrap().contains("error="));
}

#[tokio::test]
async fn a_refused_gateway_is_502() {
    let error = ExchangeError::ClientRefused {
        code: "invalid_client",
    };
    let answer = response_to(error, 502, "bad_gateway", "provider_refused_gateway").await;
    assert_eq!(answer.challenge(), None);
}

#[tokio::test]
async fn an_unavailable_provider_is_503_with_a_time_to_retry() {
    let error = ExchangeError::Unavailable(EgressError::Deadline);
    let answer = response_to(
        error,
        503,
        "temporarily_unavailable",
        "provider_unavailable",
    )
    .await;
    assert!(answer.field("retry-after").is_some());
    assert_eq!(answer.challenge(), None);
}

#[tokio::test]
async fn an_unusable_response_is_502() {
    let error = ExchangeError::Unusable(ResponseFault::Member("access_token"));
    let answer = response_to(error, 502, "bad_gateway", "provider_response").await;
    assert_eq!(answer.challenge(), None);
}

#[tokio::test]
async fn a_response_that_is_wider_than_permitted_is_502_and_reaches_no_upstream() {
    let provider = Scripted::new(profile(), |_, presented| {
        // the presented token is in no case forwarded, even if the provider returns it
        Ok(TokenResponse {
            access_token: presented.token().clone(),
            ..issued()
        })
    });
    let lab = lab_with(provider.clone()).await;
    let token = lab.token();
    assert_own(&lab.present(&token).await, 502, "bad_gateway", &[&token]);
    provider.respond(|_, _| {
        Ok(TokenResponse {
            scope: Some(ScopeSet::parse("orders.read everything").unwrap()),
            ..issued()
        })
    });
    assert_own(&lab.present(&token).await, 502, "bad_gateway", &[&token]);
    provider.respond(|_, _| panic!("a fault in the exchanger"));
    let answer = lab.present(&token).await;
    assert_own(&answer, 503, "temporarily_unavailable", &[&token]);
    assert_untouched(&lab);
    let reason = ["reason=\"wider_than_permitted\""];
    lab.counts("obo_denied_total", &reason, 2).await;
    assert_silent(&lab, &token);
}

#[tokio::test]
async fn a_token_without_an_expiry_time_is_used_and_not_cached() {
    let profile = ProviderProfile {
        without_expiry: WithoutExpiry::DoNotCache,
        ..profile()
    };
    let endless = || TokenResponse {
        expires_in: None,
        ..issued()
    };
    let provider = Scripted::new(profile, move |_, _| Ok(endless()));
    let lab = lab_with(provider.clone()).await;
    let token = lab.token();
    for _ in 0..3 {
        assert_eq!(lab.present(&token).await.status(), 200);
    }
    assert_eq!(provider.exchanges(), 3);
    assert_eq!(lab.origin.requests().len(), 3);
    lab.counts("obo_cache_total", &["result=\"miss\""], 3).await;
}
