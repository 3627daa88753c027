//! Requests as bytes: a request with two interpretations is refused and its connection is closed. The API always gets one
//! canonical message.

use super::{assert_own, assert_untouched};
use crate::e2e::support::{
    Ask, Client, Lab, Reply, answer, until,
    wire::{Kind, find},
};
use tokio::io::AsyncWriteExt;

/// Malformed request lines; the rest of the head is valid.
const LINES: &[&str] = &[
    "GET /status x HTTP/1.1",
    "GET /status  HTTP/1.1",
    "GET  /status HTTP/1.1",
    "GET /status HTTP/1.1 ",
    " GET /status HTTP/1.1",
    "GET\t/status HTTP/1.1",
    "GET /status\tHTTP/1.1",
    "GET /status/. ./b HTTP/1.1",
    "GET /status?a b HTTP/1.1",
    "GET /status?a\tb HTTP/1.1",
    "GET /status\0 HTTP/1.1",
    "GET /status\x7f HTTP/1.1",
    "GET /status\x0bx HTTP/1.1",
    "GET /status#/../orders HTTP/1.1",
    "GET /status?x#y HTTP/1.1",
    "GET /# HTTP/1.1",
    "GET /status#@evil/ HTTP/1.1",
    "GET /status",
    "GET",
    "GET /status HTTP/1.2",
    "GET /status HTTP/2.0",
    "GET /status HTTP/0.9",
    "GET /status HTTP/1.10",
    "GET /status HTTP/1,1",
    "GET /status http/1.1",
    "GET /status HTTP/1.1x",
    "get /status HTTP/1.1",
    "Post /status HTTP/1.1",
    "G\u{c9}T /status HTTP/1.1",
    "GET( /status HTTP/1.1",
    "GET status HTTP/1.1",
    "GET ?x HTTP/1.1",
    "GET api.example.com/status HTTP/1.1",
    "GET ftp://api.example.com/status HTTP/1.1",
    "GET http:/status HTTP/1.1",
    "GET http:///status HTTP/1.1",
    "GET http://u@api.example.com/status HTTP/1.1",
    "GET http://other.example.com/status HTTP/1.1",
    "GET http://api.example.com:8080/status HTTP/1.1",
    "GET http://api.example.com\\@other/status HTTP/1.1",
    "GET /status?a<b HTTP/1.1",
    "GET /status?a>b HTTP/1.1",
    "GET /status?{\"a\":1} HTTP/1.1",
    "GET /status/<a> HTTP/1.1",
    "GET /status/`a` HTTP/1.1",
    "GET /status/caf\u{e9} HTTP/1.1",
    "OPTIONS * HTTP/1.1",
    "PRI * HTTP/2.0",
];

/// Malformed field lines and bodies of a POST that has a Host.
const MESSAGES: &[&str] = &[
    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
    "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "Content-Length: 5, 5\r\n\r\nhello",
    "Content-Length: 5,\r\n\r\nhello",
    "Content-Length: +5\r\n\r\nhello",
    "Content-Length: -5\r\n\r\nhello",
    "Content-Length: 0x5\r\n\r\nhello",
    "Content-Length: 5 5\r\n\r\nhello",
    "Content-Length: 05\r\n\r\nhello",
    "Content-Length: 5.0\r\n\r\nhello",
    "Content-Length: \r\n\r\nhello",
    "Content-Length: \"5\"\r\n\r\nhello",
    "Content-Length: 18446744073709551621\r\n\r\nhello",
    "Transfer-Encoding: identity\r\n\r\n",
    "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding:\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\x0b\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
    " Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "X: a\r\n b\r\n\r\n",
    "X: a\r\n\tTransfer-Encoding: chunked\r\n\r\n",
    "X: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "X: a\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "X: a\r\n\n",
    "X: a\n\n",
    ": a\r\n\r\n",
    "X\r\n\r\n",
    "X Y: a\r\n\r\n",
    "X\0: a\r\n\r\n",
    "X\u{e9}: a\r\n\r\n",
    "X: a\0b\r\n\r\n",
    "X: a\x08b\r\n\r\n",
    "X: a\x7fb\r\n\r\n",
];

