//! WebSockets through the gateway, a real client at one end and a real server at the other.

use crate::e2e::support::{Ask, Client, Lab, PATIENCE, until};
use futures_util::{SinkExt, StreamExt};
use std::{
    sync::{Arc, Mutex},
    time::Instant,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        handshake::server::{Request, Response},
        http::HeaderMap,
    },
};

/// A server that repeats every message, and the heads of the handshakes that it received.
struct Echo {
    address: std::net::SocketAddr,
    heads: Arc<Mutex<Vec<HeaderMap>>>,
    /// Connections that ended.
    ended: Arc<Mutex<usize>>,
}

impl Echo {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::default());
        let ended = Arc::new(Mutex::default());
        let (keep, count) = (Arc::clone(&heads), Arc::clone(&ended));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(echo(stream, Arc::clone(&keep), Arc::clone(&count)));
            }
        });
        Self {
            address,
            heads,
            ended,
        }
    }

    fn head(&self) -> HeaderMap {
        let heads = self.heads.lock().unwrap();
        assert_eq!(heads.len(), 1);
        heads[0].clone()
    }
}

async fn echo(stream: TcpStream, heads: Arc<Mutex<Vec<HeaderMap>>>, ended: Arc<Mutex<usize>>) {
    #[allow(clippy::result_large_err)] // tungstenite's own
    let note = |request: &Request, response: Response| {
        heads.lock().unwrap().push(request.headers().clone());
        Ok(response)
    };
    if let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, note).await {
        while let Some(Ok(message)) = socket.next().await {
            if message.is_close() || socket.send(message).await.is_err() {
                break;
            }
        }
    }
    *ended.lock().unwrap() += 1;
}

