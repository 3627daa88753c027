//! The response to the client when the upstream misbehaves, and which parts of the upstream's response are forwarded.

use super::assert_own;
use crate::e2e::support::{Answer, Ask, Client, Lab, Reply, answer, encoded, lab::ORDERS};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::net::TcpListener;

#[tokio::test]
async fn a_downstream_that_is_not_there_is_a_bad_gateway() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let lab = Lab::routes(&ORDERS.replace("ORIGIN", &url)).await;
    assert_own(
        &lab.present(&lab.token()).await,
        502,
        "bad_gateway",
        &[&url],
    );
    lab.counts("obo_denied_total", &["upstream_unreachable"], 1)
        .await;
}

#[tokio::test]
async fn a_downstream_that_never_answers_is_a_timeout() {
    let lab = Lab::routes(&ORDERS.replace("response: 10s", "response: 200ms")).await;
    lab.origin.answers(|_| Reply::Hang);
    let answer = lab.present(&lab.token()).await;
    assert_own(&answer, 504, "gateway_timeout", &[]);
    let answer = lab
        .ask(Ask::post("/orders", "x=1").bearer(&lab.token()))
        .await;
    assert_own(&answer, 504, "gateway_timeout", &[]);
    lab.counts("obo_denied_total", &["upstream_timeout"], 2)
        .await;
}

#[tokio::test]
async fn what_is_no_http_is_a_bad_gateway() {
    let lab = Lab::start().await;
    for garbage in [
        "SSH-2.0-OpenSSH_9.9\r\n\r\n",
        "HTTP/1.1 999999 Strange\r\n\r\n",
        "HTTP/1.1 200 OK\r\nBad Header: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "",
        "HTTP/1.1 200",
    ] {
        lab.origin
            .answers(move |_| Reply::SendAndClose(garbage.as_bytes().to_vec()));
        let answer = lab.present(&lab.token()).await;
        assert_eq!(answer.status(), 502, "{garbage:?}");
        assert_own(&answer, 502, "bad_gateway", &["SSH", "Strange"]);
    }
}

#[tokio::test]
async fn an_answer_cut_short_is_cut_short_for_the_client() {
    let lab = Lab::start().await;
    lab.origin.answers(|_| {
        Reply::SendAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_vec())
    });
    let mut client = Client::connect(lab.address()).await;
    let answer = client
        .ask(&Ask::get("/orders/1").bearer(&lab.token()))
        .await;
    // how much was sent by then depends on timing, but the response must not look complete
    if let Some(answer) = answer {
        assert_eq!((answer.status(), answer.complete), (200, false));
    }
}

#[tokio::test]
async fn a_protocol_switch_is_refused_even_when_the_client_asks_for_it() {
    let lab = Lab::start().await;
    lab.origin.always(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
            .to_vec(),
    );
    let plain = Ask::get("/orders/1").bearer(&lab.token());
    let asked = plain
        .clone()
        .field("Connection", "Upgrade")
        .field("Upgrade", "websocket")
        .field("Sec-WebSocket-Version", "13")
        .field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    for ask in [plain, asked] {
        assert_own(&lab.ask(ask).await, 502, "bad_gateway", &["websocket"]);
    }
}

/// Returns name and value of a field that repeats a token.
type Place = fn(&str) -> (String, String);

#[tokio::test]
async fn an_issued_token_in_the_answers_head_is_a_blocked_leak() {
    let lab = Lab::start().await;
    let places: Vec<Place> = vec![
        |token| ("X-Debug".into(), format!("Bearer {token}")),
        |token| {
            (
                "Location".into(),
                format!("https://evil.example/?t={token}"),
            )
        },
        |token| ("Set-Cookie".into(), format!("t={token}")),
        |token| ("X-Debug".into(), encoded(token)),
        |token| ("X-Debug".into(), STANDARD.encode(format!("Bearer {token}"))),
        |token| ("X-Debug".into(), STANDARD.encode(format!("x{token}"))),
        |token| {
            (
                "X-Debug".into(),
                token.rsplit('.').next().unwrap().to_owned(),
            )
        },
        |token| {
            (
                format!("X-{}", token.rsplit('.').next().unwrap()),
                "1".into(),
            )
        },
    ];
    let count = places.len();
    for place in places {
        lab.origin.answers(move |request| {
            let (name, value) = place(request.bearer().unwrap());
            Reply::Send(answer("200 OK", &[(&name, &value)], "fine"))
        });
        let answer = lab.present(&lab.token()).await;
        let issued = lab.origin.requests().pop().unwrap();
        assert_own(&answer, 502, "bad_gateway", &[issued.bearer().unwrap()]);
    }
    lab.counts("obo_leak_blocked_total", &["response_head"], count)
        .await;
}