const CHUNKS: &[&str] = &[
    "\r\nhello\r\n0\r\n\r\n",
    ";a\r\nhello\r\n0\r\n\r\n",
    " 5\r\nhello\r\n0\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    "5 ;a\r\nhello\r\n0\r\n\r\n",
    "5\t\r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "-5\r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "5x\r\nhello\r\n0\r\n\r\n",
    "00000000000000000005\r\nhello\r\n0\r\n\r\n",
    "FFFFFFFFFFFFFFFF0\r\nhello\r\n0\r\n\r\n",
    "5;a\nb\r\nhello\r\n0\r\n\r\n",
    "5;\nhello\r\n0\r\n\r\n",
    "5\nhello\r\n0\r\n\r\n",
    "5\r\nhello\n0\r\n\r\n",
    "5\r\nhello0\r\n\r\n",
    "5\r\nhello\r\n0\n\n",
    "5\r\nhello\r\n0\r\n\n",
    "5\r\nhello\r\n\r\n0\r\n\r\n",
    "4\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\n0\r\nX : a\r\n\r\n",
    "5\r\nhello\r\n0\r\nX: a\nY: b\r\n\r\n",
    "5\r\nhello\r\n0\r\nGET /orders HTTP/1.1\r\n\r\n",
];

/// Sends `bytes` on a new connection and compares the response with the documented one.
async fn assert_refused(lab: &Lab, bytes: &[u8], status: u16) -> String {
    let shown = String::from_utf8_lossy(bytes).into_owned();
    let mut client = Client::connect(lab.address()).await;
    // request smuggling sends a second request with the first one
    client.send(bytes).await;
    client
        .send(b"GET /status HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    let answer = client.answer(Kind::Response).await;
    let answer = answer.unwrap_or_else(|| panic!("no response to {shown:?}"));
    assert_eq!(answer.status(), status, "{shown:?}");
    assert_own(&answer, status, "invalid_request", &["evil", "hello"]);
    assert_eq!(answer.field("connection"), Some("close"), "{shown:?}");
    assert!(client.ends().await, "{shown:?} leaves the connection open");
    let id = answer.field("x-request-id");
    id.unwrap_or_else(|| panic!("no id: {shown:?}")).to_owned()
}

#[tokio::test]
async fn every_request_that_has_two_readings_is_refused_and_none_of_it_forwarded() {
    let lab = Lab::start().await;
    let mut ids = Vec::new();
    for line in LINES {
        let head = format!("{line}\r\nHost: api.example.com\r\n\r\n");
        ids.push(assert_refused(&lab, head.as_bytes(), 400).await);
    }
    for bytes in [&b"\xe9"[..], b"\xc0\xaf", b"\xed\xa0\x80"] {
        for begin in [&b"GET /status?q="[..], b"GET /status/"] {
            let head = [begin, bytes, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
            ids.push(assert_refused(&lab, &head, 400).await);
        }
    }
    for rest in MESSAGES {
        let message = format!("POST /status HTTP/1.1\r\nHost: api.example.com\r\n{rest}");
        ids.push(assert_refused(&lab, message.as_bytes(), 400).await);
    }
    for old in ["Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"] {
        let message = format!("POST /status HTTP/1.0\r\nHost: api.example.com\r\n{old}");
        ids.push(assert_refused(&lab, message.as_bytes(), 400).await);
    }
    for chunks in CHUNKS {
        let head = "POST /status HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let message = format!("{head}{chunks}");
        ids.push(assert_refused(&lab, message.as_bytes(), 400).await);
    }
    assert!(ids.len() > 100, "{}", ids.len());
    assert_untouched(&lab);
    until("every refusal is in the access log", || {
        let log = std::fs::read_to_string(lab.folder.path().join("access.jsonl"));
        let log = log.unwrap_or_default();
        ids.iter().all(|id| log.contains(id.as_str()))
    })
    .await;
    let counted = ["malformed_request", "host", "ambiguous_path"]
        .map(|reason| lab.metric("obo_denied_total", &[reason]) as usize);
    assert_eq!(counted.iter().sum::<usize>(), ids.len(), "{counted:?}");
}

#[tokio::test]
async fn a_body_whose_chunks_turn_out_malformed_is_never_a_whole_request_of_the_apis() {
    let lab = Lab::start().await;
    for (position, chunks) in CHUNKS.iter().enumerate() {
        let mut client = Client::connect(lab.address()).await;
        let head =
            "POST /status HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n";
        client.send(head.as_bytes()).await;
        until("the API has the first chunk", || {
            let bytes = lab.origin.bytes();
            find(&bytes, b"first").is_some()
        })
        .await;
        client.send(chunks.as_bytes()).await;
        let answer = client.answer(Kind::Response).await.expect(chunks);
        assert_own(&answer, 400, "invalid_request", &[]);
        assert!(client.ends().await, "{chunks:?} leaves the connection open");
        until("the API sees the end of the request", || {
            lab.origin.requests().len() == 1
        })
        .await;
        let request = lab.origin.request();
        assert!(!request.complete, "{chunks:?}: {request:?}");
        lab.origin.forget();
        lab.counts("obo_denied_total", &["malformed_request"], position + 1)
            .await;
    }
}

#[tokio::test]
async fn what_is_forwarded_is_one_canonical_message() {
    let lab = Lab::start().await;
    let chunked = "Transfer-Encoding: chunked\r\n\r\n";
    for (fields, body) in [
        ("Content-Length: 5\r\n\r\nhello".to_owned(), "hello"),
        ("Content-Length:\t 5 \r\n\r\nhello".to_owned(), "hello"),
        ("content-length: 0\r\n\r\n".to_owned(), ""),
        ("\r\n".to_owned(), ""),
        (format!("{chunked}5\r\nhello\r\n0\r\n\r\n"), "hello"),
        (
            "TRANSFER-ENCODING:CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_owned(),
            "hello",
        ),
        (
            format!("{chunked}2;a=\"b;c\"\r\nhe\r\n003\r\nllo\r\n000;x\r\n\r\n"),
            "hello",
        ),
        (
            format!("{chunked}5\r\nhello\r\n0\r\nX-Gw-Subject: a\r\nAuthorization: b\r\n\r\n"),
            "hello",
        ),
        (
            "Content-Length: 5\r\nContent_Length: 9\r\nTransfer_Encoding: chunked\r\n\r\nhello"
                .to_owned(),
            "hello",
        ),
    ] {
        for begin in ["", "\r\n"] {
            lab.origin.forget();
            let mut client = Client::connect(lab.address()).await;
            let message =
                format!("{begin}POST /status HTTP/1.1\r\nHost: api.example.com\r\n{fields}");
            client.send(message.as_bytes()).await;
            let answer = client.answer(Kind::Response).await.expect(&message);
            assert_eq!(answer.status(), 200, "{message:?}");
            let request = lab.origin.request();
            assert!(request.complete);
            assert_eq!(request.body, body.as_bytes(), "{message:?}");
            assert_eq!(request.trailers, [], "{message:?}");
            let lengths: Vec<_> = request.all("content-length").collect();
            let codings: Vec<_> = request.all("transfer-encoding").collect();
            let framed = (lengths.len(), codings.len());
            let plain = lengths
                .iter()
                .all(|length| *length == body.len().to_string());
            assert!(plain && framed.0 + framed.1 <= 1, "{lengths:?} {codings:?}");
            assert!(codings.iter().all(|coding| *coding == "chunked"));
            let bytes = lab.origin.bytes();
            let text = String::from_utf8_lossy(&bytes);
            assert!(
                !text.contains('_') && !text.contains("X-Gw-Subject"),
                "{text}"
            );
            assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "{text:?}");
        }
    }
}

#[tokio::test]
async fn a_target_in_absolute_form_is_forwarded_in_origin_form_where_both_names_agree() {
    let lab = Lab::start().await;
    for (target, host, forwarded) in [
        (
            "http://api.example.com/orders/1?y=1",
            "api.example.com",
            "/orders/1?y=1",
        ),
        (
            "HTTP://API.example.com:80/orders",
            "api.example.COM",
            "/orders",
        ),
        (
            "https://api.example.com/orders",
            "api.example.com:443",
            "/orders",
        ),
        (
            "http://127.0.0.1:8080/orders?",
            "127.0.0.1:8080",
            "/orders?",
        ),
        ("http://[::1]/orders", "[::1]", "/orders"),
    ] {
        lab.origin.forget();
        let ask = Ask::get(target).host(host).bearer(&lab.token());
        assert_eq!(lab.ask(ask).await.status(), 200, "{target}");
        let request = lab.origin.request();
        assert_eq!(request.target(), forwarded);
        assert_eq!(request.field("x-forwarded-host"), Some(host));
    }
    lab.origin.forget();
    for (target, host) in [
        ("http://evil.test/orders", "api.example.com"),
        ("http://api.example.com:81/orders", "api.example.com"),
        ("http://api.example.com//orders", "api.example.com"),
        ("http://api.example.com/../orders", "api.example.com"),
        ("http://api.example.com", "evil.test"),
    ] {
        let answer = lab
            .ask(Ask::get(target).host(host).bearer(&lab.token()))
            .await;
        assert_own(&answer, 400, "invalid_request", &["evil"]);
    }
    assert_untouched(&lab);
}

const HOSTS: &str = r#"
  - name: named
    match: { hosts: [api.example.com], prefix: /named }
    upstream: { targets: [ { url: ORIGIN } ] }
    public: true
  - name: kept
    match: { prefix: /kept }
    upstream: { targets: [ { url: ORIGIN } ], host: preserve }
    public: true
  - name: status
    match: { prefix: /status }
    upstream: { targets: [ { url: ORIGIN } ] }
    public: true
"#;

#[tokio::test]
async fn a_request_for_no_host_or_a_malformed_one_is_refused_on_every_route() {
    let lab = Lab::routes(HOSTS).await;
    let hosts = [
        "",
        "Host:\r\n",
        "Host: \t\r\n",
        "Host: a\r\nHost: a\r\n",
        "Host: api.example.com\r\nHost: other\r\n",
        "Host: a, b\r\n",
        "Host: a,a\r\n",
        "Host: a b\r\n",
        "Host: u@a\r\n",
        "Host: u:p@a\r\n",
        "Host: a:b\r\n",
        "Host: a:\r\n",
        "Host: a:0\r\n",
        "Host: a:99999\r\n",
        "Host: a:80:80\r\n",
        "Host: http://a\r\n",
        "Host: a/b\r\n",
        "Host: a?b\r\n",
        "Host: a%2eb\r\n",
        "Host: a..b\r\n",
        "Host: .\r\n",
        "Host: [::1\r\n",
        "Host: [x]\r\n",
        "Host: caf\u{e9}\r\n",
        "Host: \"a\"\r\n",
    ];
    let paths = [
        "/named",
        "/kept",
        "/status",
        "/none",
        "/.well-known/openid-configuration",
        "/oauth/v2/token",
    ];
    for host in hosts {
        for path in paths {
            let head = format!("GET {path} HTTP/1.1\r\n{host}\r\n");
            assert_refused(&lab, head.as_bytes(), 400).await;
        }
    }
    for line in [
        "GET /status HTTP/1.0\r\n\r\n",
        "GET http://a/status HTTP/1.1\r\n\r\n",
    ] {
        assert_refused(&lab, line.as_bytes(), 400).await;
    }
    assert_untouched(&lab);
    lab.counts(
        "obo_denied_total",
        &["\"host\""],
        hosts.len() * paths.len() + 2,
    )
    .await;
    for host in ["api_internal", "127.0.0.1:1", "[::1]:80", "A.example."] {
        lab.origin.forget();
        let answer = lab.ask(Ask::get("/kept").host(host)).await;
        assert_eq!(answer.status(), 200, "{host}");
        assert_eq!(lab.origin.request().field("host"), Some(host));
    }
}

#[tokio::test]
async fn characters_that_mean_nothing_in_a_query_cross_byte_for_byte() {
    let lab = Lab::start().await;
    let targets = [
        "/orders?q={a:[1|2]}",
        "/orders?q=`a`^b\\c'd'",
        "/orders?q=caf\u{e9}\u{1f600}",
        "/orders?q=%zz%&&==??//..;:@,!$()*+~",
        "/orders/{a}|[b]^\"c\"?",
    ];
    for target in targets {
        let answer = lab.ask(Ask::get(target).bearer(&lab.token())).await;
        assert_eq!(answer.status(), 200, "{target}");
    }
    let seen: Vec<_> = lab.origin.requests();
    let seen: Vec<_> = seen.iter().map(|request| request.target()).collect();
    assert_eq!(seen, targets);
}

#[tokio::test]
async fn heads_with_too_much_in_them_and_methods_that_are_not_forwarded_get_an_answer_too() {
    let lab = Lab::start().await;
    let fields = "X: y\r\n".repeat(300);
    let wide = format!("X: {}\r\n", "y".repeat(200 << 10));
    for (line, fields, status) in [
        ("GET /status HTTP/1.1", fields.as_str(), 431),
        ("GET /status HTTP/1.1", wide.as_str(), 431),
        ("CONNECT api.example.com:443 HTTP/1.1", "", 405),
        ("TRACE /status HTTP/1.1", "", 405),
    ] {
        let head = format!("{line}\r\nHost: api.example.com\r\n{fields}\r\n");
        assert_refused(&lab, head.as_bytes(), status).await;
    }
    let long = format!(
        "GET /status?{} HTTP/1.1\r\nHost: a\r\n\r\n",
        "q".repeat(70_000)
    );
    assert_refused(&lab, long.as_bytes(), 414).await;
    let mut client = Client::connect(lab.address()).await;
    client.send(b"HEAD /a b HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let answer = client.answer(Kind::ResponseWithoutBody).await.unwrap();
    assert_eq!(answer.status(), 400);
    assert!(client.ends().await, "a body for HEAD");
    let mut client = Client::connect(lab.address()).await;
    client
        .send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        .await;
    assert_eq!(client.answer(Kind::Response).await.unwrap().status(), 400);
    assert_untouched(&lab);
}

#[tokio::test]
async fn an_expectation_other_than_100_continue_is_refused() {
    let lab = Lab::start().await;
    let expectations = [
        "Expect: 200-ok\r\n",
        "Expect: x\r\n",
        "Expect:\r\n",
        "Expect: 100-continue, x\r\n",
        "Expect: y 100-continue\r\n",
        "Expect: 100-continue\r\nExpect: 100-continue\r\n",
        "Expect: 100-continue\r\nX: y\r\nexpect: 200-ok\r\n",
        "Expect: 100-continue;q=1\r\n",
    ];
    for expectation in expectations {
        for line in ["GET /status", "POST /status", "POST /oauth/v2/token"] {
            let head =
                format!("{line} HTTP/1.1\r\nHost: a\r\n{expectation}Content-Length: 0\r\n\r\n");
            assert_refused(&lab, head.as_bytes(), 417).await;
        }
    }
    assert_untouched(&lab);
    let refused = expectations.len() * 3;
    lab.counts("obo_denied_total", &["malformed_request"], refused)
        .await;
    for sound in ["100-continue", "100-Continue", "\t100-CONTINUE "] {
        let ask = Ask::post("/status", "hello").field("Expect", sound);
        assert_eq!(lab.ask(ask).await.status(), 200, "{sound}");
    }
}

#[tokio::test]
async fn a_client_of_http_1_0_hears_of_no_informational_response() {
    let lab = Lab::start().await;
    lab.origin.answers(|_| {
        let early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
        Reply::Send([early.as_bytes(), &answer("200 OK", &[], "fine")].concat())
    });
    for (fields, body) in [
        ("Expect: 100-continue\r\nContent-Length: 5\r\n", "hello"),
        ("Content-Length: 5\r\n", "hello"),
        ("Connection: keep-alive\r\n", ""),
    ] {
        lab.origin.forget();
        let mut client = Client::connect(lab.address()).await;
        let message = format!("POST /status HTTP/1.0\r\nHost: a\r\n{fields}\r\n{body}");
        client.send(message.as_bytes()).await;
        client.until_received(b"fine").await;
        let rest = client.rest_so_far();
        assert!(rest.starts_with(b"HTTP/1.1 200 OK\r\n"), "{fields}");
        let request = lab.origin.request();
        // RFC 9110 §10.1.1: such a client does not wait, even if it sends `Expect`
        assert_eq!(request.field("expect"), None);
        assert_eq!(request.body, body.as_bytes());
    }
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_no_chunks() {
    let lab = Lab::start().await;
    for (response, closes, body) in [
        (
            "Transfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
            false,
            "fine",
        ),
        ("Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false, ""),
        ("\r\nfine", true, "fine"),
        ("\r\n", true, ""),
        ("Content-Length: 4\r\n\r\nfine", true, "fine"),
    ] {
        for connection in ["", "Connection: keep-alive\r\n"] {
            let bytes = format!("HTTP/1.1 200 OK\r\n{response}").into_bytes();
            lab.origin.answers(move |_| {
                if closes {
                    Reply::SendAndClose(bytes.clone())
                } else {
                    Reply::Send(bytes.clone())
                }
            });
            let mut client = Client::connect(lab.address()).await;
            let message = format!("GET /status HTTP/1.0\r\nHost: a\r\n{connection}\r\n");
            client.send(message.as_bytes()).await;
            let answer = client.answer(Kind::Response).await.expect(response);
            assert_eq!(answer.status(), 200, "{response:?}");
            assert_eq!(answer.field("transfer-encoding"), None, "{response:?}");
            assert_eq!(answer.body, body.as_bytes(), "{response:?}");
            if answer.field("content-length").is_none() {
                assert_eq!(answer.field("connection"), Some("close"), "{response:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_connection_field_that_names_what_every_request_needs_is_refused_as_malformed() {
    let lab = Lab::start().await;
    let connections = [
        "Host",
        "close, hOST",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "\"Host\"",
        "Host;q=1",
        ":authority",
        "a b",
        "caf\u{e9}",
        "a, b, c, d, e, f, g, h, i, j",
    ];
    for connection in connections {
        let head = format!("GET /status HTTP/1.1\r\nHost: a\r\nConnection: {connection}\r\n\r\n");
        assert_refused(&lab, head.as_bytes(), 400).await;
    }
    assert_untouched(&lab);
    let refused = connections.len();
    lab.counts("obo_denied_total", &["malformed_request"], refused)
        .await;
}

#[tokio::test]
async fn a_connection_field_takes_neither_credential_nor_framing_from_a_request() {
    let lab = Lab::start().await;
    for connection in [
        "Authorization",
        "Content-Length",
        "Transfer-Encoding, Content-Length",
        "X-Request-Id, traceparent",
        "keep-alive, X-Custom",
        "Content-Length, content-length",
    ] {
        for chunked in [false, true] {
            lab.origin.forget();
            let (framing, body) = if chunked {
                ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n")
            } else {
                ("Content-Length: 5", "hello")
            };
            let message = format!(
                "POST /orders HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nX-Custom: 1\r\nConnection: {connection}\r\n{framing}\r\n\r\n{body}",
                lab.token()
            );
            let mut client = Client::connect(lab.address()).await;
            client.send(message.as_bytes()).await;
            let answer = client.answer(Kind::Response).await.expect(connection);
            assert_eq!(answer.status(), 200, "{connection}");
            let request = lab.origin.request();
            assert_eq!(request.body, b"hello", "{connection}");
            assert!(request.complete && request.bearer().is_some());
            let framed = request.all("content-length").count();
            assert_eq!(framed + request.all("transfer-encoding").count(), 1);
            assert!(request.field("x-request-id").is_some());
        }
    }
}

#[tokio::test]
async fn whole_families_of_routing_and_identity_fields_are_dropped_on_every_kind_of_route() {
    let lab = Lab::start().await;
    let names = [
        "X_Gw_Subject",
        "Transfer_Encoding",
        "Content_Length",
        "Authorization_",
        "_Authorization",
        "HTTP_HOST",
        "X-Forwarded-Unknown",
        "x-FORWARDED-user",
        "X-Forwarded",
        "X-Original-URL",
        "X-Original-Unknown",
        "X-Envoy-Original-Path",
        "x-envoy-UNKNOWN",
        "X-Auth-Request-User",
        "X-Auth-Request-Unknown",
        "X-Goog-IAP-JWT-Assertion",
        "X-Goog-Unknown",
        "SSL-Client-Cert",
        "ssl-client-unknown",
        "X-SSL-Client-Verify",
        "X-Rewrite-URL",
        "X-Real-IP",
        "Forwarded",
        "Remote-User",
    ];
    for (path, token) in [("/status", None), ("/orders", Some(lab.token()))] {
        for name in names {
            lab.origin.forget();
            let mut ask = Ask::get(path).field(name, "MARKER");
            if let Some(token) = &token {
                ask = ask.bearer(token);
            }
            assert_eq!(lab.ask(ask).await.status(), 200, "{name}");
            let bytes = lab.origin.bytes();
            assert!(find(&bytes, b"MARKER").is_none(), "{name} on {path}");
        }
    }
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_their_order() {
    let lab = Lab::start().await;
    lab.origin.answers(|request| {
        let body = format!(
            "{} {}",
            request.target(),
            String::from_utf8_lossy(&request.body)
        );
        Reply::Send(answer("200 OK", &[], &body))
    });
    let one = "POST /status/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none";
    let two = "POST /status/2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n";
    let three = "GET /status/3 HTTP/1.1\r\nHost: a\r\n\r\n";
    let all = [one, two, three, three, one].concat();
    for size in [1, 10, 50, all.len()] {
        let mut client = Client::connect(lab.address()).await;
        for piece in all.as_bytes().chunks(size) {
            client.send(piece).await;
            tokio::task::yield_now().await;
        }
        for body in [
            "/status/1 one",
            "/status/2 two",
            "/status/3 ",
            "/status/3 ",
            "/status/1 one",
        ] {
            let answer = client.answer(Kind::Response).await.expect(body);
            assert_eq!(answer.status(), 200);
            assert_eq!(String::from_utf8_lossy(&answer.body), body);
        }
        // the connection goes on
        let last = client.ask(&Ask::get("/status/4")).await.unwrap();
        assert_eq!(last.body, b"/status/4 ");
    }
}

#[tokio::test]
async fn a_request_that_arrives_while_another_is_served_waits_for_its_turn() {
    let lab = Lab::start().await;
    let (release, parts) = tokio::sync::mpsc::unbounded_channel();
    let slow = std::sync::Mutex::new(Some(parts));
    lab.origin
        .answers(move |_| match slow.lock().unwrap().take() {
            Some(parts) => Reply::Stream(parts),
            None => Reply::Send(answer("200 OK", &[], "second")),
        });
    let mut client = Client::connect(lab.address()).await;
    client.send(&Ask::get("/status/1").bytes()).await;
    until("the first is under way", || {
        lab.origin.requests().len() == 1
    })
    .await;
    for byte in Ask::get("/status/2").bytes() {
        client.send(&[byte]).await;
        tokio::task::yield_now().await;
    }
    release.send(answer("200 OK", &[], "first")).unwrap();
    drop(release);
    let first = client
        .answer(Kind::Response)
        .await
        .expect("the first response");
    assert_eq!((first.status(), &first.body[..]), (200, &b"first"[..]));
    let second = client
        .answer(Kind::Response)
        .await
        .expect("the second response");
    assert_eq!((second.status(), &second.body[..]), (200, &b"second"[..]));
}

#[tokio::test]
async fn a_malformed_request_sent_ahead_does_not_touch_the_one_before_it() {
    let lab = Lab::start().await;
    let mut client = Client::connect(lab.address()).await;
    let sound = Ask::get("/status/1").bytes();
    let malformed = b"GET /status/2 HTTP/1.1\nHost: a\r\n\r\n";
    client
        .send(&[&sound, &malformed[..], &sound].concat())
        .await;
    let first = client
        .answer(Kind::Response)
        .await
        .expect("the first response");
    assert_eq!(first.status(), 200);
    let second = client
        .answer(Kind::Response)
        .await
        .expect("the second response");
    assert_own(&second, 400, "invalid_request", &[]);
    assert!(client.ends().await);
    assert_eq!(lab.origin.requests().len(), 1);
}

#[tokio::test]
async fn a_request_sent_ahead_of_an_early_refusal_is_never_answered_with_the_others_answer() {
    let lab = Lab::start().await;
    let mut client = Client::connect(lab.address()).await;
    // refused because it has no token; its body is not read
    let head = b"POST /orders/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n";
    client.send(head).await;
    let first = client.answer(Kind::Response).await.expect("a response");
    assert_own(&first, 401, "unauthorized", &[]);
    let _ = client.stream.write_all(&Ask::get("/status").bytes()).await;
    assert!(client.ends().await);
    assert_untouched(&lab);
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_head_leaves_no_error_line() {
    let lab = Lab::start().await;
    for text in ["G", "GET /status HTTP/1.1\r\nHost", "\r\n"] {
        let mut client = Client::connect(lab.address()).await;
        client.send(text.as_bytes()).await;
        client.stream.shutdown().await.unwrap();
        assert!(client.ends().await, "{text:?}");
    }
    assert_untouched(&lab);
}

#[tokio::test]
async fn the_admin_listener_refuses_malformed_requests_in_the_same_way() {
    let lab = Lab::start().await;
    let admin = lab.gateway.admin_address();
    for head in [
        "GET /metrics HTTP/1.1\nHost: a\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n",
        "GET /metrics#x HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let mut client = Client::connect(admin).await;
        client.send(head.as_bytes()).await;
        let answer = client.answer(Kind::Response).await.expect(head);
        assert_eq!(answer.status(), 400, "{head:?}");
        assert_eq!(answer.error(), "invalid_request");
        assert!(client.ends().await);
    }
}
