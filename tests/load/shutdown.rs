//! Shutdown of the program while clients send requests.

use crate::{
    client::Client,
    fixture::{Program, World, probe, until},
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

const CLIENTS: usize = 8;

/// A request is lost if it gets no response although its connection was open and the gateway had not announced on it that
/// it closes. If a connection is refused, its request was not accepted and is not lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_loses_no_request() {
    let world = World::new().await;
    let config = world.configure(
        "{ jwks_file: jwks.json }",
        "shutdown: { delay: 500ms, grace: 30s }",
    );
    let mut program = Program::start(&world, &config);
    program.until_ready().await;
    let answered = Arc::new(AtomicUsize::new(0));
    let clients = (0..CLIENTS).map(|id| {
        let token = world.token(id);
        tokio::spawn(keep_asking(program.address, token, Arc::clone(&answered)))
    });
    let clients: Vec<_> = clients.collect();
    until(async || answered.load(Ordering::Relaxed) >= 500).await;

    program.terminate();
    until(async || probe(program.admin).await == Some(503)).await;
    // load balancers have not noticed yet: their requests are still served
    let before = answered.load(Ordering::Relaxed);
    until(async || answered.load(Ordering::Relaxed) > before).await;

    for client in clients {
        assert_eq!(client.await.unwrap(), Ok(()));
    }
    let status = program.ended().await;
    assert_eq!(status.code(), Some(0), "{status}");
    assert_eq!(world.api_requests(), answered.load(Ordering::Relaxed));
}

/// Sends requests on one connection until the gateway announces that it closes it, then on a new one, until the listener is
/// closed.
async fn keep_asking(
    address: SocketAddr,
    token: String,
    answered: Arc<AtomicUsize>,
) -> Result<(), String> {
    while let Ok(mut client) = Client::connect(address).await {
        loop {
            let Some(answer) = client.request("/orders", &token).await else {
                return Err("a request got no response".to_owned());
            };
            if answer.status != 200 {
                return Err(answer.head);
            }
            answered.fetch_add(1, Ordering::Relaxed);
            if answer.announces_close() {
                break;
            }
        }
    }
    Ok(())
}
