//! Long-lived responses: how long they may be silent, and that they end with their credential.

mod silence;

use crate::e2e::{
    revocation::revoke,
    support::{Ask, Client, Lab, Origin, PATIENCE, Reply, Setup, until, wire::Kind},
};
use obo_gateway::clock::{Clock, ManualClock, SystemClock};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::mpsc::{UnboundedSender, unbounded_channel},
    time::{Instant, timeout},
};

const ROUTES: &str = r"
  - name: orders
    match: { prefix: /orders }
    upstream: { targets: [ { url: ORIGIN } ], timeouts: { response: 300ms, idle: 60s } }
    upgrade: websocket
    exchange: { audience: orders-api, scope: { allow: [orders.read] }, token: { lifetime: 2m } }
  - name: patient
    match: { prefix: /patient }
    upstream: { targets: [ { url: ORIGIN } ], timeouts: { response: 50s } }
    exchange: { audience: orders-api, scope: { allow: [orders.read] }, token: { lifetime: 2m } }
  - name: open
    match: { prefix: /open }
    upstream: { targets: [ { url: ORIGIN } ] }
    public: true
";

pub const EVENTS: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const DOWNLOAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\nContent-Length: 1000000\r\n\r\n";
pub const SWITCH: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// An upstream that sends what the test specifies for the path of the request.
#[derive(Clone, Default)]
pub struct Told(Arc<Mutex<HashMap<String, UnboundedSender<Vec<u8>>>>>);

impl Told {
    pub fn by(lab: &Lab) -> Self {
        Self::at(&lab.origin)
    }

    pub fn at(origin: &Origin) -> Self {
        let told = Self::default();
        let streams = Arc::clone(&told.0);
        origin.answers(move |request| {
            let path = request.start.split(' ').nth(1).unwrap().to_owned();
            let (sender, receiver) = unbounded_channel();
            streams.lock().unwrap().insert(path, sender);
            Reply::Stream(receiver)
        });
        told
    }

    pub async fn arrived(&self, path: &str) {
        until("the request arrives", || {
            self.0.lock().unwrap().contains_key(path)
        })
        .await;
    }

    pub fn says(&self, path: &str, text: &str) {
        let streams = self.0.lock().unwrap();
        streams[path].send(text.as_bytes().to_vec()).unwrap();
    }

    /// Ends the response on `path`; the upstream then serves other requests on that connection.
    fn is_done(&self, path: &str) {
        self.0.lock().unwrap().remove(path);
    }

    /// Starts a response with `head`, and waits until it has reached the client.
    pub async fn open(&self, gateway: SocketAddr, ask: Ask, head: &str) -> Client {
        let path = ask.target.clone();
        let mut client = Client::connect(gateway).await;
        client.send(&ask.bytes()).await;
        self.arrived(&path).await;
        self.says(&path, head);
        client.until_received(b"\r\n\r\n").await;
        client
    }
}

pub fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// The head of a download, with a part that is large enough to be sent immediately.
pub fn download() -> String {
    format!("{DOWNLOAD}{}", part("pdf "))
}

fn part(text: &str) -> String {
    text.repeat(4096)
}

pub fn handshake(target: &str) -> Ask {
    Ask::get(target)
        .field("Connection", "Upgrade")
        .field("Upgrade", "websocket")
        .field("Sec-WebSocket-Version", "13")
        .field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
}

fn stored() -> Setup {
    Setup {
        routes: ROUTES.to_owned(),
        sections: "store: { embedded: { path: store } }".to_owned(),
        ..Setup::default()
    }
}

async fn ends_within(client: &mut Client, since: Instant, what: &str) {
    let rest = timeout(Duration::from_secs(10), client.rest()).await;
    let rest = rest.unwrap_or_else(|_| panic!("{what} goes on"));
    assert!(!rest.ends_with(b"0\r\n\r\n"), "{what} ends as if whole");
    assert!(since.elapsed() <= Duration::from_secs(1), "{what}");
}

