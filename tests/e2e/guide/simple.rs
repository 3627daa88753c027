//! "Simple" exchanges: the subject token alone.

use super::rig::{
    ACCESS_TOKEN, AGGREGATES, AUDIENCES, END_USER, FORM, GRANT, Guide, ID_TOKEN, JWT, SETTINGS,
    WEB, audiences, form_of, granted, names, refused, scopes, text,
};
use crate::e2e::support::{Ask, lab::GATEWAY_ISSUER};
use serde_json::{Value, json};

const FIVE: [&str; 5] = [
    "aggregates.read",
    "email",
    "openid",
    "profile",
    "settings.write",
];

/// Returns the reduced token of the guide's first example, and its response.
async fn reduced(guide: &Guide) -> Value {
    let subject = guide.opaque(&guide.end_user()).await;
    let form = [
        ("subject_token", subject.as_str()),
        ("subject_token_type", ACCESS_TOKEN),
        ("scope", "openid"),
        ("audience", "aggregates"),
    ];
    guide.exchange(&form).await
}

fn all() -> Vec<&'static str> {
    let mut all = AUDIENCES.to_vec();
    all.sort_unstable();
    all
}

#[tokio::test]
async fn audience_and_scope_are_reduced() {
    let guide = Guide::start().await;
    let answer = reduced(&guide).await;
    assert_eq!(
        names(&answer),
        [
            "access_token",
            "expires_in",
            "id_token",
            "issued_token_type",
            "scope",
            "token_type"
        ]
    );
    assert_eq!(answer["issued_token_type"], ACCESS_TOKEN);
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["scope"], "openid");
    let life = answer["expires_in"].as_i64().unwrap();
    assert!((43_000..=43_200).contains(&life), "{life}");
    assert!(!text(&answer, "access_token").contains('.'), "{answer}");
    let identity = guide.claims(&text(&answer, "id_token")).await;
    assert_eq!(identity["sub"], END_USER);
    assert_eq!(identity["azp"], WEB.id);
    assert_eq!(identity["client_id"], WEB.id);
    assert_eq!(audiences(&identity), ["aggregates", WEB.id]);
    for profile in ["name", "email", "given_name"] {
        assert_eq!(identity.get(profile), None, "{identity}");
    }
}

