//! The store on a Redis or Valkey server, for any number of gateways.
//!
//! An operation completes within a second, or fails because the server is not available. All data is sealed with the
//! gateways' opaque keys and bound to its name, and names are digests. The server learns only when a record expires and
//! how long it is. Revocations are a stream that every gateway follows: it is notified of new entries, and also reads
//! twice a second.

mod connection;
mod follower;
mod layout;
mod settings;

pub use settings::{RedisSettings, RedisTlsSettings, SentinelSettings};

use super::{
    Change, Lift, Record, RecordKey, Revocation, Revocations, Store, StoreError,
    record::first_version,
};
use crate::{
    clock::{SharedClock, SharedRandomness, UnixTime},
    jose::SealingKeys,
};
use connection::{Lost, Server};
use follower::{Followed, Follower, StreamId};
use layout::{CHANNEL, STREAM, name_of, opened, sealed, sealed_change};
use redis::Cmd;
use std::{
    fmt,
    sync::{Arc, mpsc},
    time::Duration,
};
use tokio::{runtime::Handle, task::AbortHandle};

/// A store that other gateways use too.
pub struct Redis {
    server: Arc<Server>,
    keys: Arc<SealingKeys>,
    revocations: Revocations,
    /// The position up to which the stream was read.
    followed: Followed,
    clock: SharedClock,
    randomness: SharedRandomness,
    /// The runtime for all network I/O.
    io: Handle,
    following: AbortHandle,
}

/// The components that a [`Redis`] needs besides its server.
pub(super) struct Surroundings {
    pub(super) clock: SharedClock,
    pub(super) randomness: SharedRandomness,
    pub(super) io: Handle,
    pub(super) keys: Arc<SealingKeys>,
}

/// The age at which knowledge of other gateways' revocations counts as stale. It is longer than a restart or a failover
/// of the server takes.
pub const STALE_AFTER: Duration = Duration::from_secs(30);
/// How long to wait for the server at start.
const START: Duration = Duration::from_secs(5);

/// Stores a record if there is none, or only an expired one.
const PUT_NEW: &str = "\
local kept = redis.call('GET', KEYS[1])
if kept and tonumber(string.sub(kept, 17, 32)) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1";

/// Replaces a record that has a given version.
const SWAP: &str = "\
local kept = redis.call('GET', KEYS[1])
if not kept or string.sub(kept, 1, 16) ~= ARGV[4] then return 0 end
if tonumber(string.sub(kept, 17, 32)) <= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1";

/// Appends entries to the stream, all or none, and publishes a notification. Returns the id of the last entry.
const APPEND: &str = "\
local id = ''
for i = 2, #ARGV do id = redis.call('XADD', KEYS[1], '*', 'r', ARGV[i]) end
redis.call('PUBLISH', ARGV[1], 'revoked')
return id";

/// How long to wait until this gateway has read back its own lift from the stream. Without a subscription, the stream
/// is read twice a second.
const READ_BACK: Duration = Duration::from_secs(2);

impl Redis {
    /// Connects, and reads all revocations before it returns. Blocks for at most five seconds. It must not be called on
    /// a thread of `io`.
    ///
    /// # Errors
    /// [`StoreError`] if this fails: a gateway that does not know the revocations must not accept tokens.
    fn connect(server: Server, with: Surroundings) -> Result<Self, StoreError> {
        let Surroundings {
            clock,
            randomness,
            io,
            keys,
        } = with;
        let server = Arc::new(server);
        let revocations = Revocations::of_replicas(STALE_AFTER, clock.instant());
        let (first, known) = mpsc::channel();
        let followed = Followed::default();
        let follower = Follower::new(
            Arc::clone(&server),
            Arc::clone(&keys),
            revocations.clone(),
            followed.clone(),
            Arc::clone(&clock),
        );
        let following = io.spawn(follower.follow(first)).abort_handle();
        let store = Self {
            server,
            keys,
            revocations,
            followed,
            clock,
            randomness,
            io,
            following,
        };
        match known.recv_timeout(START) {
            Ok(Ok(())) => Ok(store),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(StoreError::Unavailable(
                "it did not respond within five seconds".to_owned(),
            )),
        }
    }

