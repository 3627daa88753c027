//! Additional tests of the store in a file.

use crate::store::{clock, contract, later, lineage, open, open_at, revoked};
use obo_gateway::store::{Lift, OpenError, RecordKey, Revocation, RevokedBy, Store};
use std::{fs, os::unix::fs::PermissionsExt, sync::Arc, time::Duration};
use tempfile::TempDir;

#[tokio::test]
async fn it_keeps_the_contract_of_all_stores() {
    let folder = TempDir::new().unwrap();
    let clock = clock();
    let store = open_at(&folder.path().join("store"), Arc::clone(&clock) as _).unwrap();
    contract::holds(&store, &clock).await;
}

#[tokio::test]
async fn what_was_answered_for_is_there_when_it_is_opened_again() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("deep/er/store");
    let key = RecordKey::new("test", b"1");
    let store = open(&path).unwrap();
    store.put_new(&key, b"a".to_vec(), later(60)).await.unwrap();
    store.revoke(&[revoked("t")]).await.unwrap();
    drop(store);

    let store = again(&path).await;
    assert_eq!(store.get(&key).await.unwrap().unwrap().value, b"a");
    assert!(store.revocations().ends(&lineage("t")));
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let beside = fs::read_dir(path.parent().unwrap()).unwrap().count();
    assert_eq!(beside, 1, "nothing temporary is left");
}

#[tokio::test]
async fn what_has_ended_is_not_there_when_it_is_opened_again_and_its_room_is_used_again() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let clock = clock();
    let store = open_at(&path, Arc::clone(&clock) as _).unwrap();
    store
        .revoke(&[Revocation::of_all(
            crate::store::token("t"),
            crate::store::NOW,
            later(5),
        )])
        .await
        .unwrap();
    let key = |n: u32| RecordKey::new("test", &n.to_be_bytes());
    let fill = async |from: u32, until| {
        for n in from..from + 200 {
            store.put_new(&key(n), vec![7; 4_000], until).await.unwrap();
        }
    };
    fill(0, later(5)).await;
    let filled = fs::metadata(&path).unwrap().len();
    for round in 1..8 {
        clock.advance(Duration::from_secs(40));
        // operations remove expired entries
        fill(round * 1_000, later(i64::from(round) * 40 + 5)).await;
    }
    assert!(!store.revocations().ends(&lineage("t")));
    let grown = fs::metadata(&path).unwrap().len();
    assert!(grown < 4 * filled, "{filled} bytes became {grown}");
}

#[tokio::test]
async fn what_was_lifted_is_not_there_when_it_is_opened_again() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let store = open(&path).unwrap();
    for id in ["lifted", "both", "stays"] {
        let operators = revoked(id).by_operator(Some("noted".into()));
        store.revoke(&[operators]).await.unwrap();
    }
    store.revoke(&[revoked("both")]).await.unwrap();
    let lift = |id| Lift {
        key: crate::store::token(id),
        by: RevokedBy::Operator,
        at: crate::store::NOW,
    };
    store.lift(&[lift("lifted"), lift("both")]).await.unwrap();
    drop(store);

    let store = again(&path).await;
    assert!(!store.revocations().ends(&lineage("lifted")));
    assert_eq!(store.revocations().len(), 2);
    let both = store.revocations().about(&crate::store::token("both"));
    assert_eq!(both, [revoked("both")]);
    let stays = store.revocations().about(&crate::store::token("stays"));
    assert_eq!(stays[0].about.as_deref(), Some("noted"));
}

#[tokio::test]
async fn a_file_that_is_open_elsewhere_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let first = open(&path).unwrap();
    assert!(matches!(open(&path), Err(OpenError::Locked)));
    first.revoke(&[revoked("t")]).await.unwrap();
}

#[test]
fn what_is_no_store_is_refused_and_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    fs::write(&path, b"").unwrap();
    assert!(matches!(open(&path), Err(OpenError::Empty)));
    fs::write(&path, b"something else").unwrap();
    assert!(open(&path).is_err());
    assert_eq!(fs::read(&path).unwrap(), b"something else");
    assert!(matches!(open(folder.path()), Err(OpenError::NotAStore)));
}

/// Opens a store that was dropped a moment ago. Its thread may still be closing the file, so this retries.
async fn again(path: &std::path::Path) -> obo_gateway::store::Stores {
    for _ in 0..1_000 {
        match open(path) {
            Err(OpenError::Locked) => tokio::time::sleep(Duration::from_millis(5)).await,
            opened => return opened.unwrap(),
        }
    }
    panic!("the file stays locked");
}
