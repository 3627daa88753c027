//! A real browser, if one is installed: `.ci/run` runs this test by name, or reports that it is skipped.

use crate::e2e::support::{Lab, PATIENCE, answer};
use std::{
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::spawn_blocking,
    time::timeout,
};

/// Sends a request with each token in turn and writes what a script can see of each response.
const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><pre id="seen"></pre><script>
const seen = [];
async function ask(method, token) {
  try {
    const headers = { Authorization: 'Bearer ' + token, 'Content-Type': 'application/json' };
    const answer = await fetch('API/orders/1', { method, headers, body: method === 'POST' ? '{}' : undefined });
    const challenge = answer.headers.get('WWW-Authenticate');
    const custom = answer.headers.get('X-Custom');
    seen.push([method, answer.status, challenge, custom, answer.headers.get('X-Request-Id') !== null, await answer.text()]);
  } catch (error) {
    seen.push([method, error.name]);
  }
}
(async () => {
  await ask('POST', 'GOOD');
  await ask('GET', 'a.b.c');
  await ask('DELETE', 'GOOD');
  document.querySelector('#seen').textContent = JSON.stringify(seen);
})();
</script>"#;

/// Serves the page on every path of both names of this machine.
async fn serve(listener: TcpListener, page: String) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let bytes = answer(
            "200 OK",
            &[("Content-Type", "text/html"), ("Connection", "close")],
            &page,
        );
        tokio::spawn(async move {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(&bytes).await;
        });
    }
}

/// Returns what the page of `origin` shows after its script has ended.
async fn shown(origin: &str, profile: &Path) -> serde_json::Value {
    let mut chromium = Command::new("chromium");
    chromium
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-proxy-server",
            "--virtual-time-budget=20000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("{origin}/"))
        .stderr(Stdio::null());
    let output = spawn_blocking(move || chromium.output());
    let output = timeout(PATIENCE, output).await.expect("no page");
    let output = output.unwrap().unwrap();
    let dom = String::from_utf8(output.stdout).unwrap();
    let text = dom.split("<pre id=\"seen\">").nth(1).unwrap_or_default();
    let text = text.split("</pre>").next().unwrap_or_default();
    serde_json::from_str(&text.replace("&quot;", "\"").replace("&amp;", "&"))
        .unwrap_or_else(|_| panic!("{dom}"))
}

async fn start(page: SocketAddr) -> Lab {
    let routes = format!(
        r#"
  - name: orders
    match: {{ prefix: /orders }}
    upstream: {{ targets: [ {{ url: ORIGIN }} ] }}
    exchange: {{ audience: orders-api, scope: {{ allow: [orders.read] }} }}
    cors: {{ origins: ["http://{page}"], methods: [GET, POST], headers: [Authorization, Content-Type], max_age: 10m }}
"#
    );
    let lab = Lab::routes(&routes).await;
    let fields = [
        ("X-Custom", "seen"),
        ("Access-Control-Allow-Origin", "http://nobody.example"),
    ];
    lab.origin.always(answer("200 OK", &fields, "hello"));
    lab
}

#[tokio::test]
#[ignore = "needs chromium"]
async fn a_script_of_an_allowed_origin_calls_the_api_and_reads_a_refusal_and_no_other_does() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let page = listener.local_addr().unwrap();
    let lab = start(page).await;
    let text = PAGE
        .replace("API", &format!("http://{}", lab.address()))
        .replace("GOOD", &lab.token());
    tokio::spawn(serve(listener, text));
    let profile = tempfile::tempdir().unwrap();

    let seen = shown(&format!("http://{page}"), profile.path()).await;
    assert_eq!(
        seen[0],
        serde_json::json!(["POST", 200, null, "seen", true, "hello"])
    );
    assert_eq!(seen[1][1], 401);
    let challenge = seen[1][2].as_str().unwrap();
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    assert!(seen[1][5].as_str().unwrap().contains("\"invalid_token\""));
    assert_eq!(seen[2], serde_json::json!(["DELETE", "TypeError"]));
    assert_eq!(lab.origin.request().method(), "POST");

    // the same page under this machine's other name has a different origin
    lab.origin.forget();
    let seen = shown(&format!("http://localhost:{}", page.port()), profile.path()).await;
    let refused = |method: &str| serde_json::json!([method, "TypeError"]);
    assert_eq!(
        seen,
        serde_json::json!([refused("POST"), refused("GET"), refused("DELETE")])
    );
    assert!(lab.origin.requests().is_empty());
}
