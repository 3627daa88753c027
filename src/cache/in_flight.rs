//! Single flight: one exchange for any number of simultaneous first uses.

use super::{CacheKey, ForwardCredential, RefusedExchange};
use crate::{error::Refusal, telemetry::CacheResult};
use std::{
    collections::{HashMap, hash_map},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// A credential, and how it was obtained.
#[derive(Debug, Clone)]
pub struct Granted {
    /// The credential to attach to the request.
    pub credential: ForwardCredential,
    /// How the credential was obtained: from the cache, by a new exchange, or by a simultaneous request's exchange.
    pub result: CacheResult,
}

/// How long a request waits for an exchange.
const PATIENCE: Duration = Duration::from_secs(10);

/// Receives the result of an exchange that is in flight.
type Waiting = watch::Receiver<Option<Result<Granted, RefusedExchange>>>;

/// The exchanges that are in flight, by cache key. Clones share them.
#[derive(Clone, Default)]
pub(super) struct InFlight(Arc<Mutex<HashMap<CacheKey, Waiting>>>);

impl InFlight {
    /// Starts `exchange` in a task of its own, or joins the one for `key` that is in flight, and waits for its result.
    ///
    /// # Errors
    /// The exchange was refused, or did not end in time.
    pub(super) async fn join<F>(
        &self,
        key: CacheKey,
        exchange: F,
    ) -> Result<Granted, RefusedExchange>
    where
        F: Future<Output = Result<Granted, RefusedExchange>> + Send + 'static,
    {
        let (mut waiting, led) = self.start_or_find(key, exchange);
        let ended = tokio::time::timeout(PATIENCE, waiting.wait_for(Option::is_some)).await;
        match ended {
            Err(_elapsed) => Err(Refusal::WaitedTooLong.into()),
            // the task ended without a result: it panicked or its runtime is gone
            Ok(Err(_closed)) => Err(Refusal::Fault.into()),
            Ok(Ok(result)) => match result.as_ref() {
                Some(Ok(granted)) if led => Ok(granted.clone()),
                Some(Ok(granted)) => Ok(Granted {
                    credential: granted.credential.clone(),
                    result: CacheResult::Coalesced,
                }),
                Some(Err(refused)) => Err(refused.clone()),
                None => Err(Refusal::Fault.into()),
            },
        }
    }

    /// Starts `exchange` in a task of its own, unless one for `key` is in flight. Does not wait.
    pub(super) fn start<F>(&self, key: CacheKey, exchange: F)
    where
        F: Future<Output = Result<Granted, RefusedExchange>> + Send + 'static,
    {
        self.start_or_find(key, exchange);
    }

    /// Returns the receiver of the result, and `true` if this call started the exchange.
    fn start_or_find<F>(&self, key: CacheKey, exchange: F) -> (Waiting, bool)
    where
        F: Future<Output = Result<Granted, RefusedExchange>> + Send + 'static,
    {
        let mut in_flight = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let vacant = match in_flight.entry(key) {
            hash_map::Entry::Occupied(found) => return (found.get().clone(), false),
            hash_map::Entry::Vacant(vacant) => vacant,
        };
        let (sender, receiver) = watch::channel(None);
        vacant.insert(receiver.clone());
        drop(in_flight);
        let entry = Entry {
            key,
            in_flight: self.clone(),
        };
        tokio::spawn(async move {
            // removed when the task ends, also by a panic
            let entry = entry;
            let result = exchange.await;
            // sent before the entry is removed: a caller that joins in between finds the result at once
            sender.send_replace(Some(result));
            drop(entry);
        });
        (receiver, true)
    }
}

/// Removes an exchange from those in flight when dropped.
struct Entry {
    key: CacheKey,
    in_flight: InFlight,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut in_flight = self
            .in_flight
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        in_flight.remove(&self.key);
    }
}
