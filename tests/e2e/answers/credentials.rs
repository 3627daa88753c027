//! How a request presents its token.

use super::{assert_own, assert_untouched};
use crate::e2e::support::{Ask, Lab};

#[tokio::test]
async fn a_request_without_a_bearer_token_is_challenged_without_an_error_code() {
    let lab = Lab::start().await;
    for ask in [
        Ask::get("/orders/1"),
        Ask::get("/orders/1").field("Authorization", "Basic YWxpY2U6c2VjcmV0"),
        Ask::get("/orders/1").field("Authorization", "DPoP a.b.c"),
        Ask::get("/orders/1").field("Authorization", ""),
        Ask::get("/orders/1").field("Proxy-Authorization", &format!("Bearer {}", lab.token())),
    ] {
        let answer = lab.ask(ask).await;
        assert_own(&answer, 401, "unauthorized", &["YWxpY2U6c2VjcmV0"]);
        let challenge = answer.challenge().unwrap();
        assert!(challenge.starts_with("Bearer realm=\""), "{challenge}");
        assert!(!challenge.contains("error"), "{challenge}");
    }
    assert_untouched(&lab);
    lab.counts("obo_denied_total", &["no_credentials"], 5).await;
}

#[tokio::test]
async fn what_is_not_one_bearer_token_is_an_invalid_request() {
    let lab = Lab::start().await;
    let token = lab.token();
    let get = || Ask::get("/orders/1");
    for ask in [
        get().field("Authorization", "Bearer"),
        get().field("Authorization", "Bearer\ta.b.c"),
        get().field("Authorization", "Bearer a b"),
        get().field("Authorization", &format!("Bearer \"{token}\"")),
        get().field("Authorization", &format!("Bearer {token}, Bearer {token}")),
        get().bearer(&token).bearer(&token),
        get().field("Authorization", "Basic YTpi").bearer(&token),
        Ask::get(&format!("/orders/1?access_token={token}")),
        Ask::get(&format!("/orders/1?access%5Ftoken={token}")).bearer(&token),
        Ask::get("/orders/1?x=1&access_token=").bearer(&token),
    ] {
        let answer = lab.ask(ask).await;
        assert_own(&answer, 400, "invalid_request", &[&token]);
    }
    assert_untouched(&lab);
}

#[tokio::test]
async fn a_copy_of_the_token_in_the_target_is_an_invalid_request() {
    let lab = Lab::start().await;
    let token = lab.token();
    let signature = token.rsplit('.').next().unwrap();
    for target in [
        format!("/orders/{token}"),
        format!("/orders/1?next={token}"),
        format!("/orders/1?next={signature}"),
        format!("/orders/1?next={}", crate::e2e::support::encoded(&token)),
    ] {
        let answer = lab.ask(Ask::get(&target).bearer(&token)).await;
        assert_own(&answer, 400, "invalid_request", &[&token, signature]);
    }
    assert_untouched(&lab);
    lab.counts("obo_leak_blocked_total", &["request_target"], 4)
        .await;
}

#[tokio::test]
async fn too_long_a_token_too_large_a_head_and_too_long_a_target_have_their_own_status() {
    let lab = Lab::start().await;
    let long = "a".repeat(17 << 10);
    let answer = lab.present(&long).await;
    assert_own(&answer, 431, "invalid_request", &[&long]);

    let ask = Ask::get("/orders/1").bearer(&lab.token());
    let answer = lab.ask(ask.field("X-Padding", &"a".repeat(66 << 10))).await;
    assert_own(&answer, 431, "invalid_request", &["aaaa"]);

    let target = format!("/orders/{}", "a".repeat(9 << 10));
    let answer = lab.ask(Ask::get(&target).bearer(&lab.token())).await;
    assert_own(&answer, 414, "invalid_request", &["aaaa"]);
    assert_untouched(&lab);
}

#[tokio::test]
async fn a_connection_serves_on_after_a_refusal() {
    let lab = Lab::start().await;
    let mut client = crate::e2e::support::Client::connect(lab.address()).await;
    for _ in 0..3 {
        let answer = client.ask(&Ask::get("/orders/1")).await.unwrap();
        assert_eq!(answer.status(), 401);
        let answer = client
            .ask(&Ask::get("/orders/1").bearer(&lab.token()))
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
    }
}
