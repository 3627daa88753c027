//! The canary tests over HTTP/2, where a head is not text and the target contains the host.

use super::{Aviary, requests};
use reqwest::{Certificate, Client, Method, Version, header::HeaderMap};
use serde_json::json;
use std::fs;

const HOST: &str = "localhost";

/// The gateway with a certificate, and a client that trusts it.
async fn start() -> (Aviary, Client, String) {
    let own = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    let certificate = own.cert.pem();
    let aviary = Aviary::with(|folder, yaml| {
        fs::write(folder.join("cert.pem"), own.cert.pem()).unwrap();
        fs::write(folder.join("key.pem"), own.signing_key.serialize_pem()).unwrap();
        yaml.replacen(
            r#"{ address: "127.0.0.1:0" }"#,
            r#"{ address: "127.0.0.1:0", tls: { certificate: cert.pem, private_key: key.pem } }"#,
            1,
        )
    })
    .await;
    let client = Client::builder()
        .tls_certs_only([Certificate::from_pem(certificate.as_bytes()).unwrap()])
        .no_proxy()
        .resolve(HOST, aviary.process.address)
        .timeout(crate::e2e::support::PATIENCE)
        .build()
        .unwrap();
    let origin = format!("https://{HOST}:{}", aviary.process.address.port());
    (aviary, client, origin)
}

/// Returns the status and the whole response.
async fn ask(
    client: &Client,
    method: &str,
    url: &str,
    fields: &[(String, String)],
) -> (u16, String) {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name: http::HeaderName = name.parse().unwrap();
        headers.append(name, value.parse().unwrap());
    }
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let answer = client
        .request(method, url)
        .headers(headers)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.version(), Version::HTTP_2);
    let (status, head) = (answer.status().as_u16(), format!("{:?}", answer.headers()));
    (status, head + &answer.text().await.unwrap())
}

#[tokio::test]
async fn no_trace_of_a_token_over_http_2() {
    let (mut aviary, client, origin) = start().await;
    let mut exchanged = 0;
    for (path, copies) in [
        ("/orders/1", requests::copies()),
        ("/status/1", requests::copies()),
    ] {
        for copy in copies {
            let token = aviary.token(json!({}));
            let authorization = ("authorization".to_owned(), format!("Bearer {token}"));
            let fields = [authorization, copy.field(&token)];
            let url = format!("{origin}{path}");
            let (status, answer) = ask(&client, "GET", &url, &fields).await;
            assert_eq!(status, 200, "{:?}", copy.field("a.b.c"));
            exchanged += usize::from(path == "/orders/1");
            aviary.answers.extend_from_slice(answer.as_bytes());
        }
    }
    let token = aviary.token(json!({}));
    let fields = [("authorization".to_owned(), format!("Bearer {token}"))];
    for path in ["/orders", "/status"] {
        for target in requests::targets() {
            let url = format!("{origin}{}", target(path, &token));
            let (status, answer) = ask(&client, "GET", &url, &fields).await;
            assert_eq!(status, 400, "{url}");
            aviary.answers.extend_from_slice(answer.as_bytes());
        }
        let (status, answer) = ask(&client, &token, &format!("{origin}{path}"), &fields).await;
        assert_eq!(status, 400);
        aviary.answers.extend_from_slice(answer.as_bytes());
    }
    assert_eq!(aviary.search().await, exchanged);
}