#[tokio::test]
async fn an_issued_token_in_an_informational_answer_is_a_blocked_leak() {
    let lab = Lab::start().await;
    lab.origin.answers(|request| {
        let token = request.bearer().unwrap();
        let early =
            format!("HTTP/1.1 103 Early Hints\r\nLink: <https://evil.example/{token}>\r\n\r\n");
        Reply::Send([early.into_bytes(), answer("200 OK", &[], "fine")].concat())
    });
    let mut client = crate::e2e::support::Client::connect(lab.address()).await;
    client
        .send(&Ask::get("/orders/1").bearer(&lab.token()).bytes())
        .await;
    let mut received = Vec::new();
    let reading = tokio::io::AsyncReadExt::read_to_end(&mut client.stream, &mut received);
    tokio::time::timeout(crate::e2e::support::PATIENCE, reading)
        .await
        .unwrap()
        .unwrap();
    let text = String::from_utf8(received).unwrap();
    let issued = lab.origin.request();
    assert!(!text.contains(issued.bearer().unwrap()), "{text}");
    assert!(text.contains(" 502 "), "{text}");
}

#[tokio::test]
async fn an_issued_token_in_the_answers_trailers_does_not_pass() {
    let lab = Lab::start().await;
    lab.origin.answers(|request| {
        let token = request.bearer().unwrap();
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Copy\r\n\r\n";
        let text = format!("{head}4\r\nfine\r\n0\r\nX-Copy: {token}\r\n\r\n");
        Reply::Send(text.into_bytes())
    });
    let answer = lab.present(&lab.token()).await;
    let issued = lab.origin.request();
    let token = issued.bearer().unwrap();
    assert!(!format!("{answer:?}").contains(token), "{answer:?}");
}

#[tokio::test]
async fn what_speaks_for_the_gateways_origin_is_dropped() {
    let lab = Lab::start().await;
    lab.origin.always(answer(
        "200 OK",
        &[
            ("Set-Cookie", "session=1"),
            ("Clear-Site-Data", "\"*\""),
            ("Strict-Transport-Security", "max-age=1"),
            ("Alt-Svc", "h3=\":443\""),
            ("WWW-Authenticate", "Basic"),
            ("Service-Worker-Allowed", "/"),
            ("X-Custom", "stays"),
            ("ETag", "\"1\""),
        ],
        "fine",
    ));
    let answer = lab.present(&lab.token()).await;
    assert_eq!(
        (answer.status(), answer.body.as_slice()),
        (200, b"fine".as_slice())
    );
    for dropped in [
        "set-cookie",
        "clear-site-data",
        "strict-transport-security",
        "alt-svc",
        "www-authenticate",
        "service-worker-allowed",
    ] {
        assert_eq!(answer.field(dropped), None, "{dropped}");
    }
    assert_eq!(answer.field("x-custom"), Some("stays"));
    assert_eq!(answer.field("etag"), Some("\"1\""));
}

#[tokio::test]
async fn other_statuses_of_the_downstream_pass_and_redirects_are_not_followed() {
    let lab = Lab::start().await;
    for status in [
        "204 No Content",
        "302 Found",
        "403 Forbidden",
        "404 Not Found",
        "500 Oops",
        "503 Busy",
    ] {
        let body = if status.starts_with("204") {
            ""
        } else {
            "theirs"
        };
        let mut bytes = answer(status, &[("Location", "https://elsewhere.example/")], body);
        if body.is_empty() {
            bytes = format!("HTTP/1.1 {status}\r\n\r\n").into_bytes();
        }
        lab.origin.always(bytes);
        let answer: Answer = lab.present(&lab.token()).await;
        assert!(status.starts_with(&answer.status().to_string()), "{status}");
        assert_eq!(answer.body, body.as_bytes());
    }
}
