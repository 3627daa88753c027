//! Responses of an upstream with ambiguous framing: the client always gets one message that has only one interpretation.

use super::assert_own;
use crate::e2e::support::{Ask, Client, Lab, PATIENCE, Reply, Setup, answer, wire::Kind};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// The expected response to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gets {
    /// A 502 of the gateway itself.
    Refusal,
    /// A message of this status and body, framed by the gateway.
    Message(u16, &'static str),
    /// A refusal, or a message that is visibly truncated.
    NothingWhole,
}
use Gets::{Message, NothingWhole, Refusal};

struct Variant {
    name: &'static str,
    sent: Vec<u8>,
    gets: Gets,
    /// `true` if the connection stays open for another request.
    reused: bool,
}

fn variant(name: &'static str, sent: impl AsRef<[u8]>, gets: Gets) -> Variant {
    Variant {
        name,
        sent: sent.as_ref().to_vec(),
        gets,
        reused: false,
    }
}

/// Returns a response with these fields and the body `hello`.
fn with(name: &'static str, fields: &str) -> Variant {
    let sent = format!("HTTP/1.1 200 OK\r\n{fields}\r\nhello");
    variant(name, sent, Refusal)
}

/// Returns a response with the right length and this field line.
fn sized(name: &'static str, line: &str) -> Variant {
    with(name, &format!("Content-Length: 5\r\n{line}\r\n"))
}

/// Returns a response with this chunked body.
fn chunked(name: &'static str, body: &str) -> Variant {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    variant(name, format!("{head}{body}"), NothingWhole)
}

fn lengths() -> Vec<Variant> {
    vec![
        with("two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n"),
        with(
            "one length twice",
            "Content-Length: 5\r\nContent-Length: 5\r\n",
        ),
        with("a list of lengths", "Content-Length: 5, 5\r\n"),
        with("a list with an end that is empty", "Content-Length: 5,\r\n"),
        with("a length with a sign", "Content-Length: +5\r\n"),
        with("a negative length", "Content-Length: -5\r\n"),
        with("a hexadecimal length", "Content-Length: 0x5\r\n"),
        with("two numbers", "Content-Length: 5 5\r\n"),
        with("an empty length", "Content-Length:\r\n"),
        with("a length in words", "Content-Length: five\r\n"),
        with(
            "a length beyond counting",
            "Content-Length: 99999999999999999999\r\n",
        ),
        with("a length with a fraction", "Content-Length: 5.0\r\n"),
    ]
}

fn codings() -> Vec<Variant> {
    vec![
        with("a coding that is unknown", "Transfer-Encoding: gzip\r\n"),
        with("identity", "Transfer-Encoding: identity\r\n"),
        with("gzip below chunked", "Transfer-Encoding: gzip, chunked\r\n"),
        with("chunked below gzip", "Transfer-Encoding: chunked, gzip\r\n"),
        with("chunked twice", "Transfer-Encoding: chunked, chunked\r\n"),
        with(
            "chunked in two fields",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        ),
        with("nearly chunked", "Transfer-Encoding: xchunked\r\n"),
        with(
            "chunked with a parameter",
            "Transfer-Encoding: chunked;q=1\r\n",
        ),
        with("an empty coding", "Transfer-Encoding:\r\n"),
        with(
            "a length beside another coding",
            "Content-Length: 5\r\nTransfer-Encoding: gzip\r\n",
        ),
        variant(
            "a coding in HTTP/1.0",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            Refusal,
        ),
    ]
}

fn lines() -> Vec<Variant> {
    vec![
        sized("a NUL", "X-A: b\0c"),
        sized("a control character", "X-A: b\x01c"),
        sized("a bare CR", "X-A: b\rc"),
        sized("a line without a colon", "X-A"),
        sized("a name that is empty", ": b"),
        sized("a blank inside a name", "X A: b"),
        sized("a name that is no token", "X(A): b"),
    ]
}

