//! Client authentication.

use super::{
    ASSERTION_TYPE, SECRET, Service, assert_authenticated, assert_invalid, assert_stranger, basic,
    post, told,
};
use crate::e2e::support::{Answer, Setup, Signer};
use serde_json::{Value, json};

/// As RFC 6749 §2.3.1 says.
const ENCODED: &str = "web%40portal:a%2Bsecret%25of+sixteen+bytes%3Aor+more";

#[track_caller]
fn assert_challenged(answer: &Answer) {
    assert_eq!(told(answer), (401, "invalid_client".to_owned()));
    let challenge = answer.challenge();
    assert_eq!(
        challenge,
        Some(r#"Basic realm="obo-gateway", charset="UTF-8""#)
    );
}

#[tokio::test]
async fn a_secret_in_the_field_counts_encoded_and_as_it_is() {
    let service = Service::start().await;
    for credentials in [ENCODED.to_owned(), format!("web@portal:{SECRET}")] {
        let answer = service.lab.ask(basic(&credentials, &[])).await;
        assert_authenticated(&answer);
        let named = basic(&credentials, &[("client_id", "web@portal")]);
        assert_authenticated(&service.lab.ask(named).await);
    }
    let scheme = post(&[]).field(
        "Authorization",
        &basic(ENCODED, &[]).fields[1].1.replace("Basic", "bASIC"),
    );
    assert_authenticated(&service.lab.ask(scheme).await);
}

#[tokio::test]
async fn a_failed_attempt_in_the_field_is_challenged_whatever_was_wrong_with_it() {
    let service = Service::start().await;
    for credentials in [
        "web@portal:wrong",
        "web@portal:",
        "nobody:a secret",
        ":",
        "web@portal",
        &format!("post:{SECRET}"),
        &format!("proxy-only:{SECRET}"),
        &format!("WEB@PORTAL:{SECRET}"),
        "public:",
    ] {
        assert_challenged(&service.lab.ask(basic(credentials, &[])).await);
    }
    for field in ["Basic !", "Bearer YTpi", "Negotiate YTpi"] {
        let ask = post(&[]).field("Authorization", field);
        assert_challenged(&service.lab.ask(ask).await);
    }
    let labels = ["route=\"none\"", "reason=\"client_authentication\""];
    service.lab.counts("obo_denied_total", &labels, 12).await;
}

#[tokio::test]
async fn a_secret_in_the_form_counts_for_the_client_that_is_configured_so() {
    let service = Service::start().await;
    let ask = |id, secret| post(&[("client_id", id), ("client_secret", secret)]);
    assert_authenticated(&service.lab.ask(ask("post", SECRET)).await);
    for (id, secret) in [
        ("post", "wrong"),
        ("web@portal", SECRET),
        ("nobody", SECRET),
        ("public", SECRET),
        ("", SECRET),
    ] {
        assert_stranger(&service.lab.ask(ask(id, secret)).await);
    }
}

#[tokio::test]
async fn a_public_client_says_its_name_and_nobody_else_gets_in_so() {
    let service = Service::start().await;
    assert_authenticated(&service.lab.ask(post(&[("client_id", "public")])).await);
    for id in ["web@portal", "post", "signs", "proxy-only", "nobody"] {
        assert_stranger(&service.lab.ask(post(&[("client_id", id)])).await);
    }
    assert_stranger(&service.lab.ask(post(&[])).await);
}

#[tokio::test]
async fn an_assertion_counts_once() {
    let service = Service::start().await;
    let assertion = service.assertion(json!({}));
    assert_authenticated(&service.present(&assertion).await);
    assert_stranger(&service.present(&assertion).await);
    let endpoint = format!(
        "{}{}",
        crate::e2e::support::lab::GATEWAY_ISSUER,
        super::PATH
    );
    let other = service.assertion(json!({"jti": "2", "aud": [endpoint]}));
    let form = [
        ("client_assertion", other.as_str()),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_id", "signs"),
    ];
    assert_authenticated(&service.lab.ask(post(&form)).await);
}

#[tokio::test]
async fn an_assertion_that_is_somebody_elses_or_not_current_is_refused() {
    let service = Service::start().await;
    let now = service.lab.now();
    for changes in [
        json!({"aud": "https://other.example"}),
        json!({"aud": null}),
        json!({"exp": now - 1}),
        json!({"exp": null}),
        json!({"exp": now + 7_200}),
        json!({"iat": now + 600}),
        json!({"sub": "post"}),
        json!({"iss": "post"}),
        json!({"iss": "nobody", "sub": "nobody"}),
        json!({"jti": null, "exp": now + 400}),
        json!({"jti": null, "iat": now - 400}),
        json!({"jti": null, "iat": null, "exp": now + 600}),
        json!({"jti": ""}),
    ] {
        let answer = service.present(&service.assertion(changes)).await;
        assert_stranger(&answer);
    }
    assert_stranger(&service.present("not.a.jwt").await);
    let right = service.assertion(json!({}));
    let other = [
        ("client_assertion", right.as_str()),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_id", "post"),
    ];
    assert_stranger(&service.lab.ask(post(&other)).await);
    let saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
    let other = [
        ("client_assertion", right.as_str()),
        ("client_assertion_type", saml),
    ];
    assert_stranger(&service.lab.ask(post(&other)).await);
    // none of these attempts has used the assertion
    assert_authenticated(&service.present(&right).await);
}

#[tokio::test]
async fn an_assertion_without_an_identifier_is_accepted_for_its_five_minutes() {
    let service = Service::start().await;
    let now = service.lab.now();
    for changes in [
        json!({"jti": null}),
        json!({"jti": null, "iat": null}),
        json!({"jti": null, "iat": now - 100, "exp": now + 60}),
    ] {
        let assertion = service.assertion(changes);
        for _ in 0..2 {
            assert_authenticated(&service.present(&assertion).await);
        }
    }
}

#[tokio::test]
async fn a_client_that_says_so_uses_one_assertion_until_it_expires() {
    let sections = "  - id: again
    authentication: { method: private_key_jwt, jwks_file: signs.jwks, assertion_reuse: until_expiry }
    audiences: [orders-api]
    scope: { allow: [orders.read] }
";
    let service = Service::with(Setup {
        sections: sections.to_owned(),
        ..Setup::default()
    })
    .await;
    let now = service.lab.now();
    let own = |changes: Value| {
        let mut claims = json!({"iss": "again", "sub": "again"});
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        service.assertion(claims)
    };
    for assertion in [own(json!({})), own(json!({"exp": now + 600}))] {
        for _ in 0..3 {
            assert_authenticated(&service.present(&assertion).await);
        }
    }
    for changes in [
        json!({"exp": now}),
        json!({"exp": now + 3_700}),
        json!({"jti": null, "exp": now + 600}),
        json!({"aud": "https://other.example"}),
    ] {
        assert_stranger(&service.present(&own(changes)).await);
    }
    // for the other clients each assertion is still accepted only once
    let once = service.assertion(json!({}));
    assert_authenticated(&service.present(&once).await);
    assert_stranger(&service.present(&once).await);
}

#[tokio::test]
async fn an_assertion_signed_with_another_key_is_refused() {
    let service = Service::start().await;
    let stranger = Service {
        signer: Signer::es256(),
        lab: service.lab,
    };
    assert_stranger(&stranger.present(&stranger.assertion(json!({}))).await);
}

#[tokio::test]
async fn a_client_that_tries_two_ways_at_once_is_refused_even_when_both_are_right() {
    let service = Service::start().await;
    let assertion = service.assertion(json!({}));
    let secret = [("client_id", "web@portal"), ("client_secret", SECRET)];
    let assertion = [
        ("client_assertion", assertion.as_str()),
        ("client_assertion_type", ASSERTION_TYPE),
    ];
    for ask in [
        basic(ENCODED, &secret),
        basic(ENCODED, &assertion),
        post(&[secret, assertion].concat()),
        basic(ENCODED, &[]).field("Authorization", "Basic YTpi"),
        basic(ENCODED, &[("client_id", "post")]),
        post(&assertion[..1]),
        post(&assertion[1..]),
    ] {
        assert_invalid(&service.lab.ask(ask).await);
    }
}
