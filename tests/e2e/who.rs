//! Access log, audit log and `explain` show who called which route, and why a request was refused.

use crate::e2e::support::{Answer, Ask, Client, Lab, Setup, Signer, process::program, until};
use serde_json::{Value, json};
use std::{fs, process::Output};

/// Waits until the access log has `number` lines, and returns them.
async fn lines(lab: &Lab, number: usize) -> Vec<Value> {
    let text = || fs::read_to_string(lab.file("access.jsonl")).unwrap_or_default();
    until(&format!("{number} lines are written"), || {
        text().lines().count() >= number
    })
    .await;
    let text = text();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

fn refusals(lab: &Lab) -> Vec<Value> {
    let text = lab.audit();
    let events = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let refused = events.filter(|event: &Value| event["event"] == "token_refused");
    refused.collect()
}

async fn decision(lab: &Lab, id: &str) -> Answer {
    let admin = lab.gateway.admin_address();
    let ask = Ask::get(&format!("/decisions/{id}")).host(&admin.to_string());
    Client::connect(admin).await.ask(&ask).await.unwrap()
}

/// Returns a line without its time, because the log and the record read the clock separately.
fn untimed(line: &Value) -> Value {
    let mut line = line.clone();
    line.as_object_mut().unwrap().remove("ts");
    line
}

/// Returns the members that two lines of one refusal have in common.
fn lasting(line: &Value) -> Value {
    let mut line = line.as_object().unwrap().clone();
    let own = ["ts", "duration_us", "exchange_us", "request_id", "cache"];
    line.retain(|name, _| !own.contains(&name.as_str()));
    Value::from(line)
}

async fn explain(lab: &Lab, arguments: &[&str]) -> Output {
    let admin = lab.gateway.admin_address().to_string();
    explain_at(lab, &admin, arguments).await
}

/// Runs the command with an admin listener at this address.
async fn explain_at(lab: &Lab, admin: &str, arguments: &[&str]) -> Output {
    let mut command = program();
    command
        .arg("explain")
        .args(arguments)
        .arg("--config")
        .arg(lab.file("gateway.yaml"))
        .arg("--admin")
        .arg(admin);
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn said(ran: &Output) -> String {
    let text = [ran.stdout.as_slice(), &ran.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn a_line_says_who_called_what_and_where_it_went_whether_remembered_or_not() {
    let lab = Lab::start().await;
    let token = lab.token();
    for path in ["/orders/7?secret=1", "/orders/a%20b", "/orders/%22x"] {
        let ask = Ask::get(path).host("api.example.com:8443").bearer(&token);
        assert_eq!(lab.ask(ask).await.status(), 200);
    }
    let issued = lab.issued(&lab.origin.requests()[0]).await;
    let lines = lines(&lab, 3).await;
    let target = lab.origin.url();
    for (line, (path, cache)) in lines.iter().zip([
        ("/orders/7", "miss"),
        ("/orders/a%20b", "hit"),
        ("/orders/%22x", "hit"),
    ]) {
        assert_eq!(
            (&line["path"], &line["cache"]),
            (&json!(path), &json!(cache))
        );
        assert_eq!(line["method"], "GET");
        assert_eq!(line["host"], "api.example.com:8443");
        assert_eq!(
            format!("http://{}", line["target"].as_str().unwrap()),
            target
        );
        assert_eq!(line["issuer"], "corp");
        for claim in ["sub", "jti"] {
            assert_eq!(line[claim], issued[claim], "{claim} of {line}");
        }
        assert_eq!(line["client_id"], "web");
        assert_eq!(line["actor"], issued["act"]["sub"]);
        assert!(line.get("subject").is_none() && line.get("detail").is_none());
    }
}

#[tokio::test]
async fn a_pseudonym_is_logged_as_it_was_issued() {
    let lab = Lab::with(Setup {
        routes: crate::e2e::support::lab::ORDERS.replace("lifetime: 2m", "subject: pairwise"),
        service: ", pairwise_salt: { file: salt }".to_owned(),
        files: vec![("salt", "x".repeat(64))],
        ..Setup::default()
    })
    .await;
    assert_eq!(lab.present(&lab.token()).await.status(), 200);
    let issued = lab.issued(&lab.origin.requests()[0]).await;
    let line = &lines(&lab, 1).await[0];
    assert_eq!(line["sub"], issued["sub"]);
    assert!(!line.to_string().contains("alice"));
}

#[tokio::test]
async fn fields_are_removed_and_added_and_an_unknown_one_is_a_finding() {
    let lab = Lab::with(Setup {
        access: ", fields: { remove: [sub, path, jti], add: [http_version, attempts] }".to_owned(),
        ..Setup::default()
    })
    .await;
    assert_eq!(lab.present(&lab.token()).await.status(), 200);
    let line = lines(&lab, 1).await.remove(0);
    for removed in ["sub", "path", "jti"] {
        assert!(line.get(removed).is_none(), "{line}");
    }
    assert_eq!(
        (&line["http_version"], &line["attempts"]),
        (&json!("HTTP/1.1"), &json!(1))
    );
    assert_eq!(line["client_id"], "web");
    for wrong in [
        "{ add: [query] }",
        "{ remove: [ts] }",
        "{ add: [attempts], remove: [attempts] }",
    ] {
        let good = fs::read_to_string(lab.file("gateway.yaml")).unwrap();
        let begin = good.find("fields: ").unwrap();
        let end = begin + good[begin..].find(" } }, audit").unwrap();
        let bad = format!("{}fields: {wrong}{}", &good[..begin], &good[end..]);
        fs::write(lab.file("bad.yaml"), bad).unwrap();
        let mut command = program();
        command
            .arg("check")
            .arg("--config")
            .arg(lab.file("bad.yaml"));
        let ran = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        assert_eq!(ran.status.code(), Some(2), "{wrong}: {}", said(&ran));
    }
}

#[tokio::test]
async fn a_refusal_after_a_valid_signature_names_whom_it_is_about_whatever_the_reason() {
    let lab = Lab::with(Setup {
        issuer: format!(
            "{}, required_claims: {{ token_use: access }}",
            crate::e2e::support::lab::ISSUER
        ),
        ..Setup::default()
    })
    .await;
    let with = |changes: Value| {
        let mut claims = json!({"token_use": "access"});
        claims
            .as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        lab.token_with(claims)
    };
    let now = lab.now();
    let cases = [
        ("audience", with(json!({"aud": "settings"}))),
        ("expired", with(json!({"exp": now - 5}))),
        ("not_yet_valid", with(json!({"nbf": now + 600}))),
        (
            "lives_too_long",
            with(json!({"iat": now, "exp": now + 400 * 86_400})),
        ),
        ("required_claim", with(json!({"token_use": "id2"}))),
        ("sender_constrained", with(json!({"cnf": {"jkt": "x"}}))),
        ("scope_not_held", with(json!({"scope": "profile"}))),
        ("claims", with(json!({"scope": 7}))),
        (
            "not_authorized_actor",
            with(json!({"may_act": {"sub": "somebody"}})),
        ),
    ];
    for (_, token) in &cases {
        // the second refusal may be cached
        for _ in 0..2 {
            assert!(lab.present(token).await.status() >= 400);
        }
    }
    let lines = lines(&lab, 2 * cases.len()).await;
    for (pair, (reason, _)) in lines.chunks(2).zip(&cases) {
        for line in pair {
            assert_eq!(line["reason"], *reason, "{line}");
            let who = ["issuer", "subject", "client_id"].map(|name| &line[name]);
            assert_eq!(
                who,
                [&json!("corp"), &json!("alice"), &json!("web")],
                "{line}"
            );
            assert!(
                line["detail"]
                    .as_str()
                    .is_some_and(|detail| detail.len() > 10),
                "{line}"
            );
            assert!(line.get("sub").is_none() && line.get("jti").is_none());
        }
        assert_eq!(
            lasting(&pair[0]),
            lasting(&pair[1]),
            "a cached refusal is as complete"
        );
    }
    let audited = refusals(&lab);
    assert_eq!(audited.len(), 2 * cases.len());
    for event in audited {
        let who = ["issuer", "subject", "client_id"].map(|name| &event[name]);
        assert_eq!(
            who,
            [&json!("corp"), &json!("alice"), &json!("web")],
            "{event}"
        );
    }
}

#[tokio::test]
async fn a_refusal_before_the_signature_names_nobody() {
    let lab = Lab::start().await;
    let stranger = Signer::es256();
    let forged = stranger.sign(&lab.claims(json!({})));
    let other = lab.token_with(json!({"iss": "https://elsewhere.example"}));
    for token in [&forged, &other, &"garbage.garbage.garbage".to_owned()] {
        assert_eq!(lab.present(token).await.status(), 401);
    }
    for line in lines(&lab, 3).await {
        for name in ["issuer", "subject", "sub", "client_id"] {
            assert!(line.get(name).is_none(), "{line}");
        }
    }
}

#[tokio::test]
async fn what_is_left_of_no_scope_is_told_with_what_was_wanted_and_held() {
    let lab = Lab::with(Setup {
        routes: crate::e2e::support::lab::ORDERS.replace(", require: [orders.read]", ""),
        ..Setup::default()
    })
    .await;
    for (scope, held) in [
        ("profile mail", "available mail profile"),
        ("", "available nothing"),
        ("orders.reads", "available orders.reads"),
    ] {
        let token = lab.token_with(json!({"scope": scope}));
        assert_eq!(lab.present(&token).await.status(), 403);
        let count = lab.metric("obo_denied_total", &["reason=\"no_scope_left\""]) as usize;
        let lines = lines(&lab, count.max(1)).await;
        let line = lines.last().unwrap();
        let detail = line["detail"].as_str().unwrap();
        assert!(
            detail.contains("requested orders.read orders.write"),
            "{detail}"
        );
        until("the line of this request is there", || {
            fs::read_to_string(lab.file("access.jsonl"))
                .unwrap()
                .contains(held)
        })
        .await;
    }
}

#[tokio::test]
async fn a_copy_of_the_token_in_path_or_host_is_never_logged_whatever_becomes_of_the_request() {
    let lab = Lab::start().await;
    let tokens = [
        lab.token(),
        lab.token_with(json!({"aud": "settings"})),
        Signer::es256().sign(&lab.claims(json!({}))),
    ];
    let mut asked = 0;
    for token in &tokens {
        for path in [
            format!("/orders/{token}"),
            format!("/nowhere/{token}"),
            format!("/status/x{token}"),
        ] {
            lab.ask(Ask::get(&path).bearer(token)).await;
            asked += 1;
        }
        lab.ask(Ask::get("/nowhere").host(token).bearer(token))
            .await;
        asked += 1;
    }
    let text = lines(&lab, asked).await;
    let text = Value::from(text).to_string();
    for token in &tokens {
        let signature = token.rsplit('.').next().unwrap();
        assert!(!text.contains(signature), "{text}");
    }
    assert!(text.contains("withheld"), "{text}");
}

#[tokio::test]
async fn the_decision_on_a_request_is_found_by_its_id() {
    let lab = Lab::start().await;
    let (good, poor) = (lab.token(), lab.token_with(json!({"scope": "mail"})));
    for token in [&good, &good, &poor, &poor] {
        lab.present(token).await;
    }
    lab.ask(Ask::get("/nowhere")).await;
    let lines = lines(&lab, 5).await;
    let id = |line: usize| lines[line]["request_id"].as_str().unwrap().to_owned();
    let miss = decision(&lab, &id(0)).await.json();
    assert_eq!(untimed(&miss["request"]), untimed(&lines[0]));
    let hit = decision(&lab, &id(1)).await.json();
    assert_eq!(hit["kept"], "served_from_memory");
    for name in ["sub", "client_id", "jti", "status", "request_id"] {
        assert_eq!(hit["request"][name], lines[1][name], "{name}");
    }
    for refused in [2, 3] {
        let told = decision(&lab, &id(refused)).await.json();
        assert_eq!(untimed(&told["request"]), untimed(&lines[refused]));
        let steps = told["steps"].as_array().unwrap();
        assert_eq!(
            steps.last().unwrap(),
            &json!({"step": "required_scope", "passed": false})
        );
        assert!(steps.contains(&json!({"step": "signature", "passed": true})));
        let text = told.to_string();
        assert!(!text.contains(&poor) && !text.contains(poor.rsplit('.').next().unwrap()));
    }
    assert_eq!(
        decision(&lab, &id(4)).await.json()["request"]["reason"],
        "no_route"
    );
    for (wrong, status) in [
        (&"0".repeat(32), 404),
        (&"x".to_owned(), 400),
        (&"A".repeat(32), 400),
    ] {
        assert_eq!(decision(&lab, wrong).await.status(), status);
    }

    let ran = explain(&lab, &["--request-id", &id(3)]).await;
    assert_eq!(ran.status.code(), Some(1));
    let text = said(&ran);
    assert!(
        text.contains("✘ required scope") && text.contains("subject      alice"),
        "{text}"
    );
    assert!(text.contains("available mail"), "{text}");
    let ran = explain(&lab, &["--request-id", &id(1), "--json"]).await;
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    let ran = explain(&lab, &["--request-id", &"0".repeat(32)]).await;
    assert_eq!(ran.status.code(), Some(2));
}

#[tokio::test]
async fn explain_knows_what_is_revoked() {
    let lab = Lab::with(Setup {
        sections: "store: { embedded: { path: store } }".to_owned(),
        ..Setup::default()
    })
    .await;
    let token = lab.token();
    fs::write(lab.file("token"), &token).unwrap();
    let file = lab.file("token").display().to_string();
    let url = "https://api.example.com/orders/1";
    let asked = ["--url", url, "--token-file", &file, "--json"];
    let ran = explain(&lab, &asked).await;
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    let subject = json!({"subject": {"issuer": "corp", "sub": "alice"}});
    let answer = crate::e2e::revocation::revoke(&lab, &subject).await;
    assert_eq!(answer.status(), 200);
    let ran = explain(&lab, &asked).await;
    assert_eq!(ran.status.code(), Some(1), "{}", said(&ran));
    let told: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(told["answer"]["reason"], "revoked");
    let steps = told["steps"].as_array().unwrap();
    assert_eq!(steps.last().unwrap()["step"], "revocation");
    assert_eq!(lab.present(&token).await.status(), 401);
    // if the gateway does not respond, the command says that the revocations are unknown
    let ran = explain_at(&lab, "127.0.0.1:1", &asked).await;
    assert!(String::from_utf8_lossy(&ran.stderr).contains("revocations are unknown"));
}

#[tokio::test]
async fn explain_works_where_secrets_are_missing() {
    let lab = Lab::with(Setup {
        service: ", pairwise_salt: { file: salt }".to_owned(),
        sections: "clients: [ { id: portal, authentication: { method: client_secret_post, secret: { file: secret } }, \
                   audiences: [orders-api], scope: { allow: [orders.read] }, token_formats: [jwt] } ]"
            .to_owned(),
        files: vec![("salt", "x".repeat(64)), ("secret", "y".repeat(32))],
        ..Setup::default()
    })
    .await;
    fs::write(lab.file("token"), lab.token()).unwrap();
    for missing in ["salt", "secret", "signing.pem"] {
        fs::remove_file(lab.file(missing)).unwrap();
        let file = lab.file("token").display().to_string();
        let url = "https://api.example.com/orders/1";
        let ran = explain(&lab, &["--url", url, "--token-file", &file]).await;
        assert_eq!(ran.status.code(), Some(0), "{missing}: {}", said(&ran));
        assert!(!lab.file(missing).exists(), "{missing} is not made");
    }
}

#[tokio::test]
async fn explain_works_where_the_files_of_tls_cannot_be_read() {
    let lab = Lab::start().await;
    fs::write(lab.file("token"), lab.token()).unwrap();
    let written = fs::read_to_string(lab.file("gateway.yaml")).unwrap();
    let names = vec!["localhost".to_owned()];
    let pair = rcgen::generate_simple_self_signed(names).unwrap();
    fs::write(lab.file("cert.pem"), pair.cert.pem()).unwrap();
    let origin = lab.origin.url();
    let listener = r#"address: "127.0.0.1:0""#;
    let secured =
        |keys: &str| written.replacen(listener, &format!("{listener}, tls: {{ {keys} }}"), 1);
    let upstream = |keys: &str| {
        let (plain, secure) = (
            format!("url: {origin}"),
            format!("url: {}", origin.replace("http:", "https:")),
        );
        let secure = written.replace(
            &format!("{{ {plain} }} ]"),
            &format!("{{ {secure} }} ], tls: {{ {keys} }}"),
        );
        assert_ne!(secure, written);
        secure
    };
    let (token, url) = (
        lab.file("token").display().to_string(),
        "https://api.example.com/orders/1",
    );
    for (what, yaml) in [
        (
            "the key",
            secured("certificate: cert.pem, private_key: gone.pem"),
        ),
        (
            "both",
            secured("certificate: gone.pem, private_key: gone.pem"),
        ),
        (
            "a key that is a folder",
            secured("certificate: cert.pem, private_key: ."),
        ),
        (
            "the CA certificates",
            secured("certificate: gone.pem, private_key: gone.pem, client_ca: gone.pem"),
        ),
        (
            "the key for an upstream",
            upstream("certificate: cert.pem, private_key: gone.pem"),
        ),
        ("an upstream's CA certificates", upstream("ca: gone.pem")),
        (
            "the key of the admin listener",
            written.replace(
                &format!("admin: {{ {listener}"),
                &format!(
                    "admin: {{ {listener}, tls: {{ certificate: cert.pem, private_key: gone.pem }}"
                ),
            ),
        ),
    ] {
        fs::write(lab.file("gateway.yaml"), yaml).unwrap();
        let ran = explain(&lab, &["--url", url, "--token-file", &token]).await;
        assert_eq!(ran.status.code(), Some(0), "{what}: {}", said(&ran));
        let checked = crate::e2e::support::process::check(&lab.file("gateway.yaml"));
        assert_eq!(checked.status.code(), Some(2), "{what}: {}", said(&checked));
    }
    // a file that can be read but is wrong is an error
    fs::write(lab.file("empty.pem"), "").unwrap();
    let yaml = secured("certificate: cert.pem, private_key: empty.pem");
    fs::write(lab.file("gateway.yaml"), yaml).unwrap();
    let ran = explain(&lab, &["--url", url, "--token-file", &token]).await;
    assert_eq!(ran.status.code(), Some(2), "{}", said(&ran));
}