fn starts() -> Vec<Variant> {
    let rest = "Content-Length: 5\r\n\r\nhello";
    let of = |name, line: &str| variant(name, format!("{line}\r\n{rest}"), Refusal);
    vec![
        of("status 99", "HTTP/1.1 99 Strange"),
        of("status 099", "HTTP/1.1 099 Strange"),
        of("status 600", "HTTP/1.1 600 Strange"),
        of("status 999", "HTTP/1.1 999 Strange"),
        of("status 1000", "HTTP/1.1 1000 Strange"),
        of("a status of two digits", "HTTP/1.1 20 OK"),
        of("a status that is no number", "HTTP/1.1 2OO OK"),
        of("another version", "HTTP/2.0 200 OK"),
        of("another protocol", "ICY 200 OK"),
        of("junk before the head", "junk\r\nHTTP/1.1 200 OK"),
        of("a request", "GET / HTTP/1.1"),
        of(
            "a proxy's challenge",
            "HTTP/1.1 407 Proxy Authentication Required",
        ),
        variant(
            "a switch that was not requested",
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
            Refusal,
        ),
    ]
}

fn sizes() -> Vec<Variant> {
    let long = format!("X-A: {}\r\nX-B: {0}", "b".repeat(40 << 10));
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(20);
    let last = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    vec![
        sized("a head over 64 KiB", &long),
        sized("more fields than are counted", &"X-A: b\r\n".repeat(300)),
        variant("hints without end", format!("{hints}{last}"), Refusal),
    ]
}