#[tokio::test]
async fn introspecting_the_reduced_token_tells_the_api_no_more_than_it_needs() {
    let guide = Guide::start().await;
    let token = text(&reduced(&guide).await, "access_token");
    let told = guide.introspect(AGGREGATES, &token).await;
    assert_eq!(
        names(&told),
        [
            "active",
            "aud",
            "client_id",
            "exp",
            "iat",
            "iss",
            "jti",
            "nbf",
            "scope",
            "sub",
            "token_type"
        ]
    );
    assert_eq!(told["active"], true);
    assert_eq!(told["scope"], "openid");
    assert_eq!(told["client_id"], WEB.id);
    assert_eq!(told["token_type"], "Bearer");
    assert_eq!(told["sub"], END_USER);
    assert_eq!(told["aud"], json!(["aggregates"]));
    assert_eq!(told["iss"], GATEWAY_ISSUER);
    assert_eq!(told["nbf"], told["iat"]);
    let now = guide.lab.now();
    assert!(told["iat"].as_i64().unwrap() <= now);
    assert!(told["exp"].as_i64().unwrap() > now);
    assert!(!told["jti"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn another_api_learns_nothing_of_the_reduced_token() {
    let guide = Guide::start().await;
    let token = text(&reduced(&guide).await, "access_token");
    assert_eq!(
        guide.introspect(SETTINGS, &token).await,
        json!({"active": false})
    );
}

#[tokio::test]
async fn another_api_refuses_the_reduced_token() {
    let guide = Guide::start().await;
    let token = text(&reduced(&guide).await, "access_token");
    let answer = guide.lab.ask(Ask::get("/settings/1").bearer(&token)).await;
    assert_eq!(
        (answer.status(), answer.error().as_str()),
        (401, "invalid_token")
    );
    assert!(guide.lab.origin.requests().is_empty());
}

#[tokio::test]
async fn an_opaque_access_token_becomes_a_jwt_with_the_same_scope_and_audience() {
    let guide = Guide::start().await;
    let subject = guide.opaque(&guide.end_user()).await;
    let form = [
        ("subject_token", subject.as_str()),
        ("subject_token_type", ACCESS_TOKEN),
        ("requested_token_type", JWT),
    ];
    let answer = guide.exchange(&form).await;
    assert_eq!(answer["issued_token_type"], JWT);
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(scopes(&answer), FIVE);
    let claims = guide.claims(&text(&answer, "access_token")).await;
    assert_eq!(claims["iss"], GATEWAY_ISSUER);
    assert_eq!(claims["sub"], END_USER);
    assert_eq!(audiences(&claims), all());
    assert_eq!(claims["nbf"], claims["iat"]);
    assert_eq!(claims.get("act"), None);
    let identity = guide.claims(&text(&answer, "id_token")).await;
    assert_eq!(identity["name"], "end user");
    assert_eq!(identity["email"], "tim+end-user@example.com");
}

#[tokio::test]
async fn a_jwt_access_token_becomes_opaque() {
    let guide = Guide::start().await;
    let mut subject = guide.end_user();
    for of in ["the provider's", "the gateway's own"] {
        let form = [
            ("subject_token", subject.as_str()),
            ("subject_token_type", ACCESS_TOKEN),
            ("requested_token_type", ACCESS_TOKEN),
        ];
        let answer = guide.exchange(&form).await;
        let token = text(&answer, "access_token");
        assert!(!token.contains('.'), "{of}: {token}");
        assert_eq!(answer["issued_token_type"], ACCESS_TOKEN);
        assert_eq!(scopes(&answer), FIVE, "{of}");
        let told = guide.introspect(AGGREGATES, &token).await;
        assert_eq!(audiences(&told), all(), "{of}");
        let form = [
            ("subject_token", token.as_str()),
            ("subject_token_type", ACCESS_TOKEN),
            ("requested_token_type", JWT),
        ];
        subject = text(&guide.exchange(&form).await, "access_token");
    }
}

#[tokio::test]
async fn an_access_token_becomes_an_id_token_that_is_no_access_token() {
    let guide = Guide::start().await;
    let subject = guide.opaque(&guide.end_user()).await;
    let form = [
        ("client_id", FORM.id),
        ("client_secret", FORM.secret),
        ("grant_type", GRANT),
        ("subject_token", subject.as_str()),
        ("subject_token_type", ACCESS_TOKEN),
        ("requested_token_type", ID_TOKEN),
    ];
    let answer = guide.lab.ask(form_of("/oauth/v2/token", &form)).await;
    let answer = granted(&answer);
    assert_eq!(
        names(&answer),
        [
            "access_token",
            "expires_in",
            "issued_token_type",
            "scope",
            "token_type"
        ]
    );
    assert_eq!(answer["issued_token_type"], ID_TOKEN);
    assert_eq!(answer["token_type"], "N_A");
    assert_eq!(scopes(&answer), FIVE);
    let token = text(&answer, "access_token");
    let identity = guide.claims(&token).await;
    assert_eq!(identity["azp"], FORM.id);
    assert!(audiences(&identity).contains(&FORM.id));
    assert_eq!(identity["name"], "end user");
    assert_eq!(identity.get("at_hash"), None, "{identity}");
    assert_eq!(
        guide.introspect(AGGREGATES, &token).await,
        json!({"active": false})
    );
    let form = [
        ("subject_token", token.as_str()),
        ("subject_token_type", ACCESS_TOKEN),
    ];
    refused(&guide.ask(&form).await, "invalid_request");
}

#[tokio::test]
async fn an_id_token_becomes_an_access_token_of_either_form() {
    let guide = Guide::start().await;
    let subject = guide.id_token(json!({}));
    for (requested, is_jwt) in [(ACCESS_TOKEN, false), (JWT, true)] {
        let form = [
            ("subject_token", subject.as_str()),
            ("subject_token_type", ID_TOKEN),
            ("requested_token_type", requested),
            ("scope", "openid profile"),
            ("audience", "aggregates"),
        ];
        let answer = guide.exchange(&form).await;
        assert_eq!(answer["issued_token_type"], requested);
        assert_eq!(scopes(&answer), ["openid", "profile"]);
        let token = text(&answer, "access_token");
        assert_eq!(token.contains('.'), is_jwt, "{requested}");
        let told = guide.introspect(AGGREGATES, &token).await;
        assert_eq!(
            (&told["sub"], &told["aud"]),
            (&json!(END_USER), &json!(["aggregates"]))
        );
    }
}