fn routes(echo: &Echo, lifetime: &str) -> String {
    format!(
        r"
  - name: live
    match: {{ prefix: /live }}
    upstream: {{ targets: [ {{ url: http://{address} }} ] }}
    upgrade: websocket
    exchange: {{ audience: live-api, scope: {{ allow: [orders.read] }}, token: {{ lifetime: {lifetime} }} }}
  - name: open
    match: {{ prefix: /open }}
    upstream: {{ targets: [ {{ url: http://{address} }} ] }}
    upgrade: websocket
    public: true
  - name: scripted
    match: {{ prefix: /scripted }}
    upstream: {{ targets: [ {{ url: ORIGIN }} ] }}
    upgrade: websocket
    exchange: {{ audience: live-api, scope: {{ allow: [orders.read] }} }}
  - name: orders
    match: {{ prefix: /orders }}
    upstream: {{ targets: [ {{ url: ORIGIN }} ] }}
    exchange: {{ audience: orders-api, scope: {{ allow: [orders.read] }} }}
",
        address = echo.address
    )
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn open(
    lab: &Lab,
    path: &str,
    fields: &[(&str, &str)],
) -> Result<Socket, tungstenite::Error> {
    let url = format!("ws://{}{path}", lab.address());
    let mut request = url.into_client_request().unwrap();
    for (name, value) in fields {
        let name = tungstenite::http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    let opening = tokio_tungstenite::connect_async(request);
    let (socket, _) = timeout(PATIENCE, opening).await.expect("no response")?;
    Ok(socket)
}

async fn says_back(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.unwrap();
    let message = timeout(PATIENCE, socket.next()).await.expect("no echo");
    assert_eq!(message.unwrap().unwrap(), Message::text(text));
}

fn status(refused: Result<Socket, tungstenite::Error>) -> u16 {
    match refused {
        Err(tungstenite::Error::Http(response)) => response.status().as_u16(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_websocket_is_opened_with_the_exchanged_token_and_carries_messages_both_ways() {
    let echo = Echo::start().await;
    let lab = Lab::routes(&routes(&echo, "2m")).await;
    let token = lab.token();
    let mut socket = open(
        &lab,
        "/live/1",
        &[("Authorization", &format!("Bearer {token}"))],
    )
    .await
    .unwrap();
    says_back(&mut socket, "first").await;
    let large = "0123456789abcdef".repeat(64 << 10);
    says_back(&mut socket, &large).await;
    says_back(&mut socket, "last").await;
    let head = echo.head();
    let sent = head["authorization"].to_str().unwrap();
    let issued = sent.strip_prefix("Bearer ").unwrap();
    assert_ne!(issued, token);
    let claims = crate::e2e::support::obo::verify(lab.address(), issued, lab.now())
        .await
        .claims;
    assert_eq!(claims["aud"], "live-api");
    socket.close(None).await.unwrap();
    until("the server's end is closed", || {
        *echo.ended.lock().unwrap() == 1
    })
    .await;
    lab.counts("obo_requests_total", &["live", "forwarded"], 1)
        .await;
}

#[tokio::test]
async fn a_tunnel_ends_when_its_token_does_though_nobody_says_anything() {
    let echo = Echo::start().await;
    let lab = Lab::routes(&routes(&echo, "4s")).await;
    #[allow(clippy::disallowed_methods)] // a real deadline is measured
    let began = Instant::now();
    let bearer = format!("Bearer {}", lab.token());
    let mut socket = open(&lab, "/live/1", &[("Authorization", &bearer)])
        .await
        .unwrap();
    says_back(&mut socket, "first").await;
    let end = timeout(PATIENCE, socket.next()).await.expect("it goes on");
    assert!(!matches!(end, Some(Ok(_))), "{end:?}");
    let lived = began.elapsed().as_secs_f32();
    assert!((1.5..4.5).contains(&lived), "{lived} s");
    until("the server's end is closed", || {
        *echo.ended.lock().unwrap() == 1
    })
    .await;
    lab.counts("obo_requests_total", &["live", "ended"], 1)
        .await;
    // and the next one gets a new token
    let mut socket = open(&lab, "/live/1", &[("Authorization", &bearer)])
        .await
        .unwrap();
    says_back(&mut socket, "again").await;
}

#[tokio::test]
async fn a_tunnel_that_is_never_quiet_ends_when_its_token_does() {
    let echo = Echo::start().await;
    let lab = Lab::routes(&routes(&echo, "4s")).await;
    let bearer = format!("Bearer {}", lab.token());
    let mut socket = open(&lab, "/live/1", &[("Authorization", &bearer)])
        .await
        .unwrap();
    let talking = async {
        while socket.send(Message::text("still there?")).await.is_ok()
            && matches!(socket.next().await, Some(Ok(_)))
        {}
    };
    timeout(PATIENCE, talking).await.expect("it goes on");
    until("the server's end is closed", || {
        *echo.ended.lock().unwrap() == 1
    })
    .await;
}

#[tokio::test]
async fn a_websocket_on_a_public_route_gets_no_token_and_has_no_end() {
    let echo = Echo::start().await;
    let lab = Lab::routes(&routes(&echo, "2m")).await;
    let mut socket = open(&lab, "/open", &[("Authorization", "Bearer whatever")])
        .await
        .unwrap();
    says_back(&mut socket, "hello").await;
    assert!(!echo.head().contains_key("authorization"));
}

#[tokio::test]
async fn without_an_acceptable_token_no_websocket_is_opened() {
    let echo = Echo::start().await;
    let lab = Lab::routes(&routes(&echo, "2m")).await;
    assert_eq!(status(open(&lab, "/live/1", &[]).await), 401);
    let garbage = [("Authorization", "Bearer a.b.c")];
    assert_eq!(status(open(&lab, "/live/1", &garbage).await), 401);
    assert!(echo.heads.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_token_does_not_cross_in_the_subprotocol() {
    let echo = Echo::start().await;
    let lab = Lab::routes(&routes(&echo, "2m")).await;
    let token = lab.token();
    let fields = [
        ("Authorization", format!("Bearer {token}")),
        ("Sec-WebSocket-Protocol", format!("chat, bearer.{token}")),
        ("X-Other", "kept".to_owned()),
    ];
    let fields = fields
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    // this client refuses a server that selects no protocol
    let _ = open(&lab, "/live/1", &fields).await;
    until("the handshake arrives", || {
        !echo.heads.lock().unwrap().is_empty()
    })
    .await;
    let head = echo.head();
    assert!(!head.contains_key("sec-websocket-protocol"));
    assert_eq!(head["x-other"], "kept");
    assert!(!format!("{head:?}").contains(&token));
    lab.counts("obo_leak_blocked_total", &["request_header"], 1)
        .await;
}

/// The opening handshake, byte by byte.
fn handshake(target: &str, token: &str) -> Ask {
    Ask::get(target)
        .bearer(token)
        .field("Connection", "Upgrade")
        .field("Upgrade", "websocket")
        .field("Sec-WebSocket-Version", "13")
        .field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
}

const SWITCH: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

#[tokio::test]
async fn a_route_that_says_nothing_forwards_no_upgrade_and_refuses_a_switch() {
    let echo = Echo::start().await;
    let lab = Lab::routes(&routes(&echo, "2m")).await;
    let answer = lab.ask(handshake("/orders/1", &lab.token())).await;
    assert_eq!(answer.status(), 200);
    let request = lab.origin.request();
    assert!(request.field("upgrade").is_none() && request.field("connection").is_none());
    lab.origin.always(SWITCH.to_vec());
    let answer = lab.ask(handshake("/orders/1", &lab.token())).await;
    assert_eq!(answer.status(), 502);
}

#[tokio::test]
async fn what_is_no_whole_handshake_is_an_ordinary_request() {
    let echo = Echo::start().await;
    let lab = Lab::routes(&routes(&echo, "2m")).await;
    let token = lab.token();
    let mut post = handshake("/scripted/1", &token);
    post.method = "POST".to_owned();
    post.body = Some(b"GET /scripted/2 HTTP/1.1\r\nHost: a\r\n\r\n".to_vec());
    let keyless = Ask::get("/scripted/1")
        .bearer(&token)
        .field("Connection", "Upgrade")
        .field("Upgrade", "websocket");
    let mut other = handshake("/scripted/1", &token);
    other.fields.retain(|(name, _)| name != "Upgrade");
    for ask in [post, keyless, other.field("Upgrade", "h2c")] {
        lab.origin.forget();
        lab.origin
            .always(crate::e2e::support::answer("200 OK", &[], "plain"));
        assert_eq!(lab.ask(ask.clone()).await.status(), 200);
        assert!(lab.origin.request().field("upgrade").is_none());
        lab.origin.always(SWITCH.to_vec());
        assert_eq!(lab.ask(ask).await.status(), 502);
    }
}

#[tokio::test]
async fn a_switch_to_another_protocol_than_was_asked_for_is_refused() {
    let echo = Echo::start().await;
    let lab = Lab::routes(&routes(&echo, "2m")).await;
    let other = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    lab.origin.always(other.to_vec());
    let answer = lab.ask(handshake("/scripted/1", &lab.token())).await;
    assert_eq!(answer.status(), 502);
}

#[tokio::test]
async fn a_handshake_that_the_downstream_declines_is_an_ordinary_answer() {
    let echo = Echo::start().await;
    let lab = Lab::routes(&routes(&echo, "2m")).await;
    lab.origin.always(crate::e2e::support::answer(
        "426 Upgrade Required",
        &[],
        "no",
    ));
    let mut client = Client::connect(lab.address()).await;
    let answer = client
        .ask(&handshake("/scripted/1", &lab.token()))
        .await
        .unwrap();
    assert_eq!((answer.status(), answer.body.as_slice()), (426, &b"no"[..]));
    assert_eq!(lab.origin.request().field("upgrade"), Some("websocket"));
}
