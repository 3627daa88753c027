//! The task that follows the stream of revocations.

use super::{
    connection::Server,
    layout::{CHANNEL, STREAM, opened_change},
};
use crate::{
    clock::SharedClock,
    jose::SealingKeys,
    store::{Change, Revocations, STALE_AFTER, StoreError},
};
use futures_util::StreamExt;
use redis::{Value, from_redis_value};
use std::{
    pin::Pin,
    str::FromStr,
    sync::{Arc, mpsc::Sender},
    time::{Duration, Instant},
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

/// Reads the stream continuously, and applies new entries.
pub(super) struct Follower {
    server: Arc<Server>,
    keys: Arc<SealingKeys>,
    revocations: Revocations,
    followed: Followed,
    clock: SharedClock,
    /// The last entry that was read.
    last: String,
    /// The last entry that was checked for expiry.
    swept: (Instant, String),
    /// `true` if staleness was logged.
    stale: bool,
}

/// A position in the stream, in the order of the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StreamId {
    milliseconds: u64,
    sequence: u64,
}

/// The server returned an invalid position.
#[derive(Debug)]
pub(super) struct NoStreamId;

impl FromStr for StreamId {
    type Err = NoStreamId;

    fn from_str(text: &str) -> Result<Self, NoStreamId> {
        let (milliseconds, sequence) = text.split_once('-').ok_or(NoStreamId)?;
        let number = |text: &str| text.parse().map_err(|_| NoStreamId);
        Ok(Self {
            milliseconds: number(milliseconds)?,
            sequence: number(sequence)?,
        })
    }
}

/// The position up to which a follower has read the stream. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Followed(watch::Sender<StreamId>);

impl Default for Followed {
    fn default() -> Self {
        Self(watch::Sender::new(StreamId::default()))
    }
}

impl Followed {
    /// Calls `apply` for the entry at `id`, unless the follower has already read it. The follower waits meanwhile.
    pub(super) fn unless_read(&self, id: StreamId, apply: impl FnOnce()) {
        self.0.send_if_modified(|read| {
            if *read < id {
                apply();
            }
            false
        });
    }

    /// Calls `apply` for all entries up to `id`.
    fn advance(&self, id: StreamId, apply: impl FnOnce()) {
        self.0.send_modify(|read| {
            apply();
            *read = id;
        });
    }

    /// Waits until the follower has read up to `id`.
    pub(super) async fn read(&self, id: StreamId, patience: Duration) -> Result<(), StoreError> {
        let mut reads = self.0.subscribe();
        let read = timeout(patience, reads.wait_for(|read| *read >= id)).await;
        match read {
            Ok(Ok(_)) => Ok(()),
            _ => Err(StoreError::Unavailable(
                "it was written, but could not be read back in time".to_owned(),
            )),
        }
    }
}

/// One entry of the stream: its id and its content.
type Entry = (String, Vec<u8>);
type News = Pin<Box<dyn futures_util::Stream<Item = redis::Msg> + Send>>;

/// How often the stream is read without a notification.
const POLL: Duration = Duration::from_millis(500);
/// The number of entries read at once.
const PAGE: usize = 1_000;
/// The pause after a failure.
const PAUSE: Duration = Duration::from_millis(300);
/// The interval at which some expired entries are removed.
const SWEEP: Duration = Duration::from_secs(30);
/// The position before the first entry.
const BEGINNING: &str = "0-0";

impl Follower {
    pub(super) fn new(
        server: Arc<Server>,
        keys: Arc<SealingKeys>,
        revocations: Revocations,
        followed: Followed,
        clock: SharedClock,
    ) -> Self {
        Self {
            server,
            keys,
            revocations,
            followed,
            swept: (clock.instant(), BEGINNING.to_owned()),
            clock,
            last: BEGINNING.to_owned(),
            stale: false,
        }
    }

