//! Tokens that are not acceptable: the response is the same for every reason.

use super::{assert_own, assert_untouched};
use crate::e2e::support::{
    Lab, Setup, Signer,
    signer::{signing_input, with},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::EncodingKey;
use obo_gateway::jose::Algorithm;
use serde_json::{Value, json};

/// Presents each token and compares the responses; only the metric distinguishes the reasons.
async fn refused(lab: &Lab, tokens: &[(&str, String)], reason: Option<&str>) {
    for (what, token) in tokens {
        let answer = lab.present(token).await;
        assert_eq!(
            answer.status(),
            401,
            "{what}: {}",
            String::from_utf8_lossy(&answer.body)
        );
        assert_own(&answer, 401, "invalid_token", &[token]);
        assert_eq!(
            answer.json()["error_description"],
            "the token is not acceptable",
            "{what}"
        );
        let challenge = answer.challenge().unwrap();
        assert!(
            challenge.ends_with(r#"error="invalid_token""#),
            "{challenge}"
        );
    }
    assert_untouched(lab);
    if let Some(reason) = reason {
        let label = format!("reason=\"{reason}\"");
        lab.counts("obo_denied_total", &[&label], tokens.len())
            .await;
    }
}

#[tokio::test]
async fn a_token_without_a_signature_is_refused() {
    let lab = Lab::start().await;
    let good = lab.token();
    let (input, signature) = good.rsplit_once('.').unwrap();
    let claims = lab.claims(json!({}));
    let none = |alg: &str| {
        signing_input(
            &with(lab.idp.signer().header(), json!({"alg": alg})),
            claims.to_string().as_bytes(),
        )
    };
    let tokens = [
        ("none", format!("{}.", none("none"))),
        (
            "None with a signature",
            format!("{}.{signature}", none("None")),
        ),
        ("NONE", format!("{}.", none("NONE"))),
        ("empty alg", format!("{}.{signature}", none(""))),
        ("cut off", format!("{input}.")),
        ("two parts", input.to_owned()),
        ("four parts", format!("{good}.{signature}")),
        ("not a token", "aaaa".to_owned()),
        ("dots", ".".repeat(5_000)),
    ];
    refused(&lab, &tokens, None).await;
}

#[tokio::test]
async fn a_signature_made_with_the_public_key_as_a_secret_is_refused() {
    let lab = Lab::start().await;
    let jwk = lab.idp.signer().jwk();
    let secrets = [
        jwk.to_string().into_bytes(),
        jwk["x"].as_str().unwrap().as_bytes().to_vec(),
        URL_SAFE_NO_PAD.decode(jwk["x"].as_str().unwrap()).unwrap(),
        Vec::new(),
    ];
    let header = with(lab.idp.signer().header(), json!({"alg": "HS256"}));
    let tokens = secrets.map(|secret| {
        let input = signing_input(&header, lab.claims(json!({})).to_string().as_bytes());
        let key = EncodingKey::from_secret(&secret);
        let mac =
            jsonwebtoken::crypto::sign(input.as_bytes(), &key, jsonwebtoken::Algorithm::HS256);
        ("HS256", format!("{input}.{}", mac.unwrap()))
    });
    refused(&lab, &tokens, None).await;
}

#[tokio::test]
async fn a_changed_or_foreign_signature_is_refused() {
    let lab = Lab::start().await;
    let good = lab.token();
    let (input, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = input.split_once('.').unwrap();
    let other = URL_SAFE_NO_PAD.encode(lab.claims(json!({"sub": "mallory"})).to_string());
    let mut flipped = URL_SAFE_NO_PAD.decode(signature).unwrap();
    flipped[10] ^= 1;
    let stranger = Signer::es256();
    let forged = stranger.sign_bytes(
        &lab.idp.signer().header(),
        lab.claims(json!({})).to_string().as_bytes(),
    );
    let tokens = [
        ("another payload", format!("{header}.{other}.{signature}")),
        (
            "a flipped bit",
            format!("{input}.{}", URL_SAFE_NO_PAD.encode(flipped)),
        ),
        (
            "zeros",
            format!("{input}.{}", URL_SAFE_NO_PAD.encode([0; 64])),
        ),
        ("a stranger's key", forged),
    ];
    refused(&lab, &tokens, Some("signature")).await;
}

#[tokio::test]
async fn no_key_is_taken_from_inside_a_token() {
    let lab = Lab::start().await;
    let stranger = Signer::es256();
    let claims = lab.claims(json!({})).to_string();
    let before = lab.idp.requests();
    let sign =
        |changes: Value| stranger.sign_bytes(&with(stranger.header(), changes), claims.as_bytes());
    let url = format!("{}/evil", lab.origin.url());
    let tokens = [
        ("jwk", sign(json!({"jwk": stranger.jwk()}))),
        ("jku", sign(json!({"jku": url}))),
        ("x5u", sign(json!({"x5u": url}))),
        (
            "crit",
            lab.idp.signer().sign_bytes(
                &with(lab.idp.signer().header(), json!({"crit": ["x"], "x": 1})),
                claims.as_bytes(),
            ),
        ),
        ("kid of another kind", sign(json!({"kid": 7}))),
        ("kid as a path", sign(json!({"kid": "../../etc/passwd"}))),
        ("no kid", sign(json!({"kid": null}))),
    ];
    refused(&lab, &tokens, None).await;
    // one fetch because of the unknown keys: metadata and keys
    assert!(lab.idp.requests() - before <= 2);
}

#[tokio::test]
async fn an_algorithm_outside_the_list_is_refused_though_its_key_is_published() {
    let lab = Lab::start().await;
    let other = Signer::generate(Algorithm::EdDSA);
    lab.idp.publish(&[lab.idp.signer(), &other]);
    refused(
        &lab,
        &[("EdDSA", other.sign(&lab.claims(json!({}))))],
        Some("algorithm"),
    )
    .await;
}

#[tokio::test]
async fn times_are_held_without_mercy_for_the_end() {
    let lab = Lab::start().await;
    let now = lab.now();
    let tokens = [
        (
            "expired",
            lab.token_with(json!({"exp": now - 1, "iat": now - 60})),
        ),
        ("expires now", lab.token_with(json!({"exp": now}))),
        ("no exp", lab.token_with(json!({"exp": null}))),
        ("exp as text", lab.token_with(json!({"exp": "9999999999"}))),
        ("not yet valid", lab.token_with(json!({"nbf": now + 120}))),
        ("from the future", lab.token_with(json!({"iat": now + 120}))),
        (
            "a lifetime that is too long",
            lab.token_with(json!({"exp": now + 200_000})),
        ),
    ];
    refused(&lab, &tokens, None).await;
    let leeway = lab.token_with(json!({"nbf": now + 10, "iat": now + 10}));
    assert_eq!(lab.present(&leeway).await.status(), 200);
}

#[tokio::test]
async fn issuer_audience_and_subject_are_held_exactly() {
    let lab = Lab::start().await;
    let issuer = lab.idp.issuer();
    let tokens = [
        (
            "another issuer",
            lab.token_with(json!({"iss": "https://other.example.com"})),
        ),
        (
            "a slash more",
            lab.token_with(json!({"iss": format!("{issuer}/")})),
        ),
        ("no issuer", lab.token_with(json!({"iss": null}))),
        ("issuers", lab.token_with(json!({"iss": [issuer]}))),
        (
            "another audience",
            lab.token_with(json!({"aud": "portal2"})),
        ),
        ("another case", lab.token_with(json!({"aud": "Portal"}))),
        ("a prefix", lab.token_with(json!({"aud": "port"}))),
        (
            "the upstream's",
            lab.token_with(json!({"aud": "orders-api"})),
        ),
        ("no audience", lab.token_with(json!({"aud": null}))),
        ("an empty list", lab.token_with(json!({"aud": []}))),
        ("a number", lab.token_with(json!({"aud": 1}))),
        ("no subject", lab.token_with(json!({"sub": null}))),
        ("an empty subject", lab.token_with(json!({"sub": ""}))),
        ("a number for a subject", lab.token_with(json!({"sub": 1}))),
    ];
    refused(&lab, &tokens, None).await;
    let several = lab.token_with(json!({"aud": ["other", "portal"]}));
    assert_eq!(lab.present(&several).await.status(), 200);
}

#[tokio::test]
async fn a_sender_constrained_token_is_no_bearer_token() {
    let lab = Lab::start().await;
    let tokens = [
        ("DPoP", lab.token_with(json!({"cnf": {"jkt": "abc"}}))),
        ("mTLS", lab.token_with(json!({"cnf": {"x5t#S256": "abc"}}))),
        ("empty", lab.token_with(json!({"cnf": {}}))),
    ];
    refused(&lab, &tokens, Some("sender_constrained")).await;
}

#[tokio::test]
async fn duplicate_members_and_deep_json_are_refused() {
    let lab = Lab::start().await;
    let signer = lab.idp.signer();
    let claims = lab.claims(json!({})).to_string();
    let twice = claims.replacen('{', r#"{"sub":"mallory","#, 1);
    let scopes = claims.replacen('{', r#"{"scope":"admin","#, 1);
    let nested = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let deep = claims.replacen('{', &format!(r#"{{"x":{nested},"#), 1);
    let sign = |payload: &str| signer.sign_bytes(&signer.header(), payload.as_bytes());
    let tokens = [
        ("sub twice", sign(&twice)),
        ("scope twice", sign(&scopes)),
        ("too deep", sign(&deep)),
        ("not an object", sign("[1]")),
        ("more than JSON", sign(&format!("{claims} x"))),
    ];
    refused(&lab, &tokens, None).await;
}

#[tokio::test]
async fn what_is_not_an_access_token_is_refused() {
    let lab = Lab::with(Setup {
        issuer: format!(
            "{}, required_claims: {{ token_use: access }}",
            crate::e2e::support::lab::ISSUER
        ),
        ..Setup::default()
    })
    .await;
    let signer = lab.idp.signer();
    let access = lab.claims(json!({"token_use": "access"}));
    let typed = |typ: Value| {
        signer.sign_bytes(
            &with(signer.header(), json!({"typ": typ})),
            access.to_string().as_bytes(),
        )
    };
    let tokens = [
        ("an ID token", typed(json!("JWT"))),
        ("no typ", typed(json!(null))),
        ("a logout token", typed(json!("logout+jwt"))),
        ("a proof", typed(json!("dpop+jwt"))),
        ("token_use id", lab.token_with(json!({"token_use": "id"}))),
        ("token_use missing", lab.token_with(json!({}))),
        (
            "Keycloak refresh",
            lab.token_with(json!({"token_use": "access", "typ": "Refresh"})),
        ),
    ];
    refused(&lab, &tokens, None).await;
    assert_eq!(
        lab.present(&typed(json!("application/AT+JWT")))
            .await
            .status(),
        200
    );
}

#[tokio::test]
async fn the_gateways_own_tokens_are_refused() {
    let lab = Lab::start().await;
    assert_eq!(lab.present(&lab.token()).await.status(), 200);
    let own = lab.origin.request().bearer().unwrap().to_owned();
    lab.origin.forget();
    refused(&lab, &[("an issued token", own)], Some("self_issued")).await;
}
