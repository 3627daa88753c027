//! A revoked token is refused from then on, even if its exchange is cached or in progress.

use crate::e2e::support::{
    Answer, Ask, Client, Lab, Setup, Signer, process::program, provider::Health, until,
};
use obo_gateway::clock::{Clock, ManualClock, SystemClock};
use serde_json::{Value, json};
use std::{net::SocketAddr, process::Output, sync::Arc, time::Duration};

/// Requests a revocation from the gateway's admin listener.
pub async fn revoke(lab: &Lab, asked: &Value) -> Answer {
    revoke_at(lab.gateway.admin_address(), asked).await
}

/// Requests a revocation from the admin listener at this address.
pub async fn revoke_at(admin: SocketAddr, asked: &Value) -> Answer {
    let ask = Ask::post("/revocations", asked.to_string())
        .host(&admin.to_string())
        .field("Content-Type", "application/json");
    let mut client = Client::connect(admin).await;
    client.ask(&ask).await.expect("no response")
}

async fn with_store() -> Lab {
    Lab::with(stored()).await
}

fn stored() -> Setup {
    Setup {
        sections: "store: { embedded: { path: store } }".to_owned(),
        ..Setup::default()
    }
}

fn exchanges(lab: &Lab) -> usize {
    lab.metric("obo_exchange_total", &["outcome=\"issued\""]) as usize
}

