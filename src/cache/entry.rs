//! One remembered exchange, and the credential made from it.

use super::CacheKey;
use crate::{
    clock::UnixTime,
    exchange::IssuedToken,
    source::{Imprint, PresentedToken},
    verify::KeyLease,
};
use bytes::{BufMut, BytesMut};
use http::HeaderValue;
use std::{
    fmt, mem,
    sync::Arc,
    time::{Duration, Instant},
};

/// A remembered exchange. The subject token is not kept, only what it takes to recognise a copy of it.
pub(super) struct Entry {
    authorization: HeaderValue,
    usable_until: UnixTime,
    ttl: Duration,
    policy_generation: u64,
    key_lease: KeyLease,
    presented: Option<Imprint>,
    issued: Option<Imprint>,
    renewed_at: Option<Instant>,
}

/// What an entry takes beyond its own bytes. Moka's bucket, queue nodes, timer node and shared pointers and the
/// allocator's rounding: 640 bytes, measured over 40,000 entries. Then what a flood of distinct tokens adds for each
/// entry that stays, because those evicted between them leave pages that are only partly used.
const OVERHEAD: usize = 640 + 384;

/// An entry ends this long before its token.
const SAFETY_MARGIN: Duration = Duration::from_secs(1);

impl Entry {
    /// Remembers `issued`; none when its token is no legal header value.
    pub(super) fn new(
        issued: IssuedToken,
        presented: &PresentedToken,
        policy_generation: u64,
        now: UnixTime,
        renewed_at: Option<Instant>,
    ) -> Option<Self> {
        let usable_until = issued
            .expires_at()
            .min(issued.permitted().subject().expires_at())
            .minus(SAFETY_MARGIN);
        Some(Self {
            authorization: bearer(issued.token().expose())?,
            usable_until,
            ttl: usable_until.since(now),
            policy_generation,
            key_lease: issued.permitted().subject().key_lease().clone(),
            presented: Imprint::of(presented.token()),
            issued: Imprint::of(issued.token()),
            renewed_at,
        })
    }

    /// The checks of every hit.
    pub(super) fn is_usable(&self, now: UnixTime, policy_generation: u64) -> bool {
        now < self.usable_until
            && self.policy_generation == policy_generation
            && self.key_lease.is_current(now)
    }

    /// How long the entry may be kept, by a steady clock; zero: not at all.
    pub(super) fn ttl(&self) -> Duration {
        self.ttl
    }

    /// When it was made because the downstream refused its predecessor.
    pub(super) fn renewed_at(&self) -> Option<Instant> {
        self.renewed_at
    }

    /// What it takes in memory.
    pub(super) fn weight(&self) -> u32 {
        let bytes = mem::size_of::<Self>()
            + mem::size_of::<CacheKey>()
            + self.authorization.len()
            + OVERHEAD;
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }
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