    /// Runs `command` on the I/O runtime.
    async fn perform<T>(&self, command: Cmd) -> Result<T, StoreError>
    where
        T: redis::FromRedisValue + Send + 'static,
    {
        let server = Arc::clone(&self.server);
        let done = self.io.spawn(async move { server.query(command).await });
        match done.await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(lost)) => Err(lost.into()),
            Err(_) => Err(StoreError::Unavailable(
                "the runtime is shutting down".to_owned(),
            )),
        }
    }

    /// Appends `changes` to the stream. Returns the position of the last one.
    async fn append(&self, changes: impl Iterator<Item = Change>) -> Result<StreamId, StoreError> {
        let mut command = redis::cmd("EVAL");
        command.arg(APPEND).arg(1).arg(STREAM).arg(CHANNEL);
        for change in changes {
            command.arg(sealed_change(&self.keys, &change)?);
        }
        let id: String = self.perform(command).await?;
        id.parse().map_err(|_| StoreError::Corrupt)
    }

    /// Runs a script that stores a record. Returns `true` if it stored the record.
    async fn keep(
        &self,
        script: &str,
        key: &RecordKey,
        record: Record,
        until: UnixTime,
        swapped: Option<u64>,
    ) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let left = until.since(now).as_millis();
        if left == 0 {
            // it has expired, so there is nothing to store, and the server would refuse it
            return Ok(swapped.is_none());
        }
        let name = name_of(key);
        let value = sealed(&self.keys, &name, &record, until)?;
        let mut command = redis::cmd("EVAL");
        command
            .arg(script)
            .arg(1)
            .arg(&name)
            .arg(layout::seconds(now))
            .arg(value)
            .arg(u64::try_from(left).unwrap_or(u64::MAX));
        if let Some(version) = swapped {
            command.arg(layout::version(version));
        }
        Ok(self.perform::<i64>(command).await? == 1)
    }
}

impl Store for Redis {
    async fn get(&self, key: &RecordKey) -> Result<Option<Record>, StoreError> {
        let name = name_of(key);
        let mut command = redis::cmd("GET");
        command.arg(&name);
        let Some(kept) = self.perform::<Option<Vec<u8>>>(command).await? else {
            return Ok(None);
        };
        let (record, until) = opened(&self.keys, &name, &kept).ok_or(StoreError::Corrupt)?;
        Ok((until > self.clock.now()).then_some(record))
    }

    async fn put_new(
        &self,
        key: &RecordKey,
        value: Vec<u8>,
        until: UnixTime,
    ) -> Result<bool, StoreError> {
        let version = first_version(&*self.randomness)?;
        let record = Record { value, version };
        self.keep(PUT_NEW, key, record, until, None).await
    }

    async fn swap(
        &self,
        key: &RecordKey,
        version: u64,
        value: Vec<u8>,
        until: UnixTime,
    ) -> Result<bool, StoreError> {
        let record = Record {
            value,
            version: version.wrapping_add(1),
        };
        self.keep(SWAP, key, record, until, Some(version)).await
    }

    async fn remove(&self, key: &RecordKey) -> Result<(), StoreError> {
        let mut command = redis::cmd("DEL");
        command.arg(name_of(key));
        self.perform::<i64>(command).await.map(drop)
    }

    async fn revoke(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        if revocations.is_empty() {
            return Ok(());
        }
        let changes = revocations.iter().cloned().map(Change::Revoked);
        let id = self.append(changes.clone()).await?;
        // not if the follower was faster, because it may already have read a later lift
        self.followed
            .unless_read(id, || self.revocations.apply(changes));
        Ok(())
    }

    async fn lift(&self, lifts: &[Lift]) -> Result<(), StoreError> {
        if lifts.is_empty() {
            return Ok(());
        }
        let id = self
            .append(lifts.iter().copied().map(Change::Lifted))
            .await?;
        // applied at its position in the stream, so that it does not lift any later revocation
        self.followed.read(id, READ_BACK).await
    }

    fn revocations(&self) -> &Revocations {
        &self.revocations
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.following.abort();
    }
}

impl From<Lost> for StoreError {
    fn from(lost: Lost) -> Self {
        Self::Unavailable(lost.to_string())
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}
