//! The store on a Redis or Valkey server, for any number of gateways.
//!
//! What enters are operations; what leaves are their answers within a second, or that the server is not available.
//! Everything is sealed with the gateways' opaque keys and bound to where it stands, and what names it is a digest: the
//! server learns when something ends and how long it is. Revocations are a stream that every gateway follows: told of news
//! by publication, and looking for itself twice a second besides.

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
    /// How far the stream was read.
    followed: Followed,
    clock: SharedClock,
    randomness: SharedRandomness,
    /// Where all I/O happens.
    io: Handle,
    following: AbortHandle,
}

/// What a [`Redis`] is made of besides its server.
pub(super) struct Surroundings {
    pub(super) clock: SharedClock,
    pub(super) randomness: SharedRandomness,
    pub(super) io: Handle,
    pub(super) keys: Arc<SealingKeys>,
}

/// How old may be what a gateway knows of the others' revocations before it counts as stale: longer than a server needs to
/// be started again, or to be replaced by another.
pub const STALE_AFTER: Duration = Duration::from_secs(30);
/// How long a server is waited for at start.
const START: Duration = Duration::from_secs(5);

/// Keeps a record where there is none, or one that has ended.
const PUT_NEW: &str = "\
local kept = redis.call('GET', KEYS[1])
if kept and tonumber(string.sub(kept, 17, 32)) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1";

/// Replaces a record that has one version.
const SWAP: &str = "\
local kept = redis.call('GET', KEYS[1])
if not kept or string.sub(kept, 1, 16) ~= ARGV[4] then return 0 end
if tonumber(string.sub(kept, 17, 32)) <= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1";

/// Appends entries to the stream, all or none, and says so. Answers with the id of the last one.
const APPEND: &str = "\
local id = ''
for i = 2, #ARGV do id = redis.call('XADD', KEYS[1], '*', 'r', ARGV[i]) end
redis.call('PUBLISH', ARGV[1], 'revoked')
return id";

/// How long a gateway waits until it has itself read the lift that it wrote. Without a subscription the stream is read
/// twice a second.
const READ_BACK: Duration = Duration::from_secs(2);

impl Redis {
    /// Connects, and reads the revocations that there are: they are known when this returns. Blocks for five seconds at
    /// most; not to be called on a thread of `io`.
    ///
    /// # Errors
    /// [`StoreError`] where that did not succeed: a gateway that knows no revocations accepts no tokens.
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
                "it did not answer in five seconds".to_owned(),
            )),
        }
    }

    /// Runs `command` where all I/O happens.
    async fn perform<T>(&self, command: Cmd) -> Result<T, StoreError>
    where
        T: redis::FromRedisValue + Send + 'static,
    {
        let server = Arc::clone(&self.server);
        let done = self.io.spawn(async move { server.query(command).await });
        match done.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(lost)) => Err(lost.into()),
            Err(_) => Err(StoreError::Unavailable("the runtime ends".to_owned())),
        }
    }

    /// Appends `changes` to the stream; the place of the last one.
    async fn append(&self, changes: impl Iterator<Item = Change>) -> Result<StreamId, StoreError> {
        let mut command = redis::cmd("EVAL");
        command.arg(APPEND).arg(1).arg(STREAM).arg(CHANNEL);
        for change in changes {
            command.arg(sealed_change(&self.keys, &change)?);
        }
        let id: String = self.perform(command).await?;
        id.parse().map_err(|_| StoreError::Corrupt)
    }

    /// Whether one of the scripts that keep a record did so.
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
            // it has ended: there is nothing to keep, and the server refuses to
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
        // not where the follower was faster: it may have read a lift behind it, too
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
        // read in its place in the stream, so that it lifts nothing that was revoked after it
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
