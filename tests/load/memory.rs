//! The memory limit during a flood of tokens.

use crate::{
    client::Client,
    fixture::{Program, World, ask, series, token},
};
use std::sync::Arc;

const TOKENS: usize = 100_000;
const CONNECTIONS: usize = 16;
const MAX_SIZE: u64 = 16 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_valid_tokens_stays_within_the_cache_size() {
    let world = Arc::new(World::new().await);
    let config = world.configure("{ jwks_file: jwks.json }", "cache: { max_size: 16MiB }");
    let program = Program::start(&world, &config);
    program.until_ready().await;
    // the memory of connections and of the first use of every part is not the cache's, so measure after some requests
    let first = world.token(TOKENS);
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut client = Client::connect(program.address).await.unwrap();
        for _ in 0..20 {
            assert_eq!(client.request("/orders", &first).await.unwrap().status, 200);
        }
        clients.push(client);
    }
    let idle = program.resident();

    let floods = clients
        .into_iter()
        .enumerate()
        .map(|(connection, mut client)| {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                for id in (connection..TOKENS).step_by(CONNECTIONS) {
                    let answer = client.request("/orders", &token(&world.key, id)).await;
                    assert_eq!(answer.unwrap().status, 200);
                }
            })
        });
    for flood in floods.collect::<Vec<_>>() {
        flood.await.unwrap();
    }

    let grown = program.resident().saturating_sub(idle);
    let metrics = ask(program.admin, "/metrics").await.unwrap().body;
    let issued = series(&metrics, "obo_exchange_total", &["outcome=\"issued\""]);
    assert_eq!(issued, TOKENS as u64 + 1, "each was exchanged");
    assert!(
        grown <= MAX_SIZE * 3 / 2,
        "{} KiB over the {} KiB of the idle program",
        grown / 1024,
        idle / 1024
    );
    eprintln!("{} KiB over {} KiB", grown / 1024, idle / 1024);
}
