//! A cache entry, and the credential made from it.

use super::CacheKey;
use crate::{
    clock::UnixTime,
    exchange::IssuedToken,
    settings::Percentage,
    source::{PresentedToken, TokenNeedle},
    store::{Lineage, Revocations},
    telemetry::{DecisionNames, TokenDecision},
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

/// The reason for an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExchangeReason {
    /// No usable entry was cached.
    FirstUse,
    /// The upstream refused the cached credential.
    UpstreamRefused,
    /// The cached entry expires soon.
    RefreshAhead,
}

/// A cached exchange. It does not contain the subject token, only what is needed to recognize copies of it.
pub(super) struct Entry {
    authorization: HeaderValue,
    usable_until: UnixTime,
    ttl: Duration,
    policy_generation: u64,
    key_lease: KeyLease,
    lineage: Lineage,
    /// The subject, for the logs.
    decision: Arc<TokenDecision>,
    /// The epoch of the revocations at which the entry was last found not revoked.
    epoch: AtomicU64,
    presented: Option<TokenNeedle>,
    issued: Option<TokenNeedle>,
    made_at: Instant,
    occasion: ExchangeReason,
    /// The time after which a hit starts a background exchange. `None` if a new token would not be valid for longer.
    refresh_from: Option<UnixTime>,
    /// `true` if a hit has started that exchange.
    refreshing: AtomicBool,
    /// `true` if the entry was replaced or evicted.
    superseded: AtomicBool,
}

/// Passed to the one hit of an entry near its expiry that must start the background exchange.
#[derive(Debug)]
pub struct RefreshDue(());

/// The memory that an entry takes beyond its own bytes. Moka's bucket, queue nodes, timer node and shared pointers and
/// the allocator's rounding: 640 bytes, measured over 40,000 entries. The rest is what a flood of distinct tokens adds
/// for each entry that stays, because the evicted entries between them leave partly used pages.
const OVERHEAD: usize = 640 + 384;

/// An entry expires this long before its token.
const SAFETY_MARGIN: Duration = Duration::from_secs(1);

impl Entry {
    /// Makes an entry of `issued`, which no revocation of `epoch` revokes. The times are the time of day and the
    /// monotonic time. Returns `None` if the token is not a valid header field value.
    pub(super) fn new(
        issued: IssuedToken,
        presented: &PresentedToken,
        (policy_generation, epoch): (u64, u64),
        (now, made_at): (UnixTime, Instant),
        refresh_ahead: Percentage,
        occasion: ExchangeReason,
    ) -> Option<Self> {
        let subject_ends = issued.permitted().subject().expires_at();
        let usable_until = issued.expires_at().min(subject_ends).minus(SAFETY_MARGIN);
        // without an expiry time, only the requests that waited for the token use it
        let ttl = match issued.may_be_cached() {
            true => usable_until.since(now),
            false => Duration::ZERO,
        };
        let outlived = issued.expires_at() < subject_ends;
        let refresh_from = refresh_from(now, usable_until, refresh_ahead);
        Some(Self {
            authorization: bearer(issued.token().expose())?,
            usable_until,
            ttl,
            policy_generation,
            key_lease: issued.permitted().subject().key_lease().clone(),
            lineage: issued.lineage().clone(),
            decision: Arc::new(decision(&issued)),
            epoch: AtomicU64::new(epoch),
            presented: TokenNeedle::of(presented.token()),
            issued: TokenNeedle::of(issued.token()),
            made_at,
            occasion,
            refresh_from: refresh_from.filter(|_| outlived),
            refreshing: AtomicBool::new(false),
            superseded: AtomicBool::new(false),
        })
    }

    /// Returns `Some` for the first hit after the share of the lifetime at which the background exchange starts.
    pub(super) fn refresh_due(&self, now: UnixTime) -> Option<RefreshDue> {
        let near_its_end = self.refresh_from.is_some_and(|from| now >= from);
        (near_its_end && !self.refreshing.swap(true, Ordering::Relaxed)).then_some(RefreshDue(()))
    }

    /// Makes the checks of every hit.
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

    /// Returns `true` if the entry is revoked. It looks up the keys of the lineage only if revocations have changed
    /// since the last check.
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

    /// How long the entry may be cached, in monotonic time. If zero, it is not cached.
    pub(super) fn ttl(&self) -> Duration {
        self.ttl
    }

    /// When the entry was made, if the upstream had refused its predecessor.
    pub(super) fn renewed_at(&self) -> Option<Instant> {
        (self.occasion == ExchangeReason::UpstreamRefused).then_some(self.made_at)
    }

    /// Returns `true` if the entry has not expired, in monotonic time.
    pub(super) fn lives_at(&self, at: Instant) -> bool {
        at.saturating_duration_since(self.made_at) < self.ttl
    }

    /// Makes threads that used the entry look it up in the shared cache again.
    pub(super) fn supersede(&self) {
        self.superseded.store(true, Ordering::Release);
    }

    pub(super) fn is_superseded(&self) -> bool {
        self.superseded.load(Ordering::Acquire)
    }

    /// The memory that the entry takes.
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

/// Returns when a hit starts the exchange that replaces an entry made at `now`. It is at least one second later,
/// because otherwise every hit of a short-lived entry would start another exchange.
fn refresh_from(now: UnixTime, end: UnixTime, ahead: Percentage) -> Option<UnixTime> {
    let share = ahead.share_of(end.since(now).as_secs()).max(1);
    let from = now.plus(Duration::from_secs(share));
    (from < end).then_some(from)
}

/// Returns the facts about the issued token for the logs.
fn decision(issued: &IssuedToken) -> TokenDecision {
    let permitted = issued.permitted();
    let names = DecisionNames {
        issuer: Some(permitted.subject().issuer_name()),
        subject: None,
        sub: Some(permitted.sub()),
        client_id: permitted.subject().client_id(),
        actor: permitted.actors().current().map(|actor| &*actor.sub),
        jti: issued.id(),
    };
    TokenDecision::new(&names, &[])
}

/// Returns `Bearer <token>`, marked sensitive so that no encoder indexes it and no formatter prints it.
fn bearer(token: &[u8]) -> Option<HeaderValue> {
    const SCHEME: &[u8] = b"Bearer ";
    let mut value = BytesMut::with_capacity(SCHEME.len() + token.len());
    value.put_slice(SCHEME);
    value.put_slice(token);
    let mut value = HeaderValue::from_maybe_shared(value.freeze()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The only credential that the proxy can attach to a request.
///
/// Only this module makes one: from a token that was just issued, or from a cached one that passed the checks of every
/// hit.
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

    /// The time until which it may be used: shortly before its token, or the subject token, expires.
    pub fn usable_until(&self) -> UnixTime {
        self.0.usable_until
    }

    /// The lineage: every key whose revocation ends the token.
    pub fn lineage(&self) -> &Lineage {
        &self.0.lineage
    }

    /// The decision about the subject, for the logs.
    pub fn decision(&self) -> &Arc<TokenDecision> {
        &self.0.decision
    }

    /// Recognizes copies of the token that the client presented.
    pub fn presented(&self) -> Option<&TokenNeedle> {
        self.0.presented.as_ref()
    }

    /// Recognizes copies of the token that is sent to the upstream.
    pub fn issued(&self) -> Option<&TokenNeedle> {
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

/// The expiry policy of the cache: every entry has its own lifetime.
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
