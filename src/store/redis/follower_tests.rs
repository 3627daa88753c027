use super::*;
use crate::{
    clock::{Clock, ManualClock, UnixTime},
    jose::SealingKey,
    store::{STALE_AFTER, redis::connection::Topology},
};
use std::{io, sync::Mutex};

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the output of `log`.
fn logged(log: impl FnOnce()) -> String {
    let kept = Kept::default();
    let out = kept.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || out.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, log);
    let bytes = kept.0.lock().unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn that_it_is_stale_and_that_it_is_current_again_is_said_once_each() {
    let clock = Arc::new(ManualClock::at(UnixTime::from_secs(1_800_000_000)));
    let revocations = Revocations::of_replicas(STALE_AFTER, clock.instant());
    let nowhere = Topology::Node(Box::new(
        redis::Client::open("redis://127.0.0.1:1").unwrap(),
    ));
    let mut follower = Follower::new(
        Arc::new(Server::new(nowhere, clock.clone())),
        Arc::new(SealingKeys::new([SealingKey::generate().unwrap().key]).unwrap()),
        revocations.clone(),
        Followed::default(),
        clock.clone(),
    );
    let mut published = || logged(|| (0..3).for_each(|_| follower.tell_staleness()));
    assert_eq!(published(), "");
    clock.advance(STALE_AFTER + Duration::from_secs(1));
    let stale = published();
    assert_eq!(stale.lines().count(), 1, "{stale}");
    assert!(stale.contains("ERROR") && stale.contains("revocations are stale"));
    revocations.heard(clock.instant());
    let current = published();
    assert_eq!(current.lines().count(), 1, "{current}");
    assert!(current.contains("INFO") && current.contains("current again"));
}
