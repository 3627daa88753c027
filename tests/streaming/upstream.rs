//! Upstream APIs with TLS certificates of a private authority, and with HTTP/2.

use crate::streaming::{
    authority::Authority,
    http2::{H2Origin, answer_with, read},
    stage::{NAME, Stage},
    support::{Ask, until},
};
use h2::RecvStream;
use http::{Request, Version};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::Semaphore,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// Returns a protected route whose upstream has the keys `more` in addition to its target.
fn route(more: &str) -> String {
    format!(
        "
  - name: orders
    match: {{ prefix: /orders }}
    upstream: {{ targets: [ {{ url: ORIGIN }} ]{more} }}
    exchange: {{ audience: orders-api, scope: {{ allow: [orders.read] }} }}
"
    )
}

/// An HTTP/1.1 API over TLS that closes each connection after one response, and counts requests.
struct TlsOrigin {
    port: u16,
    requests: Arc<AtomicUsize>,
}

impl TlsOrigin {
    async fn start(acceptor: TlsAcceptor) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    if matches!(stream.read_buf(&mut head).await, Ok(0) | Err(_)) {
                        break;
                    }
                }
                if head.is_empty() {
                    continue;
                }
                counted.fetch_add(1, Ordering::SeqCst);
                let answer =
                    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\nsecret";
                let _ = stream.write_all(answer).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { port, requests }
    }

    fn url(&self, host: &str) -> String {
        format!("https://{host}:{}", self.port)
    }
}

/// Returns status and body of a request through a gateway whose upstream at `url` has the keys `more`.
async fn ask(authority: Authority, more: &str, url: &str) -> (u16, Vec<u8>) {
    let stage = Stage::with(authority, &route(more), url).await;
    let ask = Ask::get("/orders/1").bearer(&stage.token());
    let answer = stage.client().await.ask(&ask).await.unwrap();
    (answer.status(), answer.body)
}

#[tokio::test]
async fn a_downstream_of_the_private_authority_is_trusted() {
    let authority = Authority::new();
    let origin = TlsOrigin::start(authority.server(NAME, &[])).await;
    let answer = ask(authority, ", tls: { ca: ca.pem }", &origin.url(NAME)).await;
    assert_eq!(answer, (200, b"secret".to_vec()));
}

#[tokio::test]
async fn without_the_private_authority_nothing_is_sent() {
    let authority = Authority::new();
    let origin = TlsOrigin::start(authority.server(NAME, &[])).await;
    let (status, _) = ask(authority, "", &origin.url(NAME)).await;
    assert_eq!((status, origin.requests.load(Ordering::SeqCst)), (502, 0));
}

#[tokio::test]
async fn a_certificate_of_another_authority_gets_nothing() {
    let origin = TlsOrigin::start(Authority::new().server(NAME, &[])).await;
    let (status, _) = ask(Authority::new(), ", tls: { ca: ca.pem }", &origin.url(NAME)).await;
    assert_eq!((status, origin.requests.load(Ordering::SeqCst)), (502, 0));
}

#[tokio::test]
async fn a_certificate_for_another_name_gets_nothing() {
    let authority = Authority::new();
    let origin = TlsOrigin::start(authority.server("elsewhere", &[])).await;
    let (status, _) = ask(authority, ", tls: { ca: ca.pem }", &origin.url(NAME)).await;
    assert_eq!((status, origin.requests.load(Ordering::SeqCst)), (502, 0));
}

#[tokio::test]
async fn server_name_says_which_name_the_certificate_has() {
    let authority = Authority::new();
    let origin = TlsOrigin::start(authority.server("elsewhere", &[])).await;
    let more = ", tls: { ca: ca.pem, server_name: elsewhere }";
    let answer = ask(authority, more, &origin.url("127.0.0.1")).await;
    assert_eq!(answer, (200, b"secret".to_vec()));
}

#[tokio::test]
async fn a_downstream_that_asks_for_a_certificate_gets_the_routes() {
    let authority = Authority::new();
    let origin = TlsOrigin::start(authority.server_for_known(NAME, &[])).await;
    let more = ", tls: { ca: ca.pem, certificate: client.pem, private_key: client.key }";
    let answer = ask(authority, more, &origin.url(NAME)).await;
    assert_eq!(answer, (200, b"secret".to_vec()));
}

#[tokio::test]
async fn a_downstream_that_asks_for_a_certificate_refuses_a_route_without_one() {
    let authority = Authority::new();
    let origin = TlsOrigin::start(authority.server_for_known(NAME, &[])).await;
    let (status, _) = ask(authority, ", tls: { ca: ca.pem }", &origin.url(NAME)).await;
    assert_eq!((status, origin.requests.load(Ordering::SeqCst)), (502, 0));
}

const H2: &str = ", http2: true, tls: { ca: ca.pem }";

