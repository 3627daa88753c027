//! Tests of sealing and opening.

use super::*;
use proptest::prelude::*;

fn key() -> SealingKey {
    SealingKey::generate().unwrap().key
}

fn keys() -> SealingKeys {
    SealingKeys::new([key()]).unwrap()
}

#[test]
fn a_text_opens_for_its_purpose_beside_what_it_is_bound_to_and_nowhere_else() {
    let keys = keys();
    let sealed = keys.seal("token", b"alice", b"secret").unwrap();
    assert_eq!(
        keys.open("token", b"alice", &sealed),
        Some(b"secret".to_vec())
    );
    assert_eq!(keys.open("refresh", b"alice", &sealed), None);
    assert_eq!(keys.open("token", b"bob", &sealed), None);
    // the boundary between purpose and associated data cannot be moved either
    assert_eq!(keys.open("tokena", b"lice", &sealed), None);
}

#[test]
fn an_added_key_seals_and_the_former_one_still_opens() {
    let made = SealingKey::generate().unwrap();
    let again = SealingKey::from_text(&made.text).unwrap();
    let before = SealingKeys::new([made.key]).unwrap();
    let old = before.seal("token", b"", b"old").unwrap();

    let after = SealingKeys::new([key(), again]).unwrap();
    let new = after.seal("token", b"", b"new").unwrap();
    assert_eq!(after.open("token", b"", &old), Some(b"old".to_vec()));
    assert_eq!(after.open("token", b"", &new), Some(b"new".to_vec()));
    assert_eq!(before.open("token", b"", &new), None);
}

#[test]
fn sealing_the_same_twice_gives_two_texts() {
    let keys = keys();
    let seal = || keys.seal("token", b"", b"the same").unwrap();
    assert_ne!(seal(), seal());
    assert_eq!(
        seal().len(),
        b"the same".len() + SealingKeys::OVERHEAD,
        "the stated overhead"
    );
}

#[test]
fn only_32_unlike_bytes_of_base64_are_a_key() {
    let made = SealingKey::generate().unwrap();
    assert!(SealingKey::from_text(&format!("  {}\r\n", made.text.trim())).is_ok());
    let refused = |text: &str| SealingKey::from_text(text).unwrap_err();
    for text in [
        "",
        "garbage",
        &STANDARD.encode([7; 31]),
        &STANDARD.encode([7; 33]),
    ] {
        assert_eq!(refused(text), SealingKeyError::NotAKey, "{text:?}");
    }
    assert_eq!(
        refused(&STANDARD.encode([0; 32])),
        SealingKeyError::Guessable
    );
    assert!(SealingKeys::new([]).is_none());
    assert!(!format!("{made:?}{:?}", made.key).contains(made.text.trim()));
}

proptest! {
    #[test]
    fn whatever_was_sealed_opens_again(plain: Vec<u8>, bound_to: Vec<u8>) {
        let keys = keys();
        let sealed = keys.seal("token", &bound_to, &plain).unwrap();
        prop_assert_eq!(keys.open("token", &bound_to, &sealed), Some(plain));
    }

    #[test]
    fn a_text_that_was_changed_in_any_bit_does_not_open(plain: Vec<u8>, at: prop::sample::Index, bit in 0..8u32) {
        let keys = keys();
        let mut sealed = keys.seal("token", b"", &plain).unwrap();
        let at = at.index(sealed.len());
        sealed[at] ^= 1u8 << bit;
        prop_assert_eq!(keys.open("token", b"", &sealed), None);
    }

    #[test]
    fn a_text_that_was_cut_or_made_up_does_not_open(plain: Vec<u8>, cut: prop::sample::Index, made_up: Vec<u8>) {
        let keys = keys();
        let sealed = keys.seal("token", b"", &plain).unwrap();
        prop_assert_eq!(keys.open("token", b"", &sealed[..cut.index(sealed.len())]), None);
        prop_assert_eq!(keys.open("token", b"", &made_up), None);
    }
}
