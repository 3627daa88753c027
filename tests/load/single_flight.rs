//! If many requests use a token for the first time concurrently, it is exchanged once.

use crate::{
    client::{Answer, Client},
    fixture::{World, jwks, series, token, until},
};
use obo_gateway::{
    cli::Gateway,
    clock::{NoRandomness, Randomness, SystemClock, SystemRandomness},
    config::Surroundings,
    jose::{Algorithm, SigningKey},
};
use std::{
    path::Path,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    runtime::Handle,
    sync::watch,
};

const FIRST_USES: usize = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_simultaneous_first_uses_make_one_exchange() {
    let world = World::new().await;
    let config = world.configure(
        "{ jwks_file: jwks.json }",
        "limits: { connections_per_address: 2000 }\nruntime: { threads: 2 }",
    );
    let gate = Arc::new(HeldRandomness::default());
    let gateway = start(&config, Arc::clone(&gate) as Arc<dyn Randomness>).await;
    let token = world.token(0);
    let mut clients = connect(&gateway, FIRST_USES).await;

    // the exchange cannot end before the last of the requests was sent
    gate.close();
    for client in &mut clients {
        client.send("/orders", &token).await;
    }
    gate.open();

    for answer in answers(clients).await {
        assert_eq!(answer.map(|answer| answer.status), Some(200));
    }
    let metrics = gateway.metrics().render();
    let cache = |result: &str| {
        series(
            &metrics,
            "obo_cache_total",
            &[&format!("result=\"{result}\"")],
        )
    };
    assert_eq!(
        series(&metrics, "obo_exchange_total", &["outcome=\"issued\""]),
        1
    );
    assert_eq!(cache("miss"), 1);
    assert_eq!(cache("hit") + cache("coalesced"), FIRST_USES as u64 - 1);
    assert_eq!(world.api_requests(), FIRST_USES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_client_goes_away_does_not_fail_those_that_wait_with_it() {
    let mut world = World::new().await;
    let provider = Provider::start(&world.key).await;
    let keys = format!("{{ jwks_uri: 'http://{}/jwks' }}", provider.address);
    let config = world.configure(&keys, "");
    let gateway = start(&config, Arc::new(SystemRandomness)).await;

    // a key that the gateway has not seen: the exchange waits for the provider, and the provider waits for this test
    world.key = SigningKey::generate(Algorithm::EdDSA).unwrap().key;
    provider.rotate(&world.key);
    let token = token(&world.key, 0);
    let mut clients = connect(&gateway, 51).await;
    let mut leader = clients.pop().unwrap();
    leader.send("/orders", &token).await;
    until(async || provider.is_asked()).await;
    for client in &mut clients {
        client.send("/orders", &token).await;
    }
    leader.abort();
    provider.answer();

    for answer in answers(clients).await {
        assert_eq!(answer.map(|answer| answer.status), Some(200));
    }
    let metrics = gateway.metrics().render();
    assert_eq!(
        series(&metrics, "obo_exchange_total", &["outcome=\"issued\""]),
        1
    );
}

async fn start(config: &Path, randomness: Arc<dyn Randomness>) -> Gateway {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let surroundings = Surroundings {
        clock: Arc::new(SystemClock),
        randomness,
        io: Handle::current(),
    };
    let gateway = Gateway::start(config, &surroundings).unwrap();
    until(async || gateway.is_ready()).await;
    gateway
}

async fn connect(gateway: &Gateway, count: usize) -> Vec<Client> {
    let address = gateway.addresses()[0];
    let mut clients = Vec::with_capacity(count);
    for _ in 0..count {
        clients.push(Client::connect(address).await.unwrap());
    }
    clients
}

async fn answers(clients: Vec<Client>) -> Vec<Option<Answer>> {
    let answers = clients
        .into_iter()
        .map(|mut client| tokio::spawn(async move { client.answer().await }));
    let mut received = Vec::new();
    for answer in answers.collect::<Vec<_>>() {
        received.push(answer.await.unwrap());
    }
    received
}

/// A source of randomness that blocks while it is closed: issuing a token then waits for its id.
#[derive(Debug, Default)]
struct HeldRandomness {
    closed: Mutex<bool>,
    opened: Condvar,
}

impl HeldRandomness {
    fn close(&self) {
        *self.closed.lock().unwrap() = true;
    }

    fn open(&self) {
        *self.closed.lock().unwrap() = false;
        self.opened.notify_all();
    }
}

impl Randomness for HeldRandomness {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        let closed = self.closed.lock().unwrap();
        let (closed, _) = self
            .opened
            .wait_timeout_while(closed, Duration::from_secs(20), |closed| *closed)
            .unwrap();
        drop(closed);
        SystemRandomness.fill(bytes)
    }
}

/// A provider that publishes keys. After a rotation it responds only when the test permits it.
struct Provider {
    address: std::net::SocketAddr,
    state: watch::Sender<Published>,
    asked: Arc<AtomicBool>,
}

#[derive(Clone)]
struct Published {
    jwks: String,
    held: bool,
}

impl Provider {
    async fn start(key: &SigningKey) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, published) = watch::channel(Published {
            jwks: jwks(&[key]),
            held: false,
        });
        let asked = Arc::new(AtomicBool::new(false));
        tokio::spawn(publish(listener, published, Arc::clone(&asked)));
        Self {
            address,
            state,
            asked,
        }
    }

    fn rotate(&self, key: &SigningKey) {
        self.state.send_replace(Published {
            jwks: jwks(&[key]),
            held: true,
        });
    }

    fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    fn answer(&self) {
        self.state.send_modify(|published| published.held = false);
    }
}

async fn publish(
    listener: TcpListener,
    published: watch::Receiver<Published>,
    asked: Arc<AtomicBool>,
) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let (mut published, asked) = (published.clone(), Arc::clone(&asked));
        tokio::spawn(async move {
            let mut received = [0; 4096];
            while let Ok(1..) = stream.read(&mut received).await {
                asked.store(published.borrow().held, Ordering::Release);
                let now = published.wait_for(|published| !published.held).await;
                let jwks = now.unwrap().jwks.clone();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{jwks}",
                    jwks.len()
                );
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
    }
}
