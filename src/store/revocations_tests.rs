//! Tests of what a revocation ends, and for how long.

use super::*;
use crate::clock::{Clock, SystemClock};
use proptest::prelude::*;

const fn at(seconds: i64) -> UnixTime {
    UnixTime::from_secs(seconds)
}

fn alice() -> RevocationKey {
    RevocationKey::subject("https://idp", "alice")
}

fn portal() -> RevocationKey {
    RevocationKey::client("portal")
}

fn token(keys: &[RevocationKey], issued: i64) -> Lineage {
    Lineage::new(keys.iter().copied(), at(issued)).unwrap()
}

#[test]
fn revoking_a_subject_ends_what_was_issued_until_then_and_nothing_later() {
    let revocations = Revocations::of_one_process();
    revocations.insert([Revocation::of_earlier(alice(), at(100), at(500))]);
    assert!(revocations.ends(&token(&[portal(), alice()], 99)));
    assert!(revocations.ends(&token(&[alice()], 100)));
    assert!(!revocations.ends(&token(&[alice()], 101)));
    assert!(!revocations.ends(&token(&[portal()], 99)));
}

#[test]
fn a_token_whose_time_of_issue_is_not_known_is_ended_by_every_revocation() {
    let revocations = Revocations::of_one_process();
    revocations.insert([Revocation::of_earlier(alice(), at(100), at(500))]);
    assert!(revocations.ends(&token(&[alice()], 0)));
}

#[test]
fn revoking_a_client_ends_what_is_issued_later_too() {
    let revocations = Revocations::of_one_process();
    revocations.insert([Revocation::of_all(portal(), at(100), at(500))]);
    assert!(revocations.ends(&token(&[portal(), alice()], 400)));
}

#[test]
fn the_epoch_changes_with_news_and_with_nothing_else() {
    let revocations = Revocations::of_one_process();
    let begun = revocations.epoch();
    revocations.insert([]);
    assert_eq!(revocations.epoch(), begun);
    let revocation = Revocation::of_earlier(alice(), at(100), at(500));
    revocations.insert([revocation.clone()]);
    let first = revocations.epoch();
    assert_ne!(first, begun);
    revocations.insert([revocation.clone()]);
    assert_eq!(revocations.epoch(), first);
    revocations.clone().insert([Revocation {
        at: at(101),
        ..revocation
    }]);
    assert_ne!(revocations.epoch(), first);
}

#[test]
fn a_revocation_is_forgotten_when_its_time_is_over_and_not_before() {
    let revocations = Revocations::of_one_process();
    revocations.insert([Revocation::of_all(portal(), at(100), at(500))]);
    revocations.sweep(at(499));
    assert!(revocations.ends(&token(&[portal()], 1)));
    revocations.sweep(at(500));
    assert!(revocations.is_empty());
}

#[test]
fn what_replicas_revoke_is_stale_when_nothing_was_heard_for_longer_than_the_bound() {
    let now = SystemClock.instant();
    let seconds = Duration::from_secs;
    let revocations = Revocations::of_replicas(seconds(30), now);
    assert!(!revocations.is_stale(now + seconds(30)));
    assert!(revocations.is_stale(now + seconds(31)));
    revocations.heard(now + seconds(20));
    revocations.heard(now + seconds(10));
    assert!(!revocations.is_stale(now + seconds(50)));
    assert!(revocations.is_stale(now + seconds(51)));
    assert!(!Revocations::of_one_process().is_stale(now + seconds(9_999)));
}

proptest! {
    /// Compares with a simple implementation that searches a list.
    #[test]
    fn any_order_of_any_revocations_ends_what_one_of_them_ends(
        made in prop::collection::vec((0..6u8, 0..20i64, any::<bool>()), 0..24),
        from in prop::collection::vec(0..6u8, 0..6),
        issued in 0..20i64,
    ) {
        let key = |n: u8| RevocationKey::family(&n.to_string());
        let made: Vec<_> = made
            .into_iter()
            .map(|(n, when, all)| Revocation {
                by: RevokedBy::Client,
                about: None,
                key: key(n),
                at: at(when),
                until: at(1_000),
                reach: if all { Reach::Always } else { Reach::Earlier },
            })
            .collect();
        let keys: Vec<_> = from.into_iter().map(key).collect();
        let lineage = token(&keys, issued);
        let expected = made.iter().any(|made| {
            keys.contains(&made.key) && (made.reach == Reach::Always || at(issued) <= made.at)
        });
        let (forward, backward) = (Revocations::of_one_process(), Revocations::of_one_process());
        for made in &made {
            forward.insert([made.clone()]);
        }
        backward.insert(made.iter().rev().cloned());
        prop_assert_eq!(forward.ends(&lineage), expected);
        prop_assert_eq!(backward.ends(&lineage), expected);
    }
}

#[test]
fn a_lift_takes_back_what_its_side_revoked_before_it_and_nothing_after() {
    let revocations = Revocations::of_one_process();
    let theirs = Revocation::of_all(portal(), at(100), at(500));
    let ours = theirs.clone().by_operator(None);
    let lift = |by| {
        Change::Lifted(Lift {
            key: portal(),
            by,
            at: at(200),
        })
    };
    let revoked = || revocations.ends(&token(&[portal()], 400));
    let revoke = |revocation: &Revocation| Change::Revoked(revocation.clone());
    revocations.apply([revoke(&ours), revoke(&theirs), lift(RevokedBy::Operator)]);
    assert!(revoked(), "the client's stays");
    revocations.apply([lift(RevokedBy::Client)]);
    assert!(!revoked() && revocations.is_empty());
    revocations.apply([lift(RevokedBy::Operator), revoke(&ours)]);
    assert!(revoked(), "it was revoked again");
}

#[test]
fn a_lift_changes_the_epoch_where_it_lifts_something() {
    let revocations = Revocations::of_one_process();
    let lift = Change::Lifted(Lift {
        key: portal(),
        by: RevokedBy::Client,
        at: at(1),
    });
    let begun = revocations.epoch();
    revocations.apply([lift.clone()]);
    assert_eq!(revocations.epoch(), begun);
    revocations.insert([Revocation::of_all(portal(), at(100), at(500))]);
    let revoked = revocations.epoch();
    revocations.apply([lift]);
    assert!(revocations.epoch() > revoked);
}

#[test]
fn pages_hold_every_key_once_and_in_order() {
    let revocations = Revocations::of_one_process();
    let key = |n: i64| RevocationKey::client(&n.to_string());
    revocations.insert((0..100).map(|n| Revocation::of_all(key(n), at(1), at(2))));
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = revocations.page(after, 7);
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 7);
        after = page.last().map(|last| last.key);
        seen.extend(page.into_iter().map(|revocation| revocation.key));
    }
    assert_eq!(seen.len(), 100);
    assert!(seen.is_sorted());
    assert_eq!(revocations.page(None, 1_000).len(), 100);
}
