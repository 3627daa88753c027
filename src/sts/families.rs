//! Families of refresh tokens. Each token can be used once and is replaced by the next (RFC 9700 §4.14.2).
//!
//! If a token is used again, two parties have it: the family is revoked with every access token that was made from it.
//! There is no grace period. A token contains, sealed, its family and generation. The store contains the rest, such as
//! what was permitted when the family began.

use crate::{
    clock::{NoRandomness, SharedClock, SharedRandomness, UnixTime},
    jose::{
        SealingKeys,
        encoding::{base64url, from_base64url},
    },
    own_token::REFRESH_PREFIX,
    policy::RefreshTerms,
    store::{RecordKey, Revocation, RevocationKey, Store, StoreError, Stores},
    token::RawToken,
    verify::FamilySubject,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The purpose of the sealed text: an access token cannot be opened as a refresh token.
const DOMAIN: &str = "obo-gateway/refresh-token/1";
/// The kind of the store records.
const RECORDS: &str = "refresh-family";

/// All families of one issuer. Clones share them.
#[derive(Debug, Clone)]
pub struct Families {
    /// The store of the records.
    pub store: Stores,
    /// The keys that seal the tokens.
    pub keys: Arc<SealingKeys>,
    /// `issuer.url`: a token that another issuer sealed with the same keys cannot be opened.
    pub issuer: Box<str>,
    /// Generates the ids of families.
    pub randomness: SharedRandomness,
    /// The current time.
    pub clock: SharedClock,
}

/// 128 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FamilyId([u8; 16]);

/// The contents of a refresh token that this issuer sealed. Its family may not exist any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Handle {
    id: FamilyId,
    generation: u64,
    client: String,
}

/// The protocol in which the clients of a family make requests and get responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ErrorDialect {
    /// RFC 6749.
    Standard,
    /// Microsoft Entra.
    Entra,
}

/// The stored record of a family.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FamilyRecord {
    /// The generation of the one valid token.
    generation: u64,
    dialect: ErrorDialect,
    /// When that token expires if it is not used, as a Unix time in seconds.
    idle_until: i64,
    /// When everything that was made from the family has expired, as a Unix time in seconds.
    ends: i64,
    subject: FamilySubject,
}

/// A family together with its newest token.
pub(super) struct Member {
    handle: Handle,
    version: u64,
    record: FamilyRecord,
}

/// The state of the family of a presented token.
pub(super) enum Found {
    /// The token is the newest one.
    Current(Box<Member>),
    /// The token was used before.
    Reused(FamilyId, UnixTime),
    /// The family does not exist any more, or belongs to another client.
    Gone,
}

/// The result of replacing the newest token of a family.
pub(super) enum Rotated {
    /// The token was replaced; this is the new one.
    To(RawToken),
    /// The token was used by another request in the meantime.
    Reused(FamilyId, UnixTime),
}

impl Families {
    /// Returns the id of a new family.
    pub(super) fn new_id(&self) -> Result<FamilyId, NoRandomness> {
        let mut id = [0; 16];
        self.randomness.fill(&mut id)?;
        Ok(FamilyId(id))
    }

    /// Begins the family `id` for `subject` and returns its first token. An access token made from it expires at `ends`
    /// at the latest.
    pub(super) async fn begin(
        &self,
        id: FamilyId,
        subject: FamilySubject,
        dialect: ErrorDialect,
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
            dialect,
            idle_until: self.clock.now().plus(terms.idle).as_secs(),
            ends: ends.as_secs().max(subject.expires_at),
            subject,
        };
        let token = self.token(&handle)?;
        let (value, until) = record.to_keep()?;
        if !self.store.put_new(&id.record(), value, until).await? {
            // 128 random bits that are in use already mean that the random source is broken
            return Err(StoreError::Preparation);
        }
        Ok(token)
    }

    /// Returns the contents of a refresh token, or `None` if this issuer did not seal it.
    pub(super) fn open(&self, token: &RawToken) -> Option<Handle> {
        let text = token.expose().strip_prefix(REFRESH_PREFIX.as_bytes())?;
        let sealed = from_base64url(text)?;
        let plain = self.keys.open(DOMAIN, self.issuer.as_bytes(), &sealed)?;
        Handle::read(&plain)
    }

    /// Returns the state of the family of a token that `client` presents.
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

    /// Replaces the newest token by the next one. The old token is invalid from then on.
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
        // another request with the same token was faster
        Ok(Rotated::Reused(handle.id, record.ends()))
    }

    /// Revokes a family and every access token that was made from it. The revocation is durable when this returns.
    /// `note` is shown in the list of revocations. Returns when the revocation ends.
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
        // the family is revoked; its record is no longer needed
        let _ = self.store.remove(&id.record()).await;
        Ok(until)
    }

    /// Revokes the family of a token at the request of its own client. Returns when the revocation ends, or `None` if
    /// the family does not exist any more.
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

    /// Returns the revocation key of a refresh token's family, or `None` if this issuer did not seal the token.
    pub fn key_of(&self, token: &RawToken) -> Option<RevocationKey> {
        self.open(token).map(|handle| handle.id.key())
    }

    /// Returns when everything made from the family has expired, or `None` if the family does not exist any more.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
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
    /// Returns the revocation key of the family.
    pub(super) fn key(self) -> RevocationKey {
        RevocationKey::family(&base64url(self.0))
    }

    fn record(self) -> RecordKey {
        RecordKey::new(RECORDS, &self.0)
    }
}

impl Handle {
    /// Returns the client that the token was issued to.
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

    /// Returns the stored form of the record and its expiry. A used token has to be recognized for as long as its
    /// successor is valid.
    fn to_keep(&self) -> Result<(Vec<u8>, UnixTime), StoreError> {
        let value = serde_json::to_vec(self).map_err(|_| StoreError::Preparation)?;
        let until = self.idle_until.min(self.subject.expires_at);
        Ok((value, UnixTime::from_secs(until)))
    }
}

impl Member {
    /// Returns the subject of the family, and the most that may be issued for it.
    pub(super) fn subject(&self) -> FamilySubject {
        self.record.subject.clone()
    }

    /// Returns the protocol of the family's client.
    pub(super) fn dialect(&self) -> ErrorDialect {
        self.record.dialect
    }
}

/// Redacted, because records contain personal data.
impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Member(generation {}, redacted)", self.handle.generation)
    }
}

#[cfg(test)]
#[path = "families_tests.rs"]
mod tests;
