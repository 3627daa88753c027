//! What follows the stream of revocations.

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

/// Reads the stream again and again, and enters what is new.
pub(super) struct Follower {
    server: Arc<Server>,
    keys: Arc<SealingKeys>,
    revocations: Revocations,
    followed: Followed,
    clock: SharedClock,
    /// The last entry that was read.
    last: String,
    /// The last entry that was looked at for having ended.
    swept: (Instant, String),
    /// Whether it was said that what is known here is stale.
    stale: bool,
}

/// A place in the stream, in the order of the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StreamId {
    milliseconds: u64,
    sequence: u64,
}

/// The server named a place that is none.
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

/// How far a follower has read the stream. Clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct Followed(watch::Sender<StreamId>);

impl Default for Followed {
    fn default() -> Self {
        Self(watch::Sender::new(StreamId::default()))
    }
}

impl Followed {
    /// Has `apply` enter the entry at `id`, unless the follower has read so far already. The follower waits meanwhile.
    pub(super) fn unless_read(&self, id: StreamId, apply: impl FnOnce()) {
        self.0.send_if_modified(|read| {
            if *read < id {
                apply();
            }
            false
        });
    }

    /// Has `apply` enter everything up to `id`.
    fn advance(&self, id: StreamId, apply: impl FnOnce()) {
        self.0.send_modify(|read| {
            apply();
            *read = id;
        });
    }

    /// Waits until the follower has read as far as `id`.
    pub(super) async fn read(&self, id: StreamId, patience: Duration) -> Result<(), StoreError> {
        let mut reads = self.0.subscribe();
        let read = timeout(patience, reads.wait_for(|read| *read >= id)).await;
        match read {
            Ok(Ok(_)) => Ok(()),
            _ => Err(StoreError::Unavailable(
                "it was written, and could not be read back in time".to_owned(),
            )),
        }
    }
}

/// One entry of the stream: its id and what it says.
type Entry = (String, Vec<u8>);
type News = Pin<Box<dyn futures_util::Stream<Item = redis::Msg> + Send>>;

/// How often the stream is read where nobody says that there is something new.
const POLL: Duration = Duration::from_millis(500);
/// How many entries are read at once.
const PAGE: usize = 1_000;
/// How long the server is left alone after a failure.
const PAUSE: Duration = Duration::from_millis(300);
/// How often some of what has ended is removed.
const SWEEP: Duration = Duration::from_secs(30);
/// Before every entry.
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

    /// Follows for ever. `first` is told how the first reading of the whole stream went.
    pub(super) async fn follow(mut self, first: Sender<Result<(), StoreError>>) {
        let mut news: Option<News> = None;
        let mut begun = false;
        let mut failures = 0_u64;
        loop {
            let read = self.read().await;
            self.tell_staleness();
            if !begun {
                begun = read.is_ok();
                // who asked may have gone away
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
                    // the 1st, 2nd, 4th, 8th … in a row: an hour without the server is a dozen lines
                    if failures.is_power_of_two() {
                        tracing::warn!(target: "obo_gateway::store", %error, failures, "revocations of other gateways cannot be followed");
                    }
                    // another server may have come in its place, whose stream is another
                    BEGINNING.clone_into(&mut self.last);
                    self.followed.advance(StreamId::default(), || ());
                    news = None;
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Says once when what is known here has become stale, and once when it is current again.
    fn tell_staleness(&mut self) {
        let stale = self.revocations.is_stale(self.clock.instant());
        if stale == self.stale {
            return;
        }
        self.stale = stale;
        if stale {
            tracing::error!(target: "obo_gateway::store", bound = ?STALE_AFTER, "revocations are stale: others may have revoked what is still accepted here");
        } else {
            tracing::info!(target: "obo_gateway::store", "revocations are current again");
        }
    }

    async fn subscribe(&self) -> Option<News> {
        let subscription = self.server.subscribe(CHANNEL).await.ok().flatten()?;
        Some(Box::pin(subscription.into_on_message()))
    }

    /// Until there is news, or it is time to look; without a subscription, half a second.
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

    /// Everything that is new since the last time. It is entered at once: where the stream is read again from its
    /// beginning, nothing that was lifted is in force in between.
    async fn read(&mut self) -> Result<(), StoreError> {
        let mut changes = Vec::new();
        let (whole, unknown) = self.pages(&mut changes).await;
        let id = self.last.parse().map_err(|_| StoreError::Corrupt)?;
        self.followed
            .advance(id, || self.revocations.apply(changes));
        let began = whole?;
        if unknown > 0 {
            // not all that was revoked is known: what is known gets stale
            tracing::error!(target: "obo_gateway::store", unknown, "revocations were made with a key that is none of issuer.opaque_keys, or by a later version");
            return Err(StoreError::Corrupt);
        }
        self.revocations.heard(began);
        Ok(())
    }

    /// Reads to the end of the stream; when the last page was asked for, and how many entries could not be opened.
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

    /// Removes some of what has ended, here and from the stream: every gateway does, and none has to.
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
        // at the end: from the beginning again
        self.swept.1 = last.unwrap_or_else(|| BEGINNING.to_owned());
        // a lift stays: what it lifts may stand before it for ever, and would hold again after the next start
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
            tracing::warn!(target: "obo_gateway::store", %error, "revocations that have ended could not be removed");
        }
    }
}

/// `[id, [name, value, …]]` as the server writes an entry; ours have one value.
fn entry(value: Value) -> Option<Entry> {
    let (id, fields): (String, Vec<Vec<u8>>) = from_redis_value(value).ok()?;
    let [_, sealed] = <[Vec<u8>; 2]>::try_from(fields).ok()?;
    Some((id, sealed))
}

#[cfg(test)]
#[path = "follower_tests.rs"]
mod tests;
