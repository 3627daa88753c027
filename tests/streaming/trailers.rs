//! Trailers (RFC 9110 §6.5): those of a response are forwarded, unless they contain or request a token; those of a request are
//! dropped.

use crate::streaming::{
    authority::Authority,
    http2::{H2Answer, H2Origin, read, whole},
    stage::{NAME, Stage},
    support::{Ask, Origin, Reply, lab},
};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use tokio::sync::mpsc;

const ROUTE: &str = r"
  - name: orders
    match: { prefix: /orders }
    upstream: { targets: [ { url: ORIGIN } ], http2: true, tls: { ca: ca.pem } }
    exchange: { audience: orders-api, scope: { allow: [orders.read] } }
";

fn fields(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect::<HeaderMap>()
}

/// Starts a gateway and an HTTP/2 API that responds with `trailers`, in which `TOKEN` is replaced with the token that it
/// received. The requests that it received come through the channel.
async fn ending_in(
    trailers: &'static [(&'static str, &'static str)],
) -> (
    Stage,
    H2Origin,
    mpsc::UnboundedReceiver<(Vec<u8>, Option<HeaderMap>)>,
) {
    let authority = Authority::new();
    let (received, receiver) = mpsc::unbounded_channel();
    let acceptor = authority.server(NAME, &["h2"]);
    let origin = H2Origin::start(acceptor, move |request: Request<_>, mut respond| {
        let received = received.clone();
        async move {
            let token = request.headers()["authorization"].to_str().unwrap()[7..].to_owned();
            let _ = received.send(read(&mut request.into_body()).await);
            let mut sending = respond.send_response(Response::new(()), false).unwrap();
            sending.send_data(Bytes::from("body"), false).unwrap();
            let written: Vec<_> = trailers
                .iter()
                .map(|(name, value)| (*name, value.replace("TOKEN", &token)))
                .collect();
            let written: Vec<_> = written.iter().map(|(n, v)| (*n, v.as_str())).collect();
            sending.send_trailers(fields(&written)).unwrap();
        }
    })
    .await;
    let url = format!("https://{NAME}:{}", origin.port());
    let stage = Stage::with(authority, ROUTE, &url).await;
    (stage, origin, receiver)
}

async fn ask(stage: &Stage) -> H2Answer {
    let client = stage.h2_client().await;
    let request = client.request("GET", "/orders/1", &stage.token());
    client.ask(request, b"").await
}

#[tokio::test]
async fn trailers_of_an_answer_pass_from_http_2_to_http_2() {
    let (stage, _origin, _) = ending_in(&[("grpc-status", "0"), ("x-checksum", "abc")]).await;
    let answer = ask(&stage).await;
    assert_eq!((answer.status, answer.body), (200, b"body".to_vec()));
    let trailers = answer.trailers.expect("no trailers");
    let expected = fields(&[("grpc-status", "0"), ("x-checksum", "abc")]);
    assert_eq!(trailers, expected);
}

#[tokio::test]
async fn trailers_that_ask_for_credentials_do_not_pass() {
    let (stage, _origin, _) = ending_in(&[
        ("x-checksum", "abc"),
        ("set-cookie", "a=b"),
        ("www-authenticate", "Bearer"),
    ])
    .await;
    let trailers = ask(&stage).await.trailers.expect("no trailers");
    assert_eq!(trailers, fields(&[("x-checksum", "abc")]));
}

#[tokio::test]
async fn an_answer_that_ends_in_the_issued_token_is_cut_before_it() {
    let (stage, _origin, _) = ending_in(&[("x-debug", "it was TOKEN")]).await;
    let client = stage.h2_client().await;
    let request = client.request("GET", "/orders/1", &stage.token());
    let (answer, _) = client.open(request, true).await;
    let mut body = answer.await.unwrap().into_body();
    while let Some(Ok(part)) = body.data().await {
        body.flow_control().release_capacity(part.len()).unwrap();
    }
    let end = body.trailers().await;
    assert!(!matches!(end, Ok(Some(_))), "{end:?}");
    let blocked = stage.metric("obo_leak_blocked_total", &["place=\"response_trailer\""]);
    assert_eq!(blocked, 1);
}

#[tokio::test]
async fn a_client_of_http_1_gets_the_body_and_a_connection_in_step() {
    let (stage, _origin, _) = ending_in(&[("x-checksum", "abc")]).await;
    let mut client = stage.client().await;
    let token = stage.token();
    for _ in 0..2 {
        let answer = client.ask(&Ask::get("/orders/1").bearer(&token)).await;
        let answer = answer.expect("no response");
        assert!(answer.complete);
        assert_eq!((answer.status(), answer.body), (200, b"body".to_vec()));
    }
}

#[tokio::test]
async fn trailers_of_a_request_never_reach_the_downstream() {
    let (stage, _origin, mut received) = ending_in(&[]).await;
    let client = stage.h2_client().await;
    let token = stage.token();
    let request = client.request("POST", "/orders", &token);
    let (answer, mut sending) = client.open(request, false).await;
    sending.send_data(Bytes::from("order"), false).unwrap();
    sending
        .send_trailers(fields(&[("x-late", &token), ("x-other", "a")]))
        .unwrap();
    assert_eq!(whole(answer).await.status, 200);
    let (body, trailers) = received.recv().await.unwrap();
    assert_eq!(body, b"order");
    assert!(trailers.is_none_or(|fields| fields.is_empty()));
}

#[tokio::test]
async fn an_answer_of_http_1_with_trailers_leaves_the_connection_in_step() {
    let origin = Origin::start().await;
    origin.answers(|_| {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Checksum\r\n\r\n4\r\nbody\r\n0\r\nX-Checksum: abc\r\n\r\n";
        Reply::Send(text.as_bytes().to_vec())
    });
    let stage = Stage::with(Authority::new(), lab::ORDERS, &origin.url()).await;
    let mut client = stage.client().await;
    let token = stage.token();
    for _ in 0..3 {
        let answer = client.ask(&Ask::get("/orders/1").bearer(&token)).await;
        let answer = answer.expect("no response");
        assert!(answer.complete);
        assert_eq!((answer.status(), answer.body), (200, b"body".to_vec()));
    }
}
