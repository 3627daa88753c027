//! Families of refresh tokens: each token is good for one use, which gives the next (RFC 9700 §4.14.2).
//!
//! What enters is what was permitted when the family began; what leaves is that again, for whoever presents the family's
//! newest token. A token that was used before means that it is in two hands: the family ends, with every access token that
//! came of it. There is no time of grace. A token says, sealed, which family and generation it is; the rest is in the
//! store.

use crate::{
    clock::{NoRandomness, SharedClock, SharedRandomness, UnixTime},
    jose::{
        SealingKeys,
        encoding::{base64url, from_base64url},
    },
    policy::RefreshTerms,
    store::{RecordKey, Revocation, RevocationKey, Store, StoreError, Stores},
    token::RawToken,
    verify::FamilySubject,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How a refresh token begins: so that it is recognised where tokens must not be.
pub(super) const REFRESH_PREFIX: &str = "oborf_";
/// The purpose of what is sealed in it: an access token does not open as one.
const DOMAIN: &str = "obo-gateway/refresh-token/1";
/// The kind of its records.
const RECORDS: &str = "refresh-family";

/// All families of one issuer. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Families {
    /// Where they are kept.
    pub store: Stores,
    /// What their tokens are sealed with.
    pub keys: Arc<SealingKeys>,
    /// `issuer.url`: what another issuer sealed with the same keys does not open.
    pub issuer: Box<str>,
    /// For the ids of families.
    pub randomness: SharedRandomness,
    /// The time.
    pub clock: SharedClock,
}

/// 128 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FamilyId([u8; 16]);

/// What a refresh token says. That it does is all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Handle {
    id: FamilyId,
    generation: u64,
    client: String,
}

/// In which words its clients ask and are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Manner {
    /// RFC 6749.
    Standard,
    /// Microsoft Entra's.
    Entra,
}

/// What is kept of a family.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FamilyRecord {
    /// Of the one token that is good.
    generation: u64,
    manner: Manner,
    /// When that token is too old, in seconds.
    idle_until: i64,
    /// When the last of what comes of the family ends, in seconds.
    ends: i64,
    subject: FamilySubject,
}

/// The family of a token that is its newest.
pub(super) struct Member {
    handle: Handle,
    version: u64,
    record: FamilyRecord,
}

/// What became of a family.
pub(super) enum Found {
    /// The token is its newest.
    Current(Box<Member>),
    /// The token was used before.
    Reused(FamilyId, UnixTime),
    /// There is none any more, or it is not the client's.
    Gone,
}

/// Whether the newest token was still that when its successor was to take its place.
pub(super) enum Rotated {
    /// It was: this one is the newest now.
    To(RawToken),
    /// It was not: somebody used it meanwhile.
    Reused(FamilyId, UnixTime),
}

impl Families {
    /// The id of a family that is about to begin.
    pub(super) fn new_id(&self) -> Result<FamilyId, NoRandomness> {
        let mut id = [0; 16];
        self.randomness.fill(&mut id)?;
        Ok(FamilyId(id))
    }

    /// Begins the family `id` for `subject`; its first token. What comes of it ends at `ends` at the latest.
    pub(super) async fn begin(
        &self,
        id: FamilyId,
        subject: FamilySubject,
        manner: Manner,
        terms: RefreshTerms,
        ends: UnixTime,
    ) -> Result<RawToken, StoreError> {
        let handle = Handle {
            id,
            generation: 1,
            client: subject.client_id.clone(),
        };
        let record = FamilyRecord {
            generation: handle.generation,
            manner,
            idle_until: self.clock.now().plus(terms.idle).as_secs(),
            ends: ends.as_secs().max(subject.expires_at),
            subject,
        };
        let token = self.token(&handle)?;
        let (value, until) = record.to_keep()?;
        if !self.store.put_new(&id.record(), value, until).await? {
            // 128 random bits that are taken: there is no randomness
            return Err(StoreError::Preparation);
        }
        Ok(token)
    }

    /// What a refresh token says; none where this issuer did not seal it so.
    pub(super) fn open(&self, token: &RawToken) -> Option<Handle> {
        let text = token.expose().strip_prefix(REFRESH_PREFIX.as_bytes())?;
        let sealed = from_base64url(text)?;
        let plain = self.keys.open(DOMAIN, self.issuer.as_bytes(), &sealed)?;
        Handle::read(&plain)
    }

    /// The family of a token that `client` presents.
    pub(super) async fn find(&self, handle: Handle, client: &str) -> Result<Found, StoreError> {
        if handle.client != client {
            return Ok(Found::Gone);
        }
        let Some(kept) = self.store.get(&handle.id.record()).await? else {
            return Ok(Found::Gone);
        };
        let record: FamilyRecord =
            serde_json::from_slice(&kept.value).map_err(|_| StoreError::Corrupt)?;
        if handle.generation < record.generation {
            return Ok(Found::Reused(handle.id, record.ends()));
        }
        let now = self.clock.now().as_secs();
        let good = handle.generation == record.generation
            && now < record.idle_until
            && now < record.subject.expires_at
            && record.subject.client_id == client;
        if !good {
            return Ok(Found::Gone);
        }
        Ok(Found::Current(Box::new(Member {
            handle,
            version: kept.version,
            record,
        })))
    }

