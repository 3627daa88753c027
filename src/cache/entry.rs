//! One remembered exchange, and the credential made from it.

use super::{CacheKey, Occasion};
use crate::{
    clock::UnixTime,
    exchange::IssuedToken,
    settings::Percentage,
    source::{Imprint, PresentedToken},
    store::{Lineage, Revocations},
    telemetry::{Decision, DecisionNames},
    verify::KeyLease,
};
use bytes::{BufMut, BytesMut};
use http::HeaderValue;
use std::{
    fmt, mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// A remembered exchange. The subject token is not kept, only what it takes to recognise a copy of it.
pub(super) struct Entry {
    authorization: HeaderValue,
    usable_until: UnixTime,
    ttl: Duration,
    policy_generation: u64,
    key_lease: KeyLease,
    lineage: Lineage,
    /// Whom it is about, for the logs.
    decision: Arc<Decision>,
    /// The epoch of the revocations at which none of them ended it.
    epoch: AtomicU64,
    presented: Option<Imprint>,
    issued: Option<Imprint>,
    made_at: Instant,
    occasion: Occasion,
    /// From when on a hit has a successor made; none where that would live no longer.
    refresh_from: Option<UnixTime>,
    /// Whether a hit did already.
    refreshing: AtomicBool,
    /// Whether another stands in its place, or none on purpose.
    superseded: AtomicBool,
}

/// Given to one hit of an entry that is near its end: that hit has the successor made.
#[derive(Debug)]
pub struct RefreshDue(());

/// What an entry takes beyond its own bytes. Moka's bucket, queue nodes, timer node and shared pointers and the
/// allocator's rounding: 640 bytes, measured over 40,000 entries. Then what a flood of distinct tokens adds for each
/// entry that stays, because those evicted between them leave pages that are only partly used.
const OVERHEAD: usize = 640 + 384;

/// An entry ends this long before its token.
const SAFETY_MARGIN: Duration = Duration::from_secs(1);

impl Entry {
    /// Remembers `issued`, which no revocation of `epoch` ends, at a moment by the time of day and by the steady clock;
    /// none when its token is no legal header value.
    pub(super) fn new(
        issued: IssuedToken,
        presented: &PresentedToken,
        (policy_generation, epoch): (u64, u64),
        (now, made_at): (UnixTime, Instant),
        refresh_ahead: Percentage,
        occasion: Occasion,
    ) -> Option<Self> {
        let subject_ends = issued.permitted().subject().expires_at();
        let usable_until = issued.expires_at().min(subject_ends).minus(SAFETY_MARGIN);
        let outlived = issued.expires_at() < subject_ends;
        let refresh_from = refresh_from(now, usable_until, refresh_ahead);
        Some(Self {
            authorization: bearer(issued.token().expose())?,
            usable_until,
            ttl: usable_until.since(now),
            policy_generation,
            key_lease: issued.permitted().subject().key_lease().clone(),
            lineage: issued.lineage().clone(),
            decision: Arc::new(decision(&issued)),
            epoch: AtomicU64::new(epoch),
            presented: Imprint::of(presented.token()),
            issued: Imprint::of(issued.token()),
            made_at,
            occasion,
            refresh_from: refresh_from.filter(|_| outlived),
            refreshing: AtomicBool::new(false),
            superseded: AtomicBool::new(false),
        })
    }

    /// Told to the first hit of an entry that is past the share of its life after which a successor is made.
    pub(super) fn refresh_due(&self, now: UnixTime) -> Option<RefreshDue> {
        let near_its_end = self.refresh_from.is_some_and(|from| now >= from);
        (near_its_end && !self.refreshing.swap(true, Ordering::Relaxed)).then_some(RefreshDue(()))
    }

    /// The checks of every hit.
    pub(super) fn is_usable(
        &self,
        now: UnixTime,
        policy_generation: u64,
        revocations: &Revocations,
    ) -> bool {
        now < self.usable_until
            && self.policy_generation == policy_generation
            && self.key_lease.is_current(now)
            && !self.is_revoked(revocations)
    }

    /// Asks only where something was revoked since it last asked: then one look-up for each thing that it comes from.
    fn is_revoked(&self, revocations: &Revocations) -> bool {
        let epoch = revocations.epoch();
        if self.epoch.load(Ordering::Relaxed) == epoch {
            return false;
        }
        let revoked = revocations.ends(&self.lineage);
        if !revoked {
            self.epoch.store(epoch, Ordering::Relaxed);
        }
        revoked
    }

    /// How long the entry may be kept, by a steady clock; zero: not at all.
    pub(super) fn ttl(&self) -> Duration {
        self.ttl
    }

    /// When it was made because the downstream refused its predecessor.
    pub(super) fn renewed_at(&self) -> Option<Instant> {
        (self.occasion == Occasion::DownstreamRefused).then_some(self.made_at)
    }

    /// Whether its time to live lasts, by the steady clock.
    pub(super) fn lives_at(&self, at: Instant) -> bool {
        at.saturating_duration_since(self.made_at) < self.ttl
    }

    /// Has threads that used it ask the shared cache again.
    pub(super) fn supersede(&self) {
        self.superseded.store(true, Ordering::Release);
    }

    pub(super) fn is_superseded(&self) -> bool {
        self.superseded.load(Ordering::Acquire)
    }

    /// What it takes in memory.
    pub(super) fn weight(&self) -> u32 {
        let bytes = mem::size_of::<Self>()
            + mem::size_of::<CacheKey>()
            + self.authorization.len()
            + mem::size_of_val(self.lineage.keys())
            + self.decision.weight()
            + OVERHEAD;
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }
}

/// When the successor of an entry made at `now` is made. Not within its first second: a life so short would have every
/// hit make another one.
fn refresh_from(now: UnixTime, end: UnixTime, ahead: Percentage) -> Option<UnixTime> {
    let share = ahead.share_of(end.since(now).as_secs()).max(1);
    let from = now.plus(Duration::from_secs(share));
    (from < end).then_some(from)
}

/// The names in what was issued.
fn decision(issued: &IssuedToken) -> Decision {
    let permitted = issued.permitted();
    let names = DecisionNames {
        issuer: Some(permitted.subject().issuer_name()),
        subject: None,
        sub: Some(permitted.sub()),
        client_id: permitted.subject().client_id(),
        actor: permitted.actors().current().map(|actor| &*actor.sub),
        jti: Some(issued.id()),
    };
    Decision::new(&names, &[])
}

/// `Bearer <token>`, marked sensitive so that no encoder indexes it and no formatter prints it.
fn bearer(token: &[u8]) -> Option<HeaderValue> {
    const SCHEME: &[u8] = b"Bearer ";
    let mut value = BytesMut::with_capacity(SCHEME.len() + token.len());
    value.put_slice(SCHEME);
    value.put_slice(token);
    let mut value = HeaderValue::from_maybe_shared(value.freeze()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The one thing that the proxy can attach to a request.
///
/// Only this module makes one: from a token that was issued a moment ago, or from a remembered one that passed the
/// checks of every hit.
#[derive(Clone)]
pub struct ForwardCredential(Arc<Entry>);

impl ForwardCredential {
    pub(super) fn from_fresh(entry: Arc<Entry>) -> Self {
        Self(entry)
    }

    pub(super) fn from_hit(entry: Arc<Entry>) -> Self {
        Self(entry)
    }

    pub(super) fn entry(&self) -> &Arc<Entry> {
        &self.0
    }

    /// The value of the Authorization field.
    pub fn authorization(&self) -> &HeaderValue {
        &self.0.authorization
    }

    /// Until when it counts: a moment before the token that it carries, or the one it was made from, ends.
    pub fn usable_until(&self) -> UnixTime {
        self.0.usable_until
    }

    /// What its token comes from: whatever of it is revoked ends the token.
    pub fn lineage(&self) -> &Lineage {
        &self.0.lineage
    }

    /// Whom it is about, for the logs.
    pub fn decision(&self) -> &Arc<Decision> {
        &self.0.decision
    }

    /// Recognises copies of the token that the client presented.
    pub fn presented(&self) -> Option<&Imprint> {
        self.0.presented.as_ref()
    }

    /// Recognises copies of the token that the downstream is given.
    pub fn issued(&self) -> Option<&Imprint> {
        self.0.issued.as_ref()
    }
}

impl fmt::Debug for ForwardCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForwardCredential")
            .field("usable_until", &self.0.usable_until)
            .finish_non_exhaustive()
    }
}

/// Gives every entry its own life.
pub(super) struct Lifetime;

impl moka::Expiry<CacheKey, Arc<Entry>> for Lifetime {
    fn expire_after_create(
        &self,
        _key: &CacheKey,
        entry: &Arc<Entry>,
        _at: Instant,
    ) -> Option<Duration> {
        Some(entry.ttl)
    }

    fn expire_after_update(
        &self,
        _key: &CacheKey,
        entry: &Arc<Entry>,
        _at: Instant,
        _left: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.ttl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_is_made_at_the_given_share_of_the_life() {
        let at = UnixTime::from_secs;
        let from = |life: i64, ahead| refresh_from(at(100), at(100 + life), ahead);
        assert_eq!(from(100, Percentage::of(80)), Some(at(180)));
        assert_eq!(from(4, Percentage::of(80)), Some(at(103)));
        assert_eq!(from(2, Percentage::of(10)), Some(at(101)));
    }

    #[test]
    fn an_entry_that_lives_for_a_second_has_none_and_neither_has_one_at_its_end() {
        let at = UnixTime::from_secs;
        assert_eq!(refresh_from(at(100), at(101), Percentage::of(80)), None);
        assert_eq!(refresh_from(at(100), at(99), Percentage::of(80)), None);
        assert_eq!(refresh_from(at(100), at(200), Percentage::ALL), None);
    }
}
