//! "Refresh an impersonated token".

use super::rig::{
    ACCESS_TOKEN, AGGREGATES, END_USER, Guide, IMPERSONATOR, JWT, USER_ID, WEB, audiences, granted,
    names, refused, scopes, text,
};
use crate::e2e::support::Answer;
use serde_json::{Value, json};

async fn impersonated(guide: &Guide) -> Value {
    let form = [
        ("subject_token", END_USER),
        ("subject_token_type", USER_ID),
        ("actor_token", &guide.impersonator()),
        ("actor_token_type", ACCESS_TOKEN),
        ("requested_token_type", JWT),
        ("scope", "openid profile email offline_access"),
    ];
    guide.exchange(&form).await
}

async fn refresh(guide: &Guide, token: &str, scope: Option<&str>) -> Answer {
    let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
    form.extend(scope.map(|scope| ("scope", scope)));
    guide.post("/oauth/v2/token", WEB, &form).await
}

#[tokio::test]
async fn offline_access_adds_a_refresh_token() {
    let guide = Guide::start().await;
    let answer = impersonated(&guide).await;
    assert_eq!(
        names(&answer),
        [
            "access_token",
            "expires_in",
            "id_token",
            "issued_token_type",
            "refresh_token",
            "scope",
            "token_type"
        ]
    );
    assert_eq!(
        scopes(&answer),
        ["email", "offline_access", "openid", "profile"]
    );
}

#[tokio::test]
async fn the_actor_survives_a_refresh_and_the_access_token_is_opaque_again() {
    let guide = Guide::start().await;
    let first = impersonated(&guide).await;
    let actor = json!({"iss": guide.provider(), "sub": IMPERSONATOR});
    let refreshed = granted(&refresh(&guide, &text(&first, "refresh_token"), None).await);
    let token = text(&refreshed, "access_token");
    assert!(!token.contains('.'), "{token}");
    assert_eq!(refreshed["token_type"], "Bearer");
    assert_eq!(scopes(&refreshed), scopes(&first));
    let told = guide.introspect(AGGREGATES, &token).await;
    assert_eq!(told["act"], actor, "{told}");
    assert_eq!(told["sub"], END_USER);
    let before = guide.claims(&text(&first, "id_token")).await;
    let after = guide.claims(&text(&refreshed, "id_token")).await;
    for claim in ["iss", "sub", "azp", "client_id", "act", "name", "email"] {
        assert_eq!(after[claim], before[claim], "{claim}");
    }
    assert_eq!(after["act"], actor);
    assert_eq!(audiences(&after), audiences(&before));
    assert_ne!(after["at_hash"], before["at_hash"]);
}

#[tokio::test]
async fn a_refresh_token_is_good_once() {
    let guide = Guide::start().await;
    let first = text(&impersonated(&guide).await, "refresh_token");
    let second = granted(&refresh(&guide, &first, None).await);
    refused(&refresh(&guide, &first, None).await, "invalid_grant");
    let last = text(&second, "refresh_token");
    refused(&refresh(&guide, &last, None).await, "invalid_grant");
    let token = text(&second, "access_token");
    assert_eq!(
        guide.introspect(AGGREGATES, &token).await,
        json!({"active": false})
    );
}

#[tokio::test]
async fn a_refresh_narrows_the_access_token_alone() {
    let guide = Guide::start().await;
    let first = text(&impersonated(&guide).await, "refresh_token");
    let narrow = granted(&refresh(&guide, &first, Some("email")).await);
    assert_eq!(narrow["scope"], "email");
    let next = text(&narrow, "refresh_token");
    let wide = granted(&refresh(&guide, &next, None).await);
    assert_eq!(
        scopes(&wide),
        ["email", "offline_access", "openid", "profile"]
    );
    let next = text(&wide, "refresh_token");
    let answer = refresh(&guide, &next, Some("email settings.write")).await;
    refused(&answer, "invalid_scope");
}