    /// Puts the next token in the place of the newest, which is worth nothing from then on.
    pub(super) async fn rotate(
        &self,
        member: Member,
        terms: RefreshTerms,
    ) -> Result<Rotated, StoreError> {
        let Member {
            handle,
            version,
            mut record,
        } = member;
        let next = Handle {
            generation: handle.generation + 1,
            ..handle.clone()
        };
        record.generation = next.generation;
        record.idle_until = self.clock.now().plus(terms.idle).as_secs();
        let token = self.token(&next)?;
        let (value, until) = record.to_keep()?;
        let key = handle.id.record();
        if self.store.swap(&key, version, value, until).await? {
            return Ok(Rotated::To(token));
        }
        // lost a race: whoever won used the same token
        Ok(Rotated::Reused(handle.id, record.ends()))
    }

    /// Ends a family and every access token that came of it; done when it is durable. `note` is for those who list
    /// revocations. Returns until when the revocation is in force.
    pub(super) async fn end(
        &self,
        id: FamilyId,
        ends: UnixTime,
        note: Option<Arc<str>>,
    ) -> Result<UnixTime, StoreError> {
        let now = self.clock.now();
        let until = ends.max(now);
        let revocation = Revocation::of_all(id.key(), now, until).noted(note);
        self.store.revoke(&[revocation]).await?;
        // revoked it is: the record is only in the way
        let _ = self.store.remove(&id.record()).await;
        Ok(until)
    }

    /// Ends the family of a token that its own client revokes. Returns until when the revocation is in force; `None` if
    /// there is no family any more.
    pub(super) async fn end_of(
        &self,
        handle: &Handle,
        note: Option<Arc<str>>,
    ) -> Result<Option<UnixTime>, StoreError> {
        match self.kept_until(handle).await? {
            Some(ends) => self.end(handle.id, ends, note).await.map(Some),
            None => Ok(None),
        }
    }

    /// What ends the family of a refresh token and all that came of it; none where this issuer did not seal the token.
    pub fn key_of(&self, token: &RawToken) -> Option<RevocationKey> {
        self.open(token).map(|handle| handle.id.key())
    }

    /// When the last of that ends by itself; none where there is no family any more.
    ///
    /// # Errors
    /// [`StoreError`] where that cannot be found out.
    pub async fn ends_of(&self, token: &RawToken) -> Result<Option<UnixTime>, StoreError> {
        match self.open(token) {
            Some(handle) => self.kept_until(&handle).await,
            None => Ok(None),
        }
    }

    async fn kept_until(&self, handle: &Handle) -> Result<Option<UnixTime>, StoreError> {
        let kept = self.store.get(&handle.id.record()).await?;
        let record = kept.and_then(|kept| serde_json::from_slice::<FamilyRecord>(&kept.value).ok());
        Ok(record.map(|record| record.ends()))
    }

    fn token(&self, handle: &Handle) -> Result<RawToken, StoreError> {
        let sealed = self
            .keys
            .seal(DOMAIN, self.issuer.as_bytes(), &handle.plain());
        let sealed = sealed.map_err(|_| StoreError::Preparation)?;
        Ok(RawToken::from(
            REFRESH_PREFIX.to_owned() + &base64url(sealed),
        ))
    }
}

impl FamilyId {
    /// What ends it.
    pub(super) fn key(self) -> RevocationKey {
        RevocationKey::family(&base64url(self.0))
    }

    fn record(self) -> RecordKey {
        RecordKey::new(RECORDS, &self.0)
    }
}

impl Handle {
    /// The client that it was issued to.
    pub(super) fn client(&self) -> &str {
        &self.client
    }

    fn plain(&self) -> Vec<u8> {
        let mut plain = self.id.0.to_vec();
        plain.extend_from_slice(&self.generation.to_be_bytes());
        plain.extend_from_slice(self.client.as_bytes());
        plain
    }

    fn read(plain: &[u8]) -> Option<Self> {
        let (id, rest) = plain.split_first_chunk::<16>()?;
        let (generation, client) = rest.split_first_chunk::<8>()?;
        Some(Self {
            id: FamilyId(*id),
            generation: u64::from_be_bytes(*generation),
            client: String::from_utf8(client.to_vec()).ok()?,
        })
    }
}

impl FamilyRecord {
    fn ends(&self) -> UnixTime {
        UnixTime::from_secs(self.ends)
    }

    /// The record as it is kept, and until when: a token that was used has to be known as such as long as its successor
    /// is good.
    fn to_keep(&self) -> Result<(Vec<u8>, UnixTime), StoreError> {
        let value = serde_json::to_vec(self).map_err(|_| StoreError::Preparation)?;
        let until = self.idle_until.min(self.subject.expires_at);
        Ok((value, UnixTime::from_secs(until)))
    }
}

impl Member {
    /// Whom the family is for, and the most that it gives.
    pub(super) fn subject(&self) -> FamilySubject {
        self.record.subject.clone()
    }

    /// In which words its client asks.
    pub(super) fn manner(&self) -> Manner {
        self.record.manner
    }
}

/// What is kept about people is personal data.
impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Member(generation {}, redacted)", self.handle.generation)
    }
}

#[cfg(test)]
#[path = "families_tests.rs"]
mod tests;
