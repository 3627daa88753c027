//! The contract of every store.

use crate::store::{NOW, later, lineage, revoked, token};
use obo_gateway::{
    clock::ManualClock,
    store::{Lift, OnceOnly, RecordKey, Revocation, RevokedBy, Store, Stores, Use},
};
use std::time::Duration;

fn key(id: &str) -> RecordKey {
    RecordKey::new("contract", id.as_bytes())
}

/// Runs all checks on an empty store whose clock is `clock`.
pub(super) async fn holds(store: &Stores, clock: &ManualClock) {
    a_record_is_kept_once(store).await;
    a_swap_needs_the_version_that_is_there(store).await;
    of_many_at_once_one_puts_and_one_swaps(store).await;
    a_removed_record_is_gone_and_may_come_anew(store).await;
    any_bytes_come_back_as_they_were(store).await;
    a_revocation_holds_when_it_is_answered(store).await;
    a_lifted_revocation_is_gone_and_may_come_anew(store).await;
    what_was_used_is_known_to_all_who_share_it(store).await;
    a_record_ends(store, clock).await;
}

async fn a_record_is_kept_once(store: &Stores) {
    let key = key("once");
    assert_eq!(store.get(&key).await, Ok(None));
    let put = async |value: &[u8]| store.put_new(&key, value.to_vec(), later(60)).await;
    assert_eq!(put(b"first").await, Ok(true));
    assert_eq!(put(b"second").await, Ok(false));
    assert_eq!(store.get(&key).await.unwrap().unwrap().value, b"first");
}

async fn a_swap_needs_the_version_that_is_there(store: &Stores) {
    let key = key("swap");
    let swap = async |version, value: &[u8]| {
        let value = value.to_vec();
        store.swap(&key, version, value, later(60)).await
    };
    assert_eq!(swap(0, b"nothing is there").await, Ok(false));
    store.put_new(&key, b"a".to_vec(), later(60)).await.unwrap();
    let first = store.get(&key).await.unwrap().unwrap();
    assert_eq!(swap(first.version, b"b").await, Ok(true));
    assert_eq!(swap(first.version, b"c").await, Ok(false));
    let second = store.get(&key).await.unwrap().unwrap();
    assert_eq!(second.value, b"b");
    assert_ne!(second.version, first.version);
}

async fn of_many_at_once_one_puts_and_one_swaps(store: &Stores) {
    let key = key("many");
    let puts = (0..32u8).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { store.put_new(&key, vec![n], later(60)).await })
    });
    assert_eq!(successes(puts).await, 1);
    let found = store.get(&key).await.unwrap().unwrap();
    let swaps = (0..32u8).map(|n| {
        let store = store.clone();
        let version = found.version;
        tokio::spawn(async move { store.swap(&key, version, vec![n], later(60)).await })
    });
    assert_eq!(successes(swaps).await, 1);
}

type Spawned = tokio::task::JoinHandle<Result<bool, obo_gateway::store::StoreError>>;

async fn successes(spawned: impl Iterator<Item = Spawned>) -> usize {
    let mut successes = 0;
    for task in spawned.collect::<Vec<_>>() {
        successes += usize::from(task.await.unwrap().unwrap());
    }
    successes
}

async fn a_removed_record_is_gone_and_may_come_anew(store: &Stores) {
    let key = key("removed");
    store.put_new(&key, b"a".to_vec(), later(60)).await.unwrap();
    let first = store.get(&key).await.unwrap().unwrap();
    store.remove(&key).await.unwrap();
    store.remove(&key).await.unwrap();
    assert_eq!(store.get(&key).await, Ok(None));
    let again = store.put_new(&key, b"b".to_vec(), later(60)).await;
    assert_eq!(again, Ok(true));
    // a caller that read the former record cannot change the new one
    let swapped = store.swap(&key, first.version, b"c".to_vec(), later(60));
    assert_eq!(swapped.await, Ok(false));
}

async fn any_bytes_come_back_as_they_were(store: &Stores) {
    let whole: Vec<u8> = (0..=255).cycle().take(20_000).collect();
    for (n, value) in [Vec::new(), vec![0], whole].into_iter().enumerate() {
        let key = key(&format!("bytes {n}"));
        store.put_new(&key, value.clone(), later(60)).await.unwrap();
        assert_eq!(store.get(&key).await.unwrap().unwrap().value, value);
    }
}

async fn a_revocation_holds_when_it_is_answered(store: &Stores) {
    let before = store.revocations().epoch();
    assert!(!store.revocations().ends(&lineage("contract")));
    store
        .revoke(&[revoked("contract"), revoked("another")])
        .await
        .unwrap();
    assert!(store.revocations().ends(&lineage("contract")));
    assert!(store.revocations().ends(&lineage("another")));
    assert_ne!(store.revocations().epoch(), before);
    // if two revocations overlap, the broader one applies
    let shorter = Revocation::of_earlier(token("contract"), NOW, later(1));
    store.revoke(&[shorter]).await.unwrap();
    assert!(store.revocations().ends(&lineage("contract")));
    assert_eq!(store.revoke(&[]).await, Ok(()));
}

async fn a_lifted_revocation_is_gone_and_may_come_anew(store: &Stores) {
    let key = token("lifted");
    let lift = async |by| {
        let lift = Lift { key, by, at: NOW };
        store.lift(&[lift]).await
    };
    let ends = || store.revocations().ends(&lineage("lifted"));
    let operators = revoked("lifted").by_operator(Some("a mistake".into()));
    let both = [operators.clone(), revoked("lifted")];
    store.revoke(&both).await.unwrap();
    let noted = store.revocations().about(&key);
    assert_eq!(noted, both);
    let epoch = store.revocations().epoch();
    assert_eq!(lift(RevokedBy::Operator).await, Ok(()));
    assert_ne!(store.revocations().epoch(), epoch);
    assert!(ends(), "what the client revoked stays");
    assert_eq!(lift(RevokedBy::Client).await, Ok(()));
    assert!(!ends());
    // lifting twice, or lifting an unknown revocation, is not an error
    assert_eq!(lift(RevokedBy::Client).await, Ok(()));
    assert_eq!(store.lift(&[]).await, Ok(()));
    store.revoke(&[operators]).await.unwrap();
    assert!(ends());
}

async fn what_was_used_is_known_to_all_who_share_it(store: &Stores) {
    let replicas = [0, 1].map(|_| OnceOnly::in_memory(8).kept_in(Some(store.clone())));
    let use_at = async |at: usize| replicas[at].first_use("jti", b"1", later(60), NOW).await;
    assert_eq!(use_at(0).await, Ok(Use::First));
    assert_eq!(use_at(1).await, Ok(Use::Again));
    assert_eq!(use_at(0).await, Ok(Use::Again));
}

async fn a_record_ends(store: &Stores, clock: &ManualClock) {
    let key = key("ends");
    let put = async || store.put_new(&key, b"a".to_vec(), later(2)).await;
    assert_eq!(put().await, Ok(true));
    clock.advance(Duration::from_millis(1_900));
    assert!(store.get(&key).await.unwrap().is_some());
    clock.advance(Duration::from_millis(100));
    assert_eq!(store.get(&key).await, Ok(None));
    let until = later(60);
    let anew = store.put_new(&key, b"b".to_vec(), until).await;
    assert_eq!(anew, Ok(true));
}