#[tokio::test]
async fn what_is_revoked_is_refused_from_then_on_though_it_is_remembered() {
    type Names = fn(&Lab) -> Value;
    let cases: [(&str, Names); 5] = [
        (
            "subject",
            |lab| json!({"subject": {"issuer": lab.idp.issuer(), "sub": "alice"}}),
        ),
        (
            "session",
            |lab| json!({"session": {"issuer": lab.idp.issuer(), "sid": "s-1"}}),
        ),
        (
            "client",
            |_| json!({"client": {"id": "web"}, "forever": true, "force": true}),
        ),
        (
            "signing_key",
            |lab| json!({"signing_key": {"issuer": "corp", "kid": lab.idp.signer().kid()}, "for": "7d"}),
        ),
        ("token", |lab| {
            let claims = lab.claims(json!({"jti": "t-1"}));
            json!({"token": {"token": lab.idp.signer().sign(&claims)}})
        }),
    ];
    for (kind, names) in cases {
        let lab = with_store().await;
        let token = lab.token_with(json!({"sid": "s-1", "jti": "t-1"}));
        for _ in 0..2 {
            assert_eq!(lab.present(&token).await.status(), 200, "{kind}");
        }
        let answer = revoke(&lab, &names(&lab)).await;
        assert_eq!(answer.status(), 200, "{kind}");
        let refused = lab.present(&token).await;
        assert_eq!(
            (refused.status(), refused.error()),
            (401, "invalid_token".to_owned()),
            "{kind}"
        );
        assert_eq!(lab.origin.requests().len(), 2, "{kind}");
        lab.counts("obo_denied_total", &["reason=\"revoked\""], 1)
            .await;
        assert!(
            lab.audit().contains(&format!(r#""revoked":"{kind}""#)),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn nobody_else_has_to_exchange_again() {
    let lab = with_store().await;
    let others = ["bob", "carol"].map(|sub| lab.token_with(json!({"sub": sub})));
    for token in &others {
        assert_eq!(lab.present(token).await.status(), 200);
    }
    let asked = json!({"subject": {"issuer": lab.idp.issuer(), "sub": "alice"}});
    assert_eq!(revoke(&lab, &asked).await.status(), 200);
    for token in &others {
        assert_eq!(lab.present(token).await.status(), 200);
    }
    assert_eq!(exchanges(&lab), 2);
}

#[tokio::test]
async fn who_signs_in_again_is_served_again() {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let lab = Lab::with(Setup {
        clock: Arc::clone(&clock) as _,
        ..stored()
    })
    .await;
    let before = lab.token();
    assert_eq!(lab.present(&before).await.status(), 200);
    let asked = json!({"subject": {"issuer": lab.idp.issuer(), "sub": "alice"}});
    assert_eq!(revoke(&lab, &asked).await.status(), 200);
    clock.advance(Duration::from_secs(10));
    let after = lab.token_with(json!({"iat": lab.now()}));
    assert_eq!(lab.present(&after).await.status(), 200);
    assert_eq!(lab.present(&before).await.status(), 401);
}

#[tokio::test]
async fn an_exchange_that_is_under_way_is_refused() {
    let lab = with_store().await;
    let successor = Signer::es256();
    lab.idp.publish(&[lab.idp.signer(), &successor]);
    let token = successor.sign(&lab.claims(json!({})));
    // an unknown key: the exchange waits until the provider publishes it
    lab.idp.turn(Health::Held);
    let asked = lab.idp.requests();
    let (answer, ()) = tokio::join!(lab.present(&token), async {
        until("the keys are asked for", || lab.idp.requests() > asked).await;
        let asked = json!({"subject": {"issuer": lab.idp.issuer(), "sub": "alice"}});
        assert_eq!(revoke(&lab, &asked).await.status(), 200);
        lab.idp.turn(Health::Good);
    });
    assert_eq!(answer.status(), 401);
    assert!(lab.origin.requests().is_empty());
    assert_eq!(exchanges(&lab), 0);
}

/// Runs `obo-gateway revoke` against the gateway of `lab`.
async fn command(lab: &Lab, arguments: &[&str]) -> Output {
    let mut command = program();
    command
        .arg("revoke")
        .args(arguments)
        .arg("--config")
        .arg(lab.file("gateway.yaml"))
        .arg("--admin")
        .arg(lab.gateway.admin_address().to_string());
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

#[tokio::test]
async fn the_command_revokes_and_says_what() {
    let lab = with_store().await;
    let token = lab.token();
    assert_eq!(lab.present(&token).await.status(), 200);
    let issuer = lab.idp.issuer().to_owned();
    let ran = command(&lab, &["subject", "--issuer", &issuer, "--sub", "alice"]).await;
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{ran:?}");
    assert!(
        said.starts_with(&format!("revoked: subject alice of {issuer}")),
        "{said}"
    );
    assert_eq!(lab.present(&token).await.status(), 401);
}

#[tokio::test]
async fn the_command_takes_a_token_from_a_file_and_does_not_repeat_it() {
    let lab = with_store().await;
    let token = lab.token();
    std::fs::write(lab.file("token"), format!("{token}\n")).unwrap();
    let file = lab.file("token").display().to_string();
    let ran = command(&lab, &["token", "--token-file", &file]).await;
    assert!(ran.status.success(), "{ran:?}");
    assert!(!String::from_utf8_lossy(&ran.stdout).contains(&token));
    assert_eq!(lab.present(&token).await.status(), 401);
}

#[tokio::test]
async fn a_command_that_revokes_nothing_does_not_succeed() {
    let lab = Lab::start().await;
    let ran = command(&lab, &["client", "portal", "--forever"]).await;
    assert_eq!(ran.status.code(), Some(1));
    let why = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(why.contains("has no store"), "{why}");
    let nobody = "127.0.0.1:1";
    let ran = command(&lab, &["client", "portal", "--forever", "--admin", nobody]).await;
    assert!(!ran.status.success());
}

fn said(ran: &Output) -> String {
    let text = [ran.stdout.as_slice(), &ran.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn an_issuer_is_named_as_in_the_configuration_and_the_command_says_what_ends() {
    let lab = with_store().await;
    let token = lab.token();
    assert_eq!(lab.present(&token).await.status(), 200);
    let ran = command(&lab, &["subject", "--issuer", "corp", "--sub", "alice"]).await;
    assert!(ran.status.success(), "{ran:?}");
    let text = said(&ran);
    let ends = format!("  ends   every token about alice of {}", lab.idp.issuer());
    assert!(
        text.contains(&ends) && text.contains("  until  20"),
        "{text}"
    );
    assert_eq!(lab.present(&token).await.status(), 401);
    let line = lab.audit();
    let line = line
        .lines()
        .find(|line| line.contains("token_revoked"))
        .unwrap();
    let event: Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        event["by"],
        json!({"credential": "loopback", "address": "127.0.0.1"})
    );
}

#[tokio::test]
async fn the_command_revokes_nothing_that_the_configuration_does_not_know_unless_it_is_forced() {
    let lab = with_store().await;
    let cases: [&[&str]; 5] = [
        &["subject", "--issuer", "crop", "--sub", "alice"],
        &[
            "session",
            "--issuer",
            "https://idp.example.com/",
            "--sid",
            "s",
        ],
        &["actor", "--issuer", "CORP", "--sub", "agent"],
        &["client", "wbe", "--for", "7d"],
        &["key", "--issuer", "corp", "--kid", "none such", "--forever"],
    ];
    for arguments in cases {
        let ran = command(&lab, arguments).await;
        assert_eq!(ran.status.code(), Some(1), "{arguments:?}");
        assert!(said(&ran).contains("--force"), "{}", said(&ran));
        let ran = command(&lab, &[arguments, &["--force"]].concat()).await;
        assert!(ran.status.success(), "{}", said(&ran));
    }
    let ran = command(&lab, &["client", "web"]).await;
    assert_eq!(ran.status.code(), Some(2));
    assert!(said(&ran).contains("--forever"));
}

#[tokio::test]
async fn what_is_revoked_is_listed_and_what_is_lifted_is_served_at_once() {
    let lab = with_store().await;
    let token = lab.token_with(json!({"sid": "s-1", "jti": "t-1"}));
    std::fs::write(lab.file("token"), &token).unwrap();
    let file = lab.file("token").display().to_string();
    let kid = lab.idp.signer().kid().to_owned();
    let cases: [(&[&str], &[&str]); 5] = [
        (&["subject", "--issuer", "corp", "--sub", "alice"], &[]),
        (&["session", "--issuer", "corp", "--sid", "s-1"], &[]),
        (&["client", "web"], &["--forever", "--force"]),
        (
            &["key", "--issuer", "corp", "--kid", &kid],
            &["--for", "1h"],
        ),
        (&["token", "--token-file", &file], &[]),
    ];
    for (target, options) in cases {
        assert_eq!(lab.present(&token).await.status(), 200, "{target:?}");
        let ran = command(&lab, &[target, options].concat()).await;
        assert!(ran.status.success(), "{}", said(&ran));
        // twice: the second refusal may be cached
        for _ in 0..2 {
            assert_eq!(lab.present(&token).await.status(), 401, "{target:?}");
        }
        let listed = said(&command(&lab, &["list"]).await);
        assert!(listed.contains("by operator"), "{listed}");
        let ran = command(&lab, &[&["lift"], target].concat()).await;
        assert!(ran.status.success(), "{}", said(&ran));
        assert_eq!(lab.present(&token).await.status(), 200, "{target:?}");
        assert_eq!(
            said(&command(&lab, &["list"]).await),
            "nothing is revoked\n"
        );
        let again = command(&lab, &[&["lift"], target].concat()).await;
        assert_eq!(again.status.code(), Some(1), "{}", said(&again));
    }
    let audit = lab.audit();
    assert_eq!(audit.matches("revocation_lifted").count(), 5, "{audit}");
}

#[tokio::test]
async fn a_revocation_is_lifted_by_the_id_that_the_list_shows() {
    let lab = with_store().await;
    let token = lab.token();
    let ran = command(&lab, &["subject", "--issuer", "corp", "--sub", "alice"]).await;
    assert!(ran.status.success());
    let listed = command(&lab, &["list", "--json"]).await;
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(
        (&listed["revoked"], &listed["subject"]),
        (&json!("subject"), &json!("alice"))
    );
    let id = listed["id"].as_str().unwrap();
    let ran = command(&lab, &["lift", "id", id]).await;
    assert!(ran.status.success(), "{}", said(&ran));
    assert_eq!(lab.present(&token).await.status(), 200);
    for wrong in ["", "0", "zz", &id.replace('0', "1")] {
        let ran = command(&lab, &["lift", "id", wrong]).await;
        assert_eq!(ran.status.code(), Some(1), "{wrong}");
    }
}
