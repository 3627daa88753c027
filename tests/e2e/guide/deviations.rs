//! Intended differences between the gateway's responses and the guide.

use super::rig::{
    ACCESS_TOKEN, END_USER, Guide, ID_TOKEN, JWT, USER_ID, audiences, names, refused, scopes, text,
};
use serde_json::json;

#[tokio::test]
async fn an_issued_token_never_outlives_the_tokens_it_was_made_from() {
    let guide = Guide::start().await;
    let end = guide.lab.now() + 90;
    let short = guide.signed_in(json!({"sub": END_USER, "scope": "openid", "exp": end}));
    let form = [
        ("subject_token", short.as_str()),
        ("subject_token_type", ACCESS_TOKEN),
        ("requested_token_type", JWT),
    ];
    let answer = guide.exchange(&form).await;
    assert!(answer["expires_in"].as_i64().unwrap() <= 90, "{answer}");
    for token in ["access_token", "id_token"] {
        let claims = guide.claims(&text(&answer, token)).await;
        assert!(claims["exp"].as_i64().unwrap() <= end, "{claims}");
    }
    let actor = guide.signed_in(json!({
        "sub": super::rig::IMPERSONATOR, "scope": "openid", "exp": end,
    }));
    let form = [
        ("subject_token", END_USER),
        ("subject_token_type", USER_ID),
        ("actor_token", &actor),
        ("actor_token_type", ACCESS_TOKEN),
        ("requested_token_type", JWT),
    ];
    let answer = guide.exchange(&form).await;
    let claims = guide.claims(&text(&answer, "access_token")).await;
    assert!(claims["exp"].as_i64().unwrap() <= end, "{claims}");
}

#[tokio::test]
async fn scope_never_grows() {
    let guide = Guide::start().await;
    let subject = guide.signed_in(json!({"sub": END_USER, "scope": "openid aggregates.read"}));
    let form = [
        ("subject_token", subject.as_str()),
        ("subject_token_type", ACCESS_TOKEN),
        ("scope", "openid aggregates.read settings.write"),
    ];
    refused(&guide.ask(&form).await, "invalid_scope");
    let profile = [&form[..2], &[("scope", "openid profile")]].concat();
    refused(&guide.ask(&profile).await, "invalid_scope");
    // impersonation does not add scope either: neither of the two users may write settings
    let form = [
        ("subject_token", END_USER),
        ("subject_token_type", USER_ID),
        ("actor_token", &guide.impersonator()),
        ("actor_token_type", ACCESS_TOKEN),
        ("scope", "openid settings.write"),
    ];
    refused(&guide.ask(&form).await, "invalid_scope");
}

#[tokio::test]
async fn a_jwt_access_token_has_the_shape_of_rfc_9068() {
    let guide = Guide::start().await;
    let form = [
        ("subject_token", &*guide.end_user()),
        ("subject_token_type", ACCESS_TOKEN),
        ("requested_token_type", JWT),
        ("audience", "aggregates"),
        ("scope", "openid aggregates.read"),
    ];
    let answer = guide.exchange(&form).await;
    let (header, claims) = guide.verified(&text(&answer, "access_token")).await;
    assert_eq!(header["typ"], "at+jwt");
    for claim in [
        "iss",
        "exp",
        "aud",
        "sub",
        "client_id",
        "iat",
        "jti",
        "scope",
    ] {
        assert!(
            claims.get(claim).is_some(),
            "{claim} is missing from {:?}",
            names(&claims)
        );
    }
    assert_eq!(scopes(&claims), ["aggregates.read", "openid"]);
    // the header of the ID token shows that it is not an access token
    let (header, _) = guide.verified(&text(&answer, "id_token")).await;
    assert_ne!(header["typ"], "at+jwt");
}

#[tokio::test]
async fn a_known_resource_is_its_audience_and_an_unknown_one_an_invalid_target() {
    let guide = Guide::start().await;
    let subject = guide.end_user();
    let form = |resource| {
        [
            ("subject_token", subject.as_str()),
            ("subject_token_type", ACCESS_TOKEN),
            ("requested_token_type", JWT),
            ("resource", resource),
        ]
    };
    let answer = guide
        .exchange(&form("https://aggregates.example.com/v1"))
        .await;
    let claims = guide.claims(&text(&answer, "access_token")).await;
    assert_eq!(audiences(&claims), ["aggregates"]);
    for resource in [
        "https://aggregates.example.com/v2",
        "https://settings.example.com",
        "https://aggregates.example.com/v1#part",
        "aggregates",
    ] {
        refused(&guide.ask(&form(resource)).await, "invalid_target");
    }
}

#[tokio::test]
async fn an_id_token_gives_no_access_token_without_scope() {
    let guide = Guide::start().await;
    let subject = guide.id_token(json!({}));
    let form = [
        ("subject_token", subject.as_str()),
        ("subject_token_type", ID_TOKEN),
    ];
    refused(&guide.ask(&form).await, "invalid_scope");
    let form = [&form[..], &[("scope", "aggregates.read")]].concat();
    refused(&guide.ask(&form).await, "invalid_scope");
    for more in [("scope", "openid"), ("requested_token_type", ID_TOKEN)] {
        let form = [&form[..2], &[more]].concat();
        guide.exchange(&form).await;
    }
}

#[tokio::test]
async fn an_actor_that_holds_no_scope_gives_none_to_a_subject_that_has_none() {
    let guide = Guide::start().await;
    let actor = guide.id_token(json!({"sub": super::rig::IMPERSONATOR}));
    let form = [
        ("subject_token", END_USER),
        ("subject_token_type", USER_ID),
        ("actor_token", &actor),
        ("actor_token_type", ID_TOKEN),
        ("requested_token_type", JWT),
    ];
    refused(&guide.ask(&form).await, "invalid_scope");
}