/// The last chunk of a stream that continues.
async fn goes_on(told: &Told, path: &str, client: &mut Client) {
    told.says(path, &chunk("still here"));
    client.until_received(b"still here").await;
}

type Names = fn(&Lab) -> Value;

/// Every kind of revocation: its name, the request, and `true` if it does not affect another user's token.
fn revocations() -> [(&'static str, Names, bool); 5] {
    [
        (
            "subject",
            |lab| json!({"subject": {"issuer": lab.idp.issuer(), "sub": "alice"}}),
            true,
        ),
        (
            "session",
            |lab| json!({"session": {"issuer": lab.idp.issuer(), "sid": "s-1"}}),
            true,
        ),
        (
            "client",
            |_| json!({"client": {"id": "web"}, "forever": true, "force": true}),
            false,
        ),
        (
            "signing_key",
            |lab| json!({"signing_key": {"issuer": "corp", "kid": lab.idp.signer().kid()}, "for": "7d"}),
            false,
        ),
        (
            "token",
            |lab| {
                let claims = lab.claims(json!({"jti": "t-1"}));
                json!({"token": {"token": lab.idp.signer().sign(&claims)}})
            },
            true,
        ),
    ]
}

#[tokio::test]
async fn a_revocation_ends_what_is_open_of_whatever_kind_it_is() {
    for (kind, names, spares_others) in revocations() {
        let lab = Lab::with(stored()).await;
        let told = Told::by(&lab);
        let token = lab.token_with(json!({"sid": "s-1", "jti": "t-1"}));
        let other = lab.token_with(json!({"sub": "bob", "sid": "s-2"}));
        let ask = |path: &str| Ask::get(path).bearer(&token);
        let mut events = told
            .open(lab.address(), ask("/orders/events"), EVENTS)
            .await;
        let mut pdf = told
            .open(lab.address(), ask("/patient/pdf"), &download())
            .await;
        let mut socket = told
            .open(
                lab.address(),
                handshake("/orders/socket").bearer(&token),
                SWITCH,
            )
            .await;
        let of_other = Ask::get("/orders/bob").bearer(&other);
        let mut of_other = told.open(lab.address(), of_other, EVENTS).await;
        let mut public = told.open(lab.address(), Ask::get("/open/1"), EVENTS).await;

        let answer = revoke(&lab, &names(&lab)).await;
        let since = Instant::now();
        assert_eq!(answer.status(), 200, "{kind}");
        ends_within(&mut events, since, &format!("{kind}: event stream")).await;
        ends_within(&mut pdf, since, &format!("{kind}: download")).await;
        ends_within(&mut socket, since, &format!("{kind}: websocket")).await;
        goes_on(&told, "/open/1", &mut public).await;
        let mut ended = 3;
        if spares_others {
            goes_on(&told, "/orders/bob", &mut of_other).await;
        } else {
            ends_within(&mut of_other, since, &format!("{kind}: another's")).await;
            ended = 4;
        }
        lab.counts("obo_requests_total", &["outcome=\"ended\""], ended)
            .await;
        lab.counts("obo_denied_total", &["reason=\"token_revoked\""], ended)
            .await;
        until("the log says why", || {
            let log = std::fs::read_to_string(lab.file("access.jsonl")).unwrap_or_default();
            let lines = log.lines().filter(|line| {
                line.contains(r#""outcome":"ended""#) && line.contains(r#""token_revoked""#)
            });
            lines.count() == ended
        })
        .await;
        if spares_others {
            is_not_reused(&lab, &other).await;
        }
    }
}

/// A connection whose response was cut off is not used for other requests.
async fn is_not_reused(lab: &Lab, other: &str) {
    let connections = lab.origin.connections();
    lab.origin
        .always(crate::e2e::support::answer("200 OK", &[], "anew"));
    assert_eq!(lab.present(other).await.body, b"anew");
    assert_eq!(lab.origin.connections(), connections + 1);
}

#[tokio::test]
async fn what_is_open_ends_when_its_token_expires_and_not_before() {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let lab = Lab::with(Setup {
        clock: Arc::clone(&clock) as _,
        ..stored()
    })
    .await;
    let told = Told::by(&lab);
    let token = lab.token();
    let ask = |path: &str| Ask::get(path).bearer(&token);
    let mut events = told
        .open(lab.address(), ask("/orders/events"), EVENTS)
        .await;
    let mut pdf = told
        .open(lab.address(), ask("/patient/pdf"), &download())
        .await;
    let mut socket = told
        .open(
            lab.address(),
            handshake("/orders/socket").bearer(&token),
            SWITCH,
        )
        .await;
    let mut public = told.open(lab.address(), Ask::get("/open/1"), EVENTS).await;
    // the token is valid for two minutes
    clock.advance(Duration::from_secs(115));
    for number in 0..3 {
        goes_on(&told, "/orders/events", &mut events).await;
        let more = part(&format!("part {number} "));
        told.says("/patient/pdf", &more);
        pdf.until_received(more.as_bytes()).await;
    }
    clock.advance(Duration::from_secs(5));
    let since = Instant::now();
    ends_within(&mut events, since, "the event stream").await;
    ends_within(&mut pdf, since, "the download").await;
    ends_within(&mut socket, since, "the websocket").await;
    goes_on(&told, "/open/1", &mut public).await;
    lab.counts("obo_requests_total", &["outcome=\"ended\""], 3)
        .await;
    lab.counts("obo_denied_total", &["reason=\"token_expired\""], 3)
        .await;
}

#[tokio::test]
async fn an_upload_whose_token_is_revoked_is_refused_with_401() {
    let lab = Lab::with(stored()).await;
    let told = Told::by(&lab);
    let token = lab.token();
    let mut client = Client::connect(lab.address()).await;
    let head = format!(
        "POST /patient/up HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Length: 1000000\r\n\r\nbegin"
    );
    client.send(head.as_bytes()).await;
    until("the upload reaches the upstream", || {
        lab.origin.bytes().ends_with(b"begin")
    })
    .await;
    let subject = json!({"subject": {"issuer": lab.idp.issuer(), "sub": "alice"}});
    assert_eq!(revoke(&lab, &subject).await.status(), 200);
    let since = Instant::now();
    let answer = client.answer(Kind::Response).await.unwrap();
    assert!(since.elapsed() <= Duration::from_secs(1));
    assert_eq!(
        (answer.status(), answer.error()),
        (401, "invalid_token".to_owned())
    );
    assert!(client.ends().await);
    drop(told);
}

#[tokio::test]
async fn a_request_that_was_sent_in_time_is_answered_unless_its_token_is_revoked() {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let lab = Lab::with(Setup {
        clock: Arc::clone(&clock) as _,
        ..stored()
    })
    .await;
    let told = Told::by(&lab);
    let token = lab.token();
    let mut waits = Client::connect(lab.address()).await;
    waits
        .send(&Ask::post("/patient/1", "pay").bearer(&token).bytes())
        .await;
    told.arrived("/patient/1").await;
    let events = told
        .open(
            lab.address(),
            Ask::get("/orders/events").bearer(&token),
            EVENTS,
        )
        .await;
    clock.advance(Duration::from_secs(130));
    let mut events = events;
    ends_within(&mut events, Instant::now(), "the event stream").await;
    told.says(
        "/patient/1",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npaid",
    );
    let answer = waits.answer(Kind::Response).await.unwrap();
    assert_eq!(
        (answer.status(), answer.body.as_slice()),
        (200, &b"paid"[..])
    );
    told.is_done("/patient/1");

    let token = lab.token();
    waits
        .send(&Ask::post("/patient/2", "pay").bearer(&token).bytes())
        .await;
    told.arrived("/patient/2").await;
    let subject = json!({"subject": {"issuer": lab.idp.issuer(), "sub": "alice"}});
    assert_eq!(revoke(&lab, &subject).await.status(), 200);
    let answer = timeout(PATIENCE, waits.answer(Kind::Response)).await;
    assert_eq!(answer.unwrap().unwrap().status(), 401);
}
