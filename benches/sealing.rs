//! Measures the cost of sealing an opaque token's claims, a refresh token's family and a revocation, and of looking up
//! revocations.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{Criterion, criterion_group, criterion_main};
use obo_gateway::{
    clock::UnixTime,
    jose::{SealingKey, SealingKeys},
    store::{Lineage, Revocation, RevocationKey, Revocations},
};
use std::hint::black_box;

fn seal_and_open(c: &mut Criterion) {
    let key = || SealingKey::generate().unwrap().key;
    let keys = SealingKeys::new([key(), key(), key()]).unwrap();
    for bytes in [64, 600, 4_096] {
        let plain = vec![7; bytes];
        let sealed = keys.seal("bench", b"bound to this", &plain).unwrap();
        c.bench_function(&format!("seal {bytes} bytes"), |b| {
            b.iter(|| keys.seal("bench", b"bound to this", black_box(&plain)));
        });
        c.bench_function(&format!("open {bytes} bytes"), |b| {
            b.iter(|| keys.open("bench", b"bound to this", black_box(&sealed)));
        });
    }
}

fn ask_for_revocations(c: &mut Criterion) {
    let (at, until) = (UnixTime::from_secs(1_000), UnixTime::from_secs(9_000));
    let revocations = Revocations::of_one_process();
    let revoked = |n: u32| RevocationKey::subject("https://idp.example.com", &n.to_string());
    revocations.insert((0..100_000).map(|n| Revocation::of_earlier(revoked(n), at, until)));
    let keys = (0..8).map(|n| RevocationKey::client(&n.to_string()));
    let lineage = Lineage::new(keys, at).unwrap();
    c.bench_function("the epoch of the revocations", |b| {
        b.iter(|| black_box(&revocations).epoch());
    });
    c.bench_function("a token of eight origins among 100,000 revocations", |b| {
        b.iter(|| revocations.ends(black_box(&lineage)));
    });
}

criterion_group!(benches, seal_and_open, ask_for_revocations);
criterion_main!(benches);
