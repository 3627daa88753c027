//! A response that starts before the request body is complete: the client gets it at once, and the rest of the body is never
//! read as another request.

use crate::streaming::{
    stage::Stage,
    support::{
        Ask, PATIENCE, answer,
        wire::{Kind, Reader, find},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedSender, unbounded_channel},
    time::timeout,
};

/// Responses of the API after the head and the start of the body, each with the expected status and body.
const RESPONSES: &[(&str, u16, &str)] = &[
    (
        "HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nless",
        413,
        "less",
    ),
    (
        "HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nless",
        413,
        "less",
    ),
    (
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine",
        200,
        "fine",
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
        200,
        "fine",
    ),
    ("HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
];

/// Returns start and rest of a request whose body contains another request.
fn requests() -> [(String, Vec<u8>); 3] {
    let smuggled = Ask::get("/status/smuggled").bytes();
    let head = "POST /status/first HTTP/1.1\r\nHost: a\r\n";
    let length = 3 + smuggled.len();
    [
        (
            format!("{head}Content-Length: {length}\r\n\r\nabc"),
            [&smuggled[..], &smuggled].concat(),
        ),
        (
            format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
            [
                format!("{:x}\r\n", smuggled.len()).as_bytes(),
                &smuggled,
                b"\r\n0\r\n\r\n",
                &smuggled,
            ]
            .concat(),
        ),
        // a client that sends the next request after the response
        (
            format!("{head}Content-Length: {length}\r\n\r\nabc"),
            smuggled,
        ),
    ]
}

/// An API that responds to every request with a body before the body is complete.
#[derive(Clone, Copy)]
struct Early {
    response: &'static str,
    closes: bool,
}

/// Serves one connection; the targets of all requests that it reads from it go to `seen`.
async fn serve(mut stream: TcpStream, early: Early, seen: UnboundedSender<String>) {
    let mut reader = Reader::new();
    loop {
        while find(&reader.held, b"\r\n\r\n").is_none() {
            match stream.read_buf(&mut reader.held).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return,
            }
        }
        if reader.held.starts_with(b"POST") {
            while find(&reader.held, b"abc").is_none() {
                stream.read_buf(&mut reader.held).await.unwrap();
            }
            stream.write_all(early.response.as_bytes()).await.unwrap();
            if early.closes {
                let _ = seen.send("closed".to_owned());
                return;
            }
        }
        let request = reader.next(&mut stream, Kind::Request, &mut |_| {}).await;
        let Some(request) = request else {
            return;
        };
        let _ = seen.send(request.target().to_owned());
        if request.method() == "GET" {
            stream
                .write_all(&answer("200 OK", &[], "second"))
                .await
                .unwrap();
        }
    }
}

#[tokio::test]
async fn a_response_before_the_end_of_the_request_body_is_the_last_on_its_connection() {
    for (response, status, body) in RESPONSES {
        for closes in [false, true] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let origin = format!("http://{}", listener.local_addr().unwrap());
            let (seen, mut targets) = unbounded_channel();
            let early = Early { response, closes };
            let accepting = tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, early, seen.clone()));
                }
            });
            let stage = Stage::before(&origin).await;
            for (begin, rest) in requests() {
                let case = format!("{response:?} {closes} {begin:?}");
                let mut client = stage.client().await;
                client.send(begin.as_bytes()).await;
                // the response arrives before the client has sent the rest
                let received = client.answer(Kind::Response).await.expect(&case);
                assert_eq!(received.status(), *status, "{case}");
                assert_eq!(received.body, body.as_bytes(), "{case}");
                assert_eq!(received.field("connection"), Some("close"), "{case}");
                client.send(&rest).await;
                assert!(client.ends().await, "{case}");

                let mut other = stage.client().await;
                let second = other.ask(&Ask::get("/status/second")).await.expect(&case);
                assert_eq!(second.body, b"second", "{case}");
                let mut all = Vec::new();
                while all.last().is_none_or(|target| target != "/status/second") {
                    let target = timeout(PATIENCE, targets.recv()).await.expect(&case);
                    all.push(target.unwrap());
                }
                let first = if closes { "closed" } else { "/status/first" };
                all.retain(|target| target != first);
                assert_eq!(all, ["/status/second"], "{case}");
            }
            accepting.abort();
        }
    }
}
