//! One GiB in each direction through a protected route, without more memory for it.

use crate::streaming::{
    http2::{H2Client, part, room},
    pattern::{self, PIECE},
    program::{Measure, Program},
    support::{Ask, PATIENCE},
};
use bytes::Bytes;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

/// Bytes in each direction.
const SIZE: u64 = 1 << 30;

/// Returns the head of a POST whose body the test writes.
fn upload(token: &str) -> Vec<u8> {
    Ask::new("POST", "/orders")
        .bearer(token)
        .field("Content-Length", &SIZE.to_string())
        .bytes()
}

async fn receive(mut api: TcpStream) {
    let head = pattern::head(&mut api).await;
    assert!(head.starts_with("POST "), "{head}");
    pattern::read(&mut api, SIZE).await;
    api.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        .await
        .unwrap();
}

async fn send(mut api: TcpStream) {
    let head = pattern::head(&mut api).await;
    assert!(head.starts_with("GET "), "{head}");
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
    api.write_all(answer.as_bytes()).await.unwrap();
    pattern::write(&mut api, SIZE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_takes_no_memory() {
    let program = Program::in_cleartext().await;
    let mut client = program.client().await;
    let measure = Measure::begin(&program);
    client.write_all(&upload(program.token())).await.unwrap();
    let api = program.connection().await;
    let receiving = tokio::spawn(receive(api));
    pattern::write(&mut client, SIZE).await;
    let answer = pattern::head(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    receiving.await.unwrap();
    measure.end("upload");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_takes_no_memory() {
    let program = Program::in_cleartext().await;
    let mut client = program.client().await;
    let measure = Measure::begin(&program);
    let ask = Ask::get("/orders/all").bearer(program.token());
    client.write_all(&ask.bytes()).await.unwrap();
    let api = program.connection().await;
    let sending = tokio::spawn(send(api));
    let answer = pattern::head(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    pattern::read(&mut client, SIZE).await;
    sending.await.unwrap();
    measure.end("download");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_over_http_2_takes_no_memory() {
    let program = Program::encrypted().await;
    let client: H2Client = program.h2_client().await;
    let measure = Measure::begin(&program);
    let mut request = client.request("POST", "/orders", program.token());
    let length = SIZE.to_string().parse().unwrap();
    request.headers_mut().insert("content-length", length);
    let (answer, mut body) = client.open(request, false).await;
    let api = program.connection().await;
    let receiving = tokio::spawn(receive(api));
    let mut offset = 0;
    while offset < SIZE {
        let room = timeout(PATIENCE, room(&mut body, PIECE))
            .await
            .expect("no window");
        let piece = pattern::piece(SIZE, offset, room);
        offset += piece.len() as u64;
        body.send_data(Bytes::from_static(piece), offset == SIZE)
            .unwrap();
    }
    let answer = timeout(PATIENCE, answer).await.expect("no response");
    assert_eq!(answer.unwrap().status(), 204);
    receiving.await.unwrap();
    measure.end("upload over HTTP/2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_over_http_2_takes_no_memory() {
    let program = Program::encrypted().await;
    let client = program.h2_client().await;
    let measure = Measure::begin(&program);
    let request = client.request("GET", "/orders/all", program.token());
    let (answer, _) = client.open(request, true).await;
    let api = program.connection().await;
    let sending = tokio::spawn(send(api));
    let answer = timeout(PATIENCE, answer).await.expect("no response");
    let mut body = answer.unwrap().into_body();
    let mut offset = 0;
    while let Some(part) = timeout(PATIENCE, part(&mut body)).await.expect("no data") {
        assert!(pattern::is_at(offset, &part), "another byte near {offset}");
        offset += part.len() as u64;
    }
    assert_eq!(offset, SIZE);
    sending.await.unwrap();
    measure.end("download over HTTP/2");
}
