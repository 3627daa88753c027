//! Backpressure: if a reader stops, the writer must wait, and the gateway does not buffer the unread bytes.

use crate::streaming::{
    authority::Authority,
    http2::{H2Client, H2Origin, answer_with, part, room, whole},
    pattern::{self, PIECE},
    program::{Measure, Program},
    stage::{NAME, Stage},
    support::{Ask, Origin, PATIENCE, lab},
};
use bytes::Bytes;
use h2::{RecvStream, SendStream};
use http::{Request, Response};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    sync::Semaphore,
    time::timeout,
};

/// Far more than the buffers of the sockets on the way can contain.
const SIZE: u64 = 256 << 20;
/// The maximum size of these buffers: the kernel lets a buffer grow to some MiB, and there are four of them.
const HELD: u64 = 96 << 20;
/// A writer that can write nothing for this time is waiting.
const STALLED: Duration = Duration::from_secs(1);

/// Writes a body of [`SIZE`] bytes until the writer must wait; returns the number of written bytes.
async fn write_until_stalled<W: AsyncWrite + Unpin>(to: &mut W) -> u64 {
    let mut offset = 0;
    while offset < SIZE {
        match timeout(STALLED, to.write(pattern::piece(SIZE, offset, PIECE))).await {
            Ok(written) => offset += written.unwrap() as u64,
            Err(_) => return offset,
        }
    }
    offset
}