    /// Follows the stream forever. The result of the first complete read is sent to `first`.
    pub(super) async fn follow(mut self, first: Sender<Result<(), StoreError>>) {
        let mut news: Option<News> = None;
        let mut begun = false;
        let mut failures = 0_u64;
        loop {
            let read = self.read().await;
            self.tell_staleness();
            if !begun {
                begun = read.is_ok();
                // the caller may be gone
                let _ = first.send(read.as_ref().map(drop).map_err(Clone::clone));
            }
            match read {
                Ok(()) => {
                    failures = 0;
                    self.sweep().await;
                    if news.is_none() {
                        news = self.subscribe().await;
                    }
                    news = Self::wait(news).await;
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    // logs the 1st, 2nd, 4th, 8th … consecutive failure, so that an hour without the server is a dozen
                    // lines
                    if failures.is_power_of_two() {
                        tracing::warn!(target: "obo_gateway::store", %error, failures, "revocations of other gateways cannot be read");
                    }
                    // the server may have been replaced by another one with a different stream
                    BEGINNING.clone_into(&mut self.last);
                    self.followed.advance(StreamId::default(), || ());
                    news = None;
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Logs once when the revocations become stale, and once when they are current again.
    fn tell_staleness(&mut self) {
        let stale = self.revocations.is_stale(self.clock.instant());
        if stale == self.stale {
            return;
        }
        self.stale = stale;
        if stale {
            tracing::error!(target: "obo_gateway::store", bound = ?STALE_AFTER, "revocations are stale: this gateway may accept tokens that other gateways have revoked");
        } else {
            tracing::info!(target: "obo_gateway::store", "revocations are current again");
        }
    }

    async fn subscribe(&self) -> Option<News> {
        let subscription = self.server.subscribe(CHANNEL).await.ok().flatten()?;
        Some(Box::pin(subscription.into_on_message()))
    }

    /// Waits for a notification, or at most half a second.
    async fn wait(news: Option<News>) -> Option<News> {
        let Some(mut news) = news else {
            sleep(POLL).await;
            return None;
        };
        match timeout(POLL, news.next()).await {
            // the subscription has ended
            Ok(None) => None,
            Ok(Some(_)) | Err(_) => Some(news),
        }
    }

    /// Reads all new entries and applies them at once. If the stream is read again from its beginning, lifted
    /// revocations are therefore never temporarily in force.
    async fn read(&mut self) -> Result<(), StoreError> {
        let mut changes = Vec::new();
        let (whole, unknown) = self.pages(&mut changes).await;
        let id = self.last.parse().map_err(|_| StoreError::Corrupt)?;
        self.followed
            .advance(id, || self.revocations.apply(changes));
        let began = whole?;
        if unknown > 0 {
            // some revocations are unknown, so the known ones become stale
            tracing::error!(target: "obo_gateway::store", unknown, "revocations could not be read: their key is not in issuer.opaque_keys, or a later version wrote them");
            return Err(StoreError::Corrupt);
        }
        self.revocations.heard(began);
        Ok(())
    }

    /// Reads to the end of the stream. Returns the time of the last request, and the number of entries that could not
    /// be opened.
    async fn pages(&mut self, changes: &mut Vec<Change>) -> (Result<Instant, StoreError>, usize) {
        let mut unknown = 0;
        loop {
            let began = self.clock.instant();
            let entries = match self.page(&format!("({}", self.last)).await {
                Ok(entries) => entries,
                Err(error) => return (Err(error), unknown),
            };
            let whole = entries.len() < PAGE;
            for (id, sealed) in entries {
                match opened_change(&self.keys, &sealed) {
                    Some(change) => changes.push(change),
                    None => unknown += 1,
                }
                self.last = id;
            }
            if whole {
                return (Ok(began), unknown);
            }
        }
    }

    async fn page(&self, from: &str) -> Result<Vec<Entry>, StoreError> {
        let mut command = redis::cmd("XRANGE");
        command
            .arg(STREAM)
            .arg(from)
            .arg("+")
            .arg("COUNT")
            .arg(PAGE);
        let entries: Vec<Value> = self.server.query(command).await?;
        let entries = entries.into_iter().map(entry);
        entries.collect::<Option<_>>().ok_or(StoreError::Corrupt)
    }

    /// Removes some expired entries, here and from the stream. Every gateway does this, but none depends on it.
    async fn sweep(&mut self) {
        let instant = self.clock.instant();
        if instant.saturating_duration_since(self.swept.0) < SWEEP {
            return;
        }
        self.swept.0 = instant;
        let now = self.clock.now();
        self.revocations.sweep(now);
        let Ok(entries) = self.page(&format!("({}", self.swept.1)).await else {
            return;
        };
        let last = entries.last().map(|(id, _)| id.clone());
        // at the end of the stream, start again from the beginning
        self.swept.1 = last.unwrap_or_else(|| BEGINNING.to_owned());
        // a lift is kept, because the revocation that it lifts may be in the stream and would apply again after a
        // restart
        let ended = |change: &Change| match change {
            Change::Revoked(revocation) => revocation.until <= now,
            Change::Lifted(_) => false,
        };
        let mut command = redis::cmd("XDEL");
        command.arg(STREAM);
        let mut some = false;
        for (id, sealed) in entries {
            if opened_change(&self.keys, &sealed)
                .as_ref()
                .is_some_and(ended)
            {
                command.arg(id);
                some = true;
            }
        }
        if some && let Err(error) = self.server.query::<i64>(command).await {
            tracing::warn!(target: "obo_gateway::store", %error, "expired revocations could not be removed");
        }
    }
}

/// Parses `[id, [name, value, …]]`, the form of an entry. The gateway's entries have one value.
fn entry(value: Value) -> Option<Entry> {
    let (id, fields): (String, Vec<Vec<u8>>) = from_redis_value(value).ok()?;
    let [_, sealed] = <[Vec<u8>; 2]>::try_from(fields).ok()?;
    Some((id, sealed))
}

#[cfg(test)]
#[path = "follower_tests.rs"]
mod tests;
