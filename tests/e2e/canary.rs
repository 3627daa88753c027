//! The presented token does not appear in any byte that an upstream receives, in any log at any level, in any metric or in
//! any response. The issued token does not appear in any log.

mod aviary;
mod debug;
mod http2;
mod requests;
mod traces;

use crate::e2e::support::{
    Ask, Client, Reply, Signer, answer, encoded, lab, provider::Health, wire::Kind,
};
use aviary::Aviary;
use requests::Presented;
use serde_json::json;

#[tokio::test]
async fn no_trace_of_a_token_that_is_exchanged() {
    let mut aviary = Aviary::start().await;
    let (mut passed, mut tried) = (0, 0);
    for path in ["/orders/1", "/slow/1", "/generous/1"] {
        for copy in requests::copies() {
            let token = aviary.token(json!({}));
            // first without a cache entry, then with one
            for _ in 0..2 {
                let ask = copy.apply(Ask::get(path), &token).bearer(&token);
                let answer = aviary.ask(&ask).await.unwrap();
                passed += usize::from(answer.status() == 200);
                tried += 1;
            }
        }
    }
    assert_eq!(
        passed, tried,
        "a copy in a header is dropped, the request is served"
    );

    for body in requests::bodies() {
        let token = aviary.token(json!({}));
        let answer = aviary
            .write(
                &body.bytes("/orders/1", &token, Presented::AsBearer),
                Kind::Response,
            )
            .await;
        assert_eq!(answer.unwrap().status(), 200);
    }
    let token = aviary.token(json!({}));
    let head = Ask::new("HEAD", "/orders/1").bearer(&token);
    aviary
        .origin
        .always(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n".to_vec());
    assert_eq!(aviary.ask(&head).await.unwrap().status(), 200);
    assert!(aviary.search().await > tried);
}

#[tokio::test]
async fn no_trace_of_a_token_that_is_sent_to_a_public_route() {
    let mut aviary = Aviary::start().await;
    for copy in requests::copies() {
        let token = aviary.token(json!({}));
        let ask = copy.apply(Ask::get("/status/1"), &token).bearer(&token);
        assert_eq!(aviary.ask(&ask).await.unwrap().status(), 200);
    }
    for target in requests::targets() {
        let token = aviary.token(json!({}));
        let ask = Ask::get(&target("/status", &token)).bearer(&token);
        assert_eq!(
            aviary.ask(&ask).await.unwrap().status(),
            400,
            "{}",
            ask.target
        );
    }
    for body in requests::bodies() {
        let token = aviary.token(json!({}));
        let bytes = body.bytes("/status/1", &token, Presented::AsBearer);
        assert_eq!(
            aviary.write(&bytes, Kind::Response).await.unwrap().status(),
            200
        );
    }
    let (first, second) = (aviary.token(json!({})), aviary.token(json!({})));
    for ask in [
        Ask::get("/status")
            .bearer(&first)
            .bearer(&second)
            .field("X-Copy", &first),
        Ask::get("/status")
            .bearer(&first)
            .bearer(&second)
            .field("X-Copy", &second),
        Ask::get("/status")
            .field("Authorization", &format!("Bearer {first},Bearer {second}"))
            .field("X-Copy", &first),
        Ask::get("/status")
            .bearer(&first)
            .field("Connection", "Authorization")
            .field("X-Copy", &first),
        Ask::get("/status").bearer(&first).host(&first),
        Ask::new(&first, "/status").bearer(&first),
        Ask::get("/status")
            .field("Authorization", &format!("Bearer {first} "))
            .field("X-Copy", &first),
        Ask::get("/status")
            .field("Authorization", &format!("Bearer\t{first}"))
            .field("X-Copy", &first),
        Ask::get("/status")
            .field("Authorization", &format!("Bearer \"{first}\""))
            .field("X-Copy", &first),
    ] {
        aviary.ask(&ask).await.unwrap();
    }
    assert!(!aviary.origin.requests().is_empty());
    assert_eq!(aviary.search().await, 0, "nothing is attached");
}

#[tokio::test]
async fn no_trace_of_a_token_that_is_refused() {
    let mut aviary = Aviary::start().await;
    let now = Aviary::now();
    let stranger = Signer::es256();
    let claims = aviary.idp.claims(now, json!({}));
    let mut refused = vec![aviary.sign(&stranger, &claims)];
    for changes in [
        json!({"exp": now - 10}),
        json!({"aud": "other"}),
        json!({"iss": "https://other.example.com"}),
        json!({"iss": lab::GATEWAY_ISSUER}),
        json!({"scope": "profile"}),
        json!({"scope": 7}),
        json!({"sub": "web"}),
        json!({"may_act": {"sub": "x"}}),
        json!({"cnf": {"jkt": "x"}}),
        json!({"nbf": now + 500}),
        json!({"exp": null}),
        json!({"act": "x"}),
    ] {
        refused.push(aviary.token(changes));
    }
    for token in &refused {
        for copy in requests::copies() {
            let ask = copy.apply(Ask::get("/orders/1"), token).bearer(token);
            let status = aviary.ask(&ask).await.unwrap().status();
            assert!(matches!(status, 401 | 403), "{status}");
        }
    }
    let token = aviary.token(json!({}));
    let get = || Ask::get("/orders/1");
    for ask in [
        get().bearer(&token).bearer(&token),
        get().field("Authorization", &format!("Basic {token}")),
        get().field("Authorization", &format!("Bearer \"{token}\"")),
        get().field("Authorization", &format!("Bearer {token} {token}")),
        get().field("Proxy-Authorization", &format!("Bearer {token}")),
        get().bearer(&token.repeat(40)),
        get().bearer(&token).field("X-Large", &token.repeat(120)),
        Ask::get(&format!("/nowhere/{token}")).bearer(&token),
        Ask::get("/orders/../x").bearer(&token),
        Ask::new("TRACE", "/orders/1").bearer(&token),
        Ask::new("CONNECT", "api.example.com:443").bearer(&token),
        Ask::new(&token, "/orders").bearer(&token),
        Ask::get(&format!("/oauth/v2/keys?token={token}")).bearer(&token),
        Ask::post("/oauth/v2/keys", token.as_str()).bearer(&token),
        get().host(&token).bearer(&token),
        get()
            .bearer(&token)
            .field("Traceparent", &format!("00-{token}-01")),
        get().bearer(&token).field("X-Request-Id", &token),
    ] {
        aviary.ask(&ask).await;
    }
    for target in requests::targets() {
        let ask = Ask::get(&target("/orders", &token)).bearer(&token);
        assert_eq!(aviary.ask(&ask).await.unwrap().status(), 400);
    }
    for bytes in requests::garbage(&token) {
        aviary.write(&bytes, Kind::Response).await;
    }
    let admin = aviary.process.admin;
    for path in ["/metrics", "/readyz", "/nowhere"] {
        let ask = Ask::get(&format!("{path}?token={token}"))
            .bearer(&token)
            .host(&admin.to_string());
        aviary.write_to(admin, &ask.bytes(), Kind::Response).await;
        aviary
            .write_to(admin, &ask.host(&token).bytes(), Kind::Response)
            .await;
    }
    for bytes in requests::garbage(&token) {
        aviary.write_to(admin, &bytes, Kind::Response).await;
    }
    aviary.search().await;
}

#[tokio::test]
async fn no_trace_of_a_token_where_something_breaks() {
    let mut aviary = Aviary::start().await;
    let copy = |ask: Ask, token: &str| ask.bearer(token).field("X-Copy", token);
    let token = aviary.token(json!({}));
    let ask = copy(Ask::get("/gone/1"), &token);
    assert_eq!(aviary.ask(&ask).await.unwrap().status(), 502);

    aviary.origin.answers(|_| Reply::Hang);
    let ask = copy(Ask::post("/slow/1", "x"), &token);
    assert_eq!(aviary.ask(&ask).await.unwrap().status(), 504);

    for reply in requests::broken_answers() {
        let bytes = reply.to_vec();
        aviary
            .origin
            .answers(move |_| Reply::SendAndClose(bytes.clone()));
        let token = aviary.token(json!({}));
        for ask in [Ask::get("/orders/1"), Ask::post("/orders/1", "x=1")] {
            let status = aviary.ask(&copy(ask, &token)).await.unwrap().status();
            assert_eq!(status, 502, "{}", String::from_utf8_lossy(reply));
        }
    }
    aviary.origin.answers(|request| {
        let issued = request.bearer().unwrap();
        let fields = [("X-Leak", issued), ("Location", &encoded(issued))];
        Reply::Send(answer("200 OK", &fields, ""))
    });
    let token = aviary.token(json!({}));
    assert_eq!(
        aviary
            .ask(&copy(Ask::get("/orders/1"), &token))
            .await
            .unwrap()
            .status(),
        502
    );

    aviary.origin.always(answer("200 OK", &[], "fine"));
    for bytes in requests::abandoned(&token) {
        let mut client = Client::connect(aviary.process.address).await;
        client.send(&bytes).await;
    }
    aviary.idp.turn(Health::Failing);
    let unknown = aviary.idp.claims(Aviary::now(), json!({}));
    let unknown = aviary.sign(&Signer::es256(), &unknown);
    let ask = copy(Ask::get("/orders/1"), &unknown);
    assert_eq!(aviary.ask(&ask).await.unwrap().status(), 503);
    assert!(aviary.search().await > 0);
}
