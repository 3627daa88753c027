//! A truncated or changed file is refused, or contains all acknowledged revocations.

use crate::store::{later, lineage, open, revoked};
use obo_gateway::store::{RecordKey, Store};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;

const REVOKED: usize = 300;
const RECORDS: u32 = 100;

/// How the process ended.
#[derive(Debug, Clone, Copy)]
enum Rest {
    /// The process exited.
    Closed,
    /// It was killed.
    Killed,
}

/// Returns the bytes of a store with revocations and records.
async fn written(folder: &TempDir, rest: Rest) -> Vec<u8> {
    let path = folder.path().join("store");
    let store = open(&path).unwrap();
    for n in 0..REVOKED {
        store.revoke(&[revoked(n)]).await.unwrap();
    }
    for n in 0..RECORDS {
        let key = key(n);
        let put = store.put_new(&key, vec![7; 300], later(600));
        assert!(put.await.unwrap());
    }
    store.revoke(&[revoked(REVOKED)]).await.unwrap();
    if matches!(rest, Rest::Closed) {
        drop(store);
        released(&path).await;
        return fs::read(&path).unwrap();
    }
    let bytes = settled(&path).await;
    drop(store);
    bytes
}

/// Returns the file of a killed process, after it has stopped changing.
async fn settled(path: &Path) -> Vec<u8> {
    let mut before = fs::read(path).unwrap();
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let after = fs::read(path).unwrap();
        if after == before {
            return after;
        }
        before = after;
    }
    panic!("the file keeps changing");
}

async fn released(path: &Path) {
    for _ in 0..1_000 {
        if open(path).is_ok() {
            // opened and closed again, so that it is clean
            tokio::time::sleep(Duration::from_millis(50)).await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the file stays locked");
}

fn key(n: u32) -> RecordKey {
    RecordKey::new("test", &n.to_be_bytes())
}

#[derive(Debug, PartialEq, Eq)]
enum Found {
    Refused,
    Intact,
}

/// Opens `bytes` as a store. It has everything, or it is refused with a message.
async fn found(folder: &TempDir, number: usize, bytes: &[u8]) -> Found {
    let path: PathBuf = folder.path().join(format!("damaged-{number}"));
    fs::write(&path, bytes).unwrap();
    let opened = open(&path);
    let found = match &opened {
        Err(error) => {
            assert!(!error.to_string().is_empty());
            Found::Refused
        }
        Ok(store) => {
            for n in 0..=REVOKED {
                assert!(store.revocations().ends(&lineage(n)), "revocation {n}");
            }
            for n in 0..RECORDS {
                let record = store.get(&key(n)).await.unwrap();
                assert_eq!(record.unwrap().value, vec![7; 300], "record {n}");
            }
            Found::Intact
        }
    };
    drop(opened);
    let _ = fs::remove_file(&path);
    found
}

#[tokio::test]
async fn a_file_that_was_cut_anywhere_is_refused() {
    let folder = TempDir::new().unwrap();
    let bytes = written(&folder, Rest::Closed).await;
    assert_eq!(found(&folder, 0, &bytes).await, Found::Intact);
    for part in 0..64 {
        let cut = bytes.len() * part / 64;
        let found = found(&folder, cut, &bytes[..cut]).await;
        assert_eq!(found, Found::Refused, "cut at {cut} of {}", bytes.len());
    }
}

#[tokio::test]
async fn a_file_in_which_a_bit_was_changed_is_refused_or_has_everything() {
    let folder = TempDir::new().unwrap();
    for rest in [Rest::Closed, Rest::Killed] {
        let bytes = written(&TempDir::new().unwrap(), rest).await;
        assert_eq!(found(&folder, 0, &bytes).await, Found::Intact);
        // many bits of the file's header, and some of the rest
        let head = 0..320 * 8;
        let rest_of_it = (320 * 8..bytes.len() * 8).step_by((bytes.len() * 8 / 600) | 1);
        let (mut refused, mut tried) = (0, 0);
        for bit in head.step_by(3).chain(9 * 8..10 * 8).chain(rest_of_it) {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            refused += usize::from(found(&folder, bit, &changed).await == Found::Refused);
            tried += 1;
        }
        println!(
            "{rest:?}: {tried} bits changed one by one: {refused} refused, the others changed nothing"
        );
        assert!(refused > 0);
    }
}

#[tokio::test]
async fn a_file_whose_end_is_zeros_or_garbage_is_refused_or_has_everything() {
    let folder = TempDir::new().unwrap();
    let bytes = written(&folder, Rest::Killed).await;
    let mut refused = 0;
    for (number, filler) in [0x00, 0xff, 0x5a].into_iter().enumerate() {
        for part in 0..16 {
            let mut changed = bytes.clone();
            let from = bytes.len() * part / 16;
            changed[from..].fill(filler);
            let found = found(&folder, number * 100 + part, &changed).await;
            refused += usize::from(found == Found::Refused);
        }
    }
    assert!(refused >= 3, "the whole file is filled three times");
}