fn bodies() -> Vec<Variant> {
    let bodiless = |name, line: &str| variant(name, format!("{line}\r\n\r\nhello"), Message(0, ""));
    let mut bodiless = vec![
        bodiless("bytes behind a 204", "HTTP/1.1 204 No Content"),
        bodiless(
            "bytes behind a 304",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5",
        ),
    ];
    bodiless[0].gets = Message(204, "");
    bodiless[1].gets = Message(304, "");
    let mut rest = vec![
        variant(
            "a length on a 204",
            "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
            Refusal,
        ),
        variant(
            "a coding on a 204",
            "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            Refusal,
        ),
        variant(
            "a length on a hint",
            "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n",
            Refusal,
        ),
        chunked(
            "a chunk size that is no number",
            "five\r\nhello\r\n0\r\n\r\n",
        ),
        // the parser reads this as the last chunk, without a trace, and the following bytes as its trailers
        Variant {
            reused: true,
            ..variant(
                "an empty chunk size",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n",
                Message(200, ""),
            )
        },
        chunked("a negative chunk size", "-5\r\nhello\r\n0\r\n\r\n"),
        chunked("a chunk size with a prefix", "0x5\r\nhello\r\n0\r\n\r\n"),
        chunked(
            "a chunk size beyond counting",
            "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        ),
        chunked("a chunk longer than its size", "3\r\nhello\r\n0\r\n\r\n"),
        variant(
            "bytes behind the end",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            Message(200, "hello"),
        ),
        variant(
            "bytes behind the last chunk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            Message(200, "hello"),
        ),
    ];
    rest.extend(bodiless);
    rest
}

/// Lax responses that have only one interpretation.
fn canonical() -> Vec<Variant> {
    let hello = |name, head: &str| Variant {
        reused: true,
        ..variant(name, format!("{head}\r\n\r\nhello"), Message(200, "hello"))
    };
    let sized = "HTTP/1.1 200 OK\r\nContent-Length: 5";
    vec![
        Variant {
            reused: true,
            ..variant(
                "a length beside chunked",
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
                Message(200, "hello"),
            )
        },
        hello(
            "a blank before a colon",
            &sized.replace("Length:", "Length :"),
        ),
        hello("bare line feeds", &sized.replace("\r\n", "\n")),
        hello("an empty line in front", &format!("\r\n{sized}")),
        hello("a folded value", &format!("{sized}\r\nX-A: b\r\n c")),
        hello(
            "a value folded by a tab",
            &format!("{sized}\r\nX-A: b\r\n\tTransfer-Encoding: chunked"),
        ),
        hello(
            "a value folded by a bare LF",
            &format!("{sized}\r\nX-A: b\n c"),
        ),
        hello("no reason", &sized.replace(" OK", "")),
        hello("zeros in front of a length", &sized.replace('5', "005")),
        hello(
            "a hint in front",
            &format!("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n{sized}"),
        ),
        hello(
            "an extension of a status",
            &sized.replace("200 OK", "200 HTTP/1.1 500 No"),
        ),
    ]
}

fn all() -> Vec<Variant> {
    [
        lengths(),
        codings(),
        lines(),
        starts(),
        sizes(),
        bodies(),
        canonical(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Makes the upstream send `sent` once, and ordinary responses afterwards.
fn send_once(lab: &Lab, sent: &[u8]) {
    let (sent, first) = (sent.to_vec(), AtomicBool::new(true));
    // after a head without an end, the upstream closes the connection
    let ends = memchr::memmem::find(&sent, b"\n\r\n").is_none();
    lab.origin.answers(move |_| {
        if !first.swap(false, Ordering::SeqCst) {
            return Reply::Send(answer("200 OK", &[], "ordinary"));
        }
        if ends {
            Reply::SendAndClose(sent.clone())
        } else {
            Reply::Send(sent.clone())
        }
    });
}

#[tokio::test]
async fn a_client_of_http_1_gets_one_message_whatever_an_upstream_sends() {
    let lab = Lab::start().await;
    let token = lab.token();
    let variants = all();
    assert!(variants.len() >= 60, "{}", variants.len());
    for Variant {
        name,
        sent,
        gets,
        reused,
    } in variants
    {
        send_once(&lab, &sent);
        let before = lab.origin.connections();
        let mut client = Client::connect(lab.address()).await;
        let got = client.ask(&Ask::get("/orders/1").bearer(&token)).await;
        match gets {
            Refusal => {
                let got = got.unwrap_or_else(|| panic!("{name}: no response"));
                assert_eq!(got.status(), 502, "{name}: {got:?}");
                assert_own(&got, 502, "bad_gateway", &["hello"]);
                assert!(client.ends().await, "{name}: more than one message");
            }
            Message(status, body) => {
                let got = got.unwrap_or_else(|| panic!("{name}: no response"));
                assert_canonical(name, &got, status, body);
                let next = client.ask(&Ask::get("/orders/1").bearer(&token)).await;
                let next = next.unwrap_or_else(|| panic!("{name}: no second response"));
                assert_eq!(next.body, b"ordinary", "{name}: {next:?}");
            }
            NothingWhole => {
                if let Some(got) = got.filter(|got| got.status() != 502) {
                    assert!(!got.complete, "{name}: {got:?}");
                }
            }
        }
        let next = lab.ask(Ask::get("/orders/1").bearer(&token)).await;
        assert_eq!(next.body, b"ordinary", "{name}: {next:?}");
        if !reused {
            // at most one for this variant, and one for the request after it
            assert!(
                lab.origin.connections() > before,
                "{name}: the connection is used again"
            );
        }
    }
}

/// Asserts that there is one length or one coding, and no connection-specific field of the upstream.
#[track_caller]
fn assert_canonical(name: &str, got: &crate::e2e::support::Answer, status: u16, body: &str) {
    assert_eq!(got.status(), status, "{name}: {got:?}");
    assert!(got.complete, "{name}: {got:?}");
    assert_eq!(got.body, body.as_bytes(), "{name}");
    let lengths: Vec<_> = got.all("content-length").collect();
    let codings: Vec<_> = got.all("transfer-encoding").collect();
    assert!(lengths.len() + codings.len() <= 1, "{name}: {got:?}");
    assert!(codings.iter().all(|coding| *coding == "chunked"), "{name}");
    let line = &got.start;
    assert!(
        !line.contains("500"),
        "{name}: {line}: the upstream's own words"
    );
}

#[tokio::test]
async fn a_response_to_head_is_one_head_whatever_follows_it() {
    let lab = Lab::start().await;
    let token = lab.token();
    for framing in [
        "Content-Length: 5\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "Content-Length: 5\r\n\r\n",
    ] {
        send_once(&lab, format!("HTTP/1.1 200 OK\r\n{framing}").as_bytes());
        let mut client = Client::connect(lab.address()).await;
        let head = Ask::new("HEAD", "/orders/1").bearer(&token);
        let got = client.ask(&head).await.unwrap();
        assert_eq!(got.status(), 200, "{framing}");
        client
            .send(&Ask::get("/orders/1").bearer(&token).bytes())
            .await;
        let next = client.answer(Kind::Response).await.unwrap();
        assert_eq!(next.body, b"ordinary", "{framing}");
    }
}

#[tokio::test]
async fn a_client_of_http_2_gets_one_message_whatever_an_upstream_sends() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let lab = Lab::with(Setup {
        listener: "tls: { certificate: cert.pem, private_key: key.pem }".to_owned(),
        files: vec![
            ("cert.pem", own.cert.pem()),
            ("key.pem", own.signing_key.serialize_pem()),
        ],
        ..Setup::default()
    })
    .await;
    let certificate = reqwest::Certificate::from_pem(own.cert.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder()
        .tls_certs_only([certificate])
        .no_proxy()
        .resolve("localhost", lab.address())
        .timeout(PATIENCE)
        .build()
        .unwrap();
    let url = format!("https://localhost:{}/orders/1", lab.address().port());
    let token = lab.token();
    let client = Arc::new(client);
    let ask = || async { client.get(&url).bearer_auth(&token).send().await };
    for Variant {
        name, sent, gets, ..
    } in all()
    {
        send_once(&lab, &sent);
        let got = ask().await;
        match gets {
            Refusal => {
                let got = got.unwrap_or_else(|error| panic!("{name}: {error:?}"));
                assert_eq!(got.version(), http::Version::HTTP_2);
                assert_eq!(got.status(), 502, "{name}");
            }
            Message(status, body) => {
                let got = got.unwrap_or_else(|error| panic!("{name}: {error:?}"));
                assert_eq!(got.status(), status, "{name}");
                assert_eq!(got.headers().get("transfer-encoding"), None, "{name}");
                assert_eq!(got.headers().get("connection"), None, "{name}");
                assert_eq!(got.text().await.unwrap(), body, "{name}");
            }
            NothingWhole => {
                if let Ok(got) = got
                    && got.status() != 502
                {
                    assert!(got.bytes().await.is_err(), "{name}");
                }
            }
        }
        let next = ask().await.unwrap();
        assert_eq!(next.text().await.unwrap(), "ordinary", "{name}");
    }
}

#[tokio::test]
async fn fields_of_the_upstreams_own_connection_do_not_cross() {
    let lab = Lab::start().await;
    let dropped = [
        ("Connection", "close, X-Named, x-other"),
        ("Connection", "Keep-Alive , x-third"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "keep-alive"),
        ("TE", "trailers"),
        ("Upgrade", "h2c"),
        ("X-Named", "1"),
        ("X-Other", "1"),
        ("X-Third", "1"),
    ];
    let mut fields = dropped.to_vec();
    fields.push(("X-Custom", "stays"));
    lab.origin.always(answer("200 OK", &fields, "fine"));
    let got = lab.present(&lab.token()).await;
    assert_eq!((got.status(), got.body.as_slice()), (200, &b"fine"[..]));
    for (name, value) in dropped {
        let crossed: Vec<_> = got.all(name).filter(|crossed| *crossed == value).collect();
        assert!(crossed.is_empty(), "{name}: {got:?}");
    }
    assert_eq!(got.field("x-custom"), Some("stays"));
    // `Connection` cannot remove the fields that frame the response
    let fields = [("Connection", "content-length, transfer-encoding")];
    lab.origin.always(answer("200 OK", &fields, "fine"));
    let got = lab.present(&lab.token()).await;
    assert_eq!(got.field("content-length"), Some("4"));
}

#[tokio::test]
async fn a_head_that_trickles_is_cut_at_its_one_deadline() {
    use std::time::Duration;
    use tokio::sync::mpsc::unbounded_channel;
    let routes = crate::e2e::support::lab::ORDERS.replace("response: 10s", "response: 400ms");
    let lab = Lab::routes(&routes).await;
    let token = lab.token();
    for line in ["X-A: b\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n"] {
        lab.origin.answers(move |_| {
            let (sender, receiver) = unbounded_channel();
            tokio::spawn(async move {
                let mut ticks = tokio::time::interval(Duration::from_millis(100));
                let _ = sender.send(b"HTTP/1.1 102 Processing\r\n\r\n".to_vec());
                if line.starts_with("X-A") {
                    let _ = sender.send(b"HTTP/1.1 200 OK\r\n".to_vec());
                }
                loop {
                    ticks.tick().await;
                    if sender.send(line.as_bytes().to_vec()).is_err() {
                        return;
                    }
                }
            });
            Reply::Stream(receiver)
        });
        let began = tokio::time::Instant::now();
        for ask in [Ask::get("/orders/1"), Ask::post("/orders", "x=1")] {
            let got = lab.ask(ask.bearer(&token)).await;
            assert_own(&got, 504, "gateway_timeout", &[]);
        }
        assert!(
            began.elapsed() < Duration::from_secs(8),
            "{:?}",
            began.elapsed()
        );
    }
}

#[tokio::test]
async fn where_an_upstream_dies_behind_the_head_the_client_gets_a_response() {
    let lab =
        Lab::routes(&crate::e2e::support::lab::ORDERS.replace("response: 10s", "response: 300ms"))
            .await;
    let token = lab.token();
    for framing in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
        let head = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n");
        for (body, status) in [("", 502), ("five\r\n", 502)] {
            if framing.starts_with("Content") && !body.is_empty() {
                continue;
            }
            let sent = format!("{head}{body}").into_bytes();
            lab.origin
                .answers(move |_| Reply::SendAndClose(sent.clone()));
            for ask in [Ask::get("/orders/1"), Ask::post("/orders", "x=1")] {
                let mut client = Client::connect(lab.address()).await;
                let got = client.ask(&ask.bearer(&token)).await;
                let got = got.unwrap_or_else(|| panic!("{framing} {body:?}: no response"));
                // not only "200", which a request id can contain
                assert_own(&got, status, "bad_gateway", &["200 OK"]);
                assert!(client.ends().await);
            }
        }
        let sent = head.into_bytes();
        lab.origin.answers(move |_| Reply::Send(sent.clone()));
        let got = lab.ask(Ask::get("/orders/1").bearer(&token)).await;
        assert_own(&got, 504, "gateway_timeout", &[]);
    }
    crate::e2e::support::until("the access log has the cause", || {
        std::fs::read_to_string(lab.file("access.jsonl")).is_ok_and(|log| {
            log.contains("\"status\":504") && log.contains("timed out reading the response body")
        })
    })
    .await;
}

#[tokio::test]
async fn the_access_line_says_what_an_upstream_failed_with() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let lab = Lab::routes(&crate::e2e::support::lab::ORDERS.replace("ORIGIN", &url)).await;
    let got = lab.present(&lab.token()).await;
    assert_own(&got, 502, "bad_gateway", &[&url]);
    crate::e2e::support::until("the access log has the cause", || {
        std::fs::read_to_string(lab.file("access.jsonl"))
            .is_ok_and(|log| log.contains("\"upstream_error\":\"connection refused\""))
    })
    .await;
}

#[tokio::test]
async fn the_access_line_says_what_is_wrong_with_an_upstreams_certificate() {
    for (name, until, trusted, cause) in [
        ("localhost", 2021, true, "certificate expired"),
        ("other.example", 2100, true, "certificate name mismatch"),
        ("localhost", 2100, false, "certificate unknown issuer"),
    ] {
        let (address, certificate) = serve_tls(name, until).await;
        let mut upstream = format!("{{ url: 'https://localhost:{}' }} ]", address.port());
        if trusted {
            upstream.push_str(", tls: { ca: own.pem }");
        }
        let routes = crate::e2e::support::lab::ORDERS.replacen("{ url: ORIGIN } ]", &upstream, 1);
        let lab = Lab::with(Setup {
            routes,
            files: vec![("own.pem", certificate)],
            ..Setup::default()
        })
        .await;
        let got = lab.present(&lab.token()).await;
        assert_own(&got, 502, "bad_gateway", &[cause]);
        let wanted = format!("\"upstream_error\":\"{cause}\"");
        crate::e2e::support::until(cause, || {
            std::fs::read_to_string(lab.file("access.jsonl")).is_ok_and(|log| log.contains(&wanted))
        })
        .await;
    }
}

/// Starts a server whose certificate is for `name` and expires in the year `until`; returns its address and certificate.
async fn serve_tls(name: &str, until: i32) -> (std::net::SocketAddr, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
    let certificate = parameters.self_signed(&key).unwrap();
    let chain = vec![certificate.der().clone()];
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into());
    crate::e2e::support::install_crypto();
    let server = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    (address, certificate.pem())
}
