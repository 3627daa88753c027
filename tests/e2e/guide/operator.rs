//! The effect of an operator's revocation of the gateway's own tokens.

use super::rig::{ACCESS_TOKEN, AGGREGATES, Guide, WEB, granted, refused, text};
use crate::e2e::revocation::revoke;
use serde_json::{Value, json};

async fn revoked(guide: &Guide, token: &str) -> Value {
    let answer = revoke(&guide.lab, &json!({"token": {"token": token}})).await;
    assert_eq!(answer.status(), 200);
    answer.json()
}

async fn is_active(guide: &Guide, token: &str) -> bool {
    guide.introspect(AGGREGATES, token).await["active"] == true
}

#[tokio::test]
async fn an_opaque_token_ends_with_what_was_made_of_it() {
    let guide = Guide::start().await;
    let first = guide.opaque(&guide.end_user()).await;
    let second = guide.opaque(&first).await;
    let other = guide.opaque(&guide.end_user()).await;
    assert!(is_active(&guide, &second).await);
    let told = revoked(&guide, &first).await;
    assert_eq!(told["revoked"], "token");
    assert!(!is_active(&guide, &first).await);
    assert!(!is_active(&guide, &second).await);
    assert!(is_active(&guide, &other).await);
    // not longer than the token's lifetime: twelve hours
    let held = told["until"].as_i64().unwrap() - told["at"].as_i64().unwrap();
    assert!((43_000..=43_200).contains(&held), "{told}");
}

#[tokio::test]
async fn a_refresh_token_ends_with_all_that_came_of_it() {
    let guide = Guide::start().await;
    let form = [
        (
            "subject_token",
            &*guide.signed_in(json!({"scope": "openid offline_access aggregates.read"})),
        ),
        ("subject_token_type", ACCESS_TOKEN),
    ];
    let [first, other] = [guide.exchange(&form).await, guide.exchange(&form).await];
    let refresh = async |token: &str| {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        guide.post("/oauth/v2/token", WEB, &form).await
    };
    let used = text(&first, "refresh_token");
    let second = granted(&refresh(&used).await);
    // also a refresh token that was used before: it identifies its family
    assert_eq!(revoked(&guide, &used).await["revoked"], "refresh_token");
    for answer in [&first, &second] {
        assert!(!is_active(&guide, &text(answer, "access_token")).await);
    }
    let newest = refresh(&text(&second, "refresh_token")).await;
    refused(&newest, "invalid_grant");
    assert!(is_active(&guide, &text(&other, "access_token")).await);
    granted(&refresh(&text(&other, "refresh_token")).await);
    let audit = guide.lab.audit();
    assert!(audit.contains(r#""revoked":"refresh_token""#), "{audit}");
}