#[tokio::test]
async fn a_route_that_says_http2_speaks_it() {
    let authority = Authority::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let origin = H2Origin::start(
        authority.server(NAME, &["h2", "http/1.1"]),
        move |request: Request<RecvStream>, respond| {
            let kept = Arc::clone(&kept);
            async move {
                let (head, mut body) = request.into_parts();
                let (body, _) = read(&mut body).await;
                kept.lock().unwrap().push(head);
                answer_with(respond, body);
            }
        },
    )
    .await;
    let url = format!("https://{NAME}:{}", origin.port());
    let stage = Stage::with(authority, &route(H2), &url).await;
    let token = stage.token();
    let body = "0123456789abcdef".repeat(20_000);
    let ask = Ask::post("/orders/1?a=b", body.as_str()).bearer(&token);
    let answer = stage.client().await.ask(&ask).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.body == body.as_bytes(), "the body came back changed");

    let heads = seen.lock().unwrap();
    let [head] = heads.as_slice() else {
        panic!("{heads:?}")
    };
    assert_eq!(head.version, Version::HTTP_2);
    assert_eq!(head.uri.to_string(), format!("{url}/orders/1?a=b"));
    let authorization: Vec<_> = head.headers.get_all("authorization").iter().collect();
    assert_eq!(authorization.len(), 1);
    assert!(!format!("{head:?}").contains(&token));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simultaneous_requests_share_one_connection_of_http_2() {
    const REQUESTS: usize = 60;
    let authority = Authority::new();
    let (open, arrived) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let (gate, counted) = (Arc::clone(&open), Arc::clone(&arrived));
    let origin = H2Origin::start(
        authority.server(NAME, &["h2"]),
        move |request: Request<RecvStream>, respond| {
            let (gate, counted) = (Arc::clone(&gate), Arc::clone(&counted));
            async move {
                counted.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                answer_with(respond, request.uri().path().to_owned());
            }
        },
    )
    .await;
    let url = format!("https://{NAME}:{}", origin.port());
    let stage = Stage::with(authority, &route(H2), &url).await;
    let token = stage.token();
    // the first request opens the connection
    open.add_permits(1);
    let first = Ask::get("/orders/first").bearer(&token);
    let answer = stage.client().await.ask(&first).await.unwrap();
    assert_eq!(answer.status(), 200);

    let mut asking = JoinSet::new();
    for id in 0..REQUESTS {
        let mut client = stage.client().await;
        let ask = Ask::get(&format!("/orders/{id}")).bearer(&token);
        asking.spawn(async move {
            let answer = client.ask(&ask).await.unwrap();
            assert_eq!(answer.body, format!("/orders/{id}").into_bytes());
        });
    }
    until("all requests are at the upstream concurrently", || {
        arrived.load(Ordering::SeqCst) == REQUESTS + 1
    })
    .await;
    open.add_permits(REQUESTS);
    asking.join_all().await;
    assert_eq!(origin.connections(), 1);
}

#[tokio::test]
async fn a_downstream_of_http_2_that_refuses_the_token_is_asked_once_more_with_a_fresh_one() {
    let authority = Authority::new();
    let tokens = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&tokens);
    let origin = H2Origin::start(
        authority.server(NAME, &["h2"]),
        move |request: Request<RecvStream>, mut respond| {
            let kept = Arc::clone(&kept);
            async move {
                let (head, mut body) = request.into_parts();
                let (body, _) = read(&mut body).await;
                let first = {
                    let mut kept = kept.lock().unwrap();
                    kept.push(head.headers["authorization"].clone());
                    kept.len() == 1
                };
                if first {
                    let refusal = http::Response::builder().status(401).body(()).unwrap();
                    respond.send_response(refusal, true).unwrap();
                } else {
                    answer_with(respond, body);
                }
            }
        },
    )
    .await;
    let url = format!("https://{NAME}:{}", origin.port());
    let stage = Stage::with(authority, &route(H2), &url).await;
    let ask = Ask::post("/orders", "an order").bearer(&stage.token());
    let answer = stage.client().await.ask(&ask).await.unwrap();
    assert_eq!((answer.status(), answer.body), (200, b"an order".to_vec()));
    let tokens = tokens.lock().unwrap();
    assert_eq!(tokens.len(), 2);
    assert_ne!(tokens[0], tokens[1]);
}

#[tokio::test]
async fn a_downstream_that_only_speaks_http_1_is_unreachable_for_a_route_that_says_http2() {
    let authority = Authority::new();
    let origin = TlsOrigin::start(authority.server(NAME, &["http/1.1"])).await;
    let (status, _) = ask(authority, H2, &origin.url(NAME)).await;
    assert_eq!((status, origin.requests.load(Ordering::SeqCst)), (502, 0));
}
