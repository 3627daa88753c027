//! A process that is killed while it writes revocations.

use crate::store::{lineage, open, revoked};
use obo_gateway::store::Store;
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

const PATH: &str = "OBO_GATEWAY_TEST_STORE";
const KILLS: usize = 50;

#[tokio::test]
async fn no_revocation_that_was_answered_is_lost_by_fifty_kills_and_each_start_takes_less_than_two_seconds()
 {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let mut acknowledged = 0;
    let (mut slowest, mut known) = (Duration::ZERO, 0);
    for kill in 0..KILLS {
        let (child, answered) = child(&path, acknowledged, 5 + 7 * kill);
        drop(child);
        acknowledged = answered;

        let began = Instant::now();
        let store = opened(&path).await;
        slowest = slowest.max(began.elapsed());
        let revocations = store.revocations();
        let lost = (0..acknowledged).filter(|n| !revocations.ends(&lineage(n)));
        assert_eq!(lost.count(), 0, "of {acknowledged} after {kill} kills");
        known = revocations.len();
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    println!(
        "{KILLS} kills: {acknowledged} revocations acknowledged, none lost, {known} known; slowest start {slowest:?}"
    );
}

/// Starts another process that revokes `from`, `from + 1`, … and kills it when `more` were acknowledged. Returns the number
/// of all acknowledged revocations.
fn child(path: &Path, from: usize, more: usize) -> (Killed, usize) {
    let mut child = Killed(
        Command::new(std::env::current_exe().unwrap())
            .args([
                "store::crash::the_process_that_is_killed",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env(PATH, path)
            .env("OBO_GATEWAY_TEST_FROM", from.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut answered = from;
    let acknowledged = lines.map_while(Result::ok);
    for line in acknowledged.filter(|line| line.starts_with("acknowledged ")) {
        assert_eq!(line, format!("acknowledged {answered}"));
        answered += 1;
        if answered == from + more {
            // SIGKILL; the lines that are still in the pipe were acknowledged too
            child.0.kill().unwrap();
        }
    }
    assert!(answered >= from + more, "the process ended by itself");
    (child, answered)
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "is started, and killed, by the test above"]
fn the_process_that_is_killed() {
    let Some(path) = std::env::var_os(PATH) else {
        return;
    };
    let from: usize = std::env::var("OBO_GATEWAY_TEST_FROM")
        .unwrap()
        .parse()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = opened(Path::new(&path)).await;
        // the test runner has started a line
        println!();
        let (sender, mut answered) = tokio::sync::mpsc::channel(16);
        // several calls wait concurrently, and complete in the order of the calls
        let asking = store.clone();
        tokio::spawn(async move {
            for n in from.. {
                let store = asking.clone();
                let revoke = tokio::spawn(async move { store.revoke(&[revoked(n)]).await });
                if sender.send((n, revoke)).await.is_err() {
                    return;
                }
            }
        });
        while let Some((n, revoke)) = answered.recv().await {
            revoke.await.unwrap().unwrap();
            println!("acknowledged {n}");
            std::io::stdout().flush().unwrap();
        }
    });
}

async fn opened(path: &Path) -> obo_gateway::store::Stores {
    for _ in 0..1_000 {
        match open(path) {
            Err(obo_gateway::store::OpenError::Locked) => {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            opened => return opened.unwrap(),
        }
    }
    panic!("the file stays locked");
}