/// Writes the rest.
async fn write_from<W: AsyncWrite + Unpin>(to: &mut W, mut offset: u64) {
    while offset < SIZE {
        let piece = pattern::piece(SIZE, offset, PIECE);
        timeout(PATIENCE, to.write_all(piece))
            .await
            .expect("the reader does not continue")
            .unwrap();
        offset += piece.len() as u64;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_makes_the_downstream_wait() {
    let program = Program::in_cleartext().await;
    let mut client = program.client().await;
    let measure = Measure::begin(&program);
    let ask = Ask::get("/orders/all").bearer(program.token());
    client.write_all(&ask.bytes()).await.unwrap();
    let mut api = program.connection().await;
    pattern::head(&mut api).await;
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
    api.write_all(answer.as_bytes()).await.unwrap();
    let written = write_until_stalled(&mut api).await;
    assert!(
        written < HELD,
        "{written} bytes were buffered without a reader"
    );

    let sending = tokio::spawn(async move { write_from(&mut api, written).await });
    pattern::head(&mut client).await;
    pattern::read(&mut client, SIZE).await;
    sending.await.unwrap();
    measure.end("a client that stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_downstream_that_does_not_read_makes_the_client_wait() {
    let program = Program::in_cleartext().await;
    let mut client = program.client().await;
    let measure = Measure::begin(&program);
    let ask = Ask::new("POST", "/orders")
        .bearer(program.token())
        .field("Content-Length", &SIZE.to_string());
    client.write_all(&ask.bytes()).await.unwrap();
    let mut api = program.connection().await;
    pattern::head(&mut api).await;
    let written = write_until_stalled(&mut client).await;
    assert!(
        written < HELD,
        "{written} bytes were buffered without a reader"
    );

    let receiving = tokio::spawn(async move {
        pattern::read(&mut api, SIZE).await;
        let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
        api.write_all(answer).await.unwrap();
    });
    write_from(&mut client, written).await;
    let answer = pattern::head(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    receiving.await.unwrap();
    measure.end("an upstream that stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_not_read_waits_while_its_neighbour_is_served() {
    let program = Program::encrypted().await;
    let client = program.h2_client().await;
    let measure = Measure::begin(&program);
    let request = client.request("GET", "/orders/all", program.token());
    let (stalled, _) = client.open(request, true).await;
    let mut api = program.connection().await;
    pattern::head(&mut api).await;
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
    api.write_all(answer.as_bytes()).await.unwrap();
    let written = write_until_stalled(&mut api).await;
    assert!(
        written < HELD,
        "{written} bytes were buffered without a reader"
    );

    let request = client.request("GET", "/orders/1", program.token());
    let serving = async {
        let mut api = program.connection().await;
        pattern::head(&mut api).await;
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        api.write_all(answer).await.unwrap();
        api
    };
    let (neighbour, _api) = tokio::join!(client.ask(request, b""), serving);
    assert_eq!(neighbour.body, b"hello");

    let sending = tokio::spawn(async move { write_from(&mut api, written).await });
    let mut body = stalled.await.unwrap().into_body();
    let mut offset = 0;
    while let Some(part) = timeout(PATIENCE, part(&mut body)).await.expect("no data") {
        assert!(pattern::is_at(offset, &part), "another byte near {offset}");
        offset += part.len() as u64;
    }
    assert_eq!(offset, SIZE);
    sending.await.unwrap();
    measure.end("a stream that stops");
}

/// Sends pieces until the writer must wait.
async fn send_until_stalled(body: &mut SendStream<Bytes>) {
    let mut offset = 0;
    while let Ok(room) = timeout(STALLED, room(body, PIECE)).await {
        let piece = pattern::piece(SIZE, offset, room);
        body.send_data(Bytes::from_static(piece), false).unwrap();
        offset += piece.len() as u64;
        assert!(
            offset < HELD,
            "{offset} bytes were buffered without a reader"
        );
    }
}

#[tokio::test]
async fn an_upload_that_nobody_reads_leaves_room_for_its_neighbour() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = Origin::start().await;
    let routes = format!(
        "{}
  - name: silent
    match: {{ prefix: /silent }}
    upstream: {{ targets: [ {{ url: 'http://{}' }} ] }}
    exchange: {{ audience: silent-api, scope: {{ allow: [orders.read] }} }}
",
        lab::ORDERS,
        silent.local_addr().unwrap()
    );
    let stage = Stage::with(Authority::new(), &routes, &origin.url()).await;
    let client: H2Client = stage.h2_client().await;
    let token = stage.token();
    let (_answer, mut body) = client
        .open(client.request("POST", "/silent", &token), false)
        .await;
    send_until_stalled(&mut body).await;

    let order = vec![b'x'; 300 << 10];
    let (answer, mut sending) = client
        .open(client.request("POST", "/orders", &token), false)
        .await;
    sending.send_data(Bytes::from(order.clone()), true).unwrap();
    assert_eq!(whole(answer).await.status, 200);
    assert!(origin.request().body == order);
}

#[tokio::test]
async fn a_client_that_does_not_read_leaves_room_for_others_on_the_downstreams_connection() {
    let authority = Authority::new();
    let stalled = Arc::new(Semaphore::new(0));
    let told = Arc::clone(&stalled);
    let acceptor = authority.server(NAME, &["h2"]);
    let origin = H2Origin::start(
        acceptor,
        move |request: Request<RecvStream>, mut respond| {
            let told = Arc::clone(&told);
            async move {
                if request.uri().path() != "/orders/all" {
                    return answer_with(respond, vec![b'x'; 300 << 10]);
                }
                let mut body = respond.send_response(Response::new(()), false).unwrap();
                send_until_stalled(&mut body).await;
                told.add_permits(1);
                std::future::pending().await
            }
        },
    )
    .await;
    let url = format!("https://{NAME}:{}", origin.port());
    let stage = Stage::with(authority, ROUTE, &url).await;
    let token = stage.token();
    // the first request opens the connection
    let ask = Ask::get("/orders/1").bearer(&token);
    let answer = stage.client().await.ask(&ask).await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut idle = Vec::new();
    for _ in 0..IDLE {
        let mut client = stage.client().await;
        let all = Ask::get("/orders/all").bearer(&token);
        client.send(&all.bytes()).await;
        idle.push(client);
    }
    let all = timeout(PATIENCE, stalled.acquire_many(IDLE)).await;
    let _all = all.expect("everything was taken").unwrap();

    let answer = stage.client().await.ask(&ask).await.unwrap();
    assert_eq!((answer.status(), answer.body.len()), (200, 300 << 10));
    assert_eq!(origin.connections(), 1);
}

/// Clients that do not read.
const IDLE: u32 = 5;

/// With an HTTP/2 upstream.
const ROUTE: &str = r"
  - name: orders
    match: { prefix: /orders }
    upstream: { targets: [ { url: ORIGIN } ], http2: true, tls: { ca: ca.pem } }
    exchange: { audience: orders-api, scope: { allow: [orders.read] } }
";
