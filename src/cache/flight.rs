//! Single flight: one exchange for any number of simultaneous first uses.

use super::{CacheKey, Granted};
use crate::telemetry::CacheResult;
use std::{
    collections::{HashMap, hash_map},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// What the error of an exchange must be able to say.
pub trait FlightError: Clone + Send + Sync + 'static {
    /// Whether a repetition with the same token would be refused again: a decision about a token whose signature is
    /// valid. A fault is never definitive.
    fn is_definitive(&self) -> bool;
    /// The exchange did not end in time.
    fn waited_too_long() -> Self;
    /// The exchange broke off.
    fn fault() -> Self;
    /// What was exchanged was revoked meanwhile.
    fn revoked() -> Self;
}

/// How long a request waits for an exchange.
const PATIENCE: Duration = Duration::from_secs(10);

type Landing<E> = watch::Receiver<Option<Result<Granted, E>>>;

/// The exchanges that are under way.
pub(super) struct Flights<E> {
    aloft: Arc<Mutex<HashMap<CacheKey, Landing<E>>>>,
}

impl<E: FlightError> Flights<E> {
    /// Starts `exchange` in a task of its own, or joins the one for `key` that is under way, and waits for its end.
    pub(super) async fn join<F>(&self, key: CacheKey, exchange: F) -> Result<Granted, E>
    where
        F: Future<Output = Result<Granted, E>> + Send + 'static,
    {
        let (mut landing, led) = self.board(key, exchange);
        let landed = tokio::time::timeout(PATIENCE, landing.wait_for(Option::is_some)).await;
        match landed {
            Err(_elapsed) => Err(E::waited_too_long()),
            // the task ended without a result: it panicked or its runtime is gone
            Ok(Err(_closed)) => Err(E::fault()),
            Ok(Ok(result)) => match result.as_ref() {
                Some(Ok(granted)) if led => Ok(granted.clone()),
                Some(Ok(granted)) => Ok(Granted {
                    credential: granted.credential.clone(),
                    result: CacheResult::Coalesced,
                }),
                Some(Err(refusal)) => Err(refusal.clone()),
                None => Err(E::fault()),
            },
        }
    }

    /// Starts `exchange` in a task of its own, unless one for `key` is under way; waits for neither.
    pub(super) fn depart<F>(&self, key: CacheKey, exchange: F)
    where
        F: Future<Output = Result<Granted, E>> + Send + 'static,
    {
        self.board(key, exchange);
    }

    fn board<F>(&self, key: CacheKey, exchange: F) -> (Landing<E>, bool)
    where
        F: Future<Output = Result<Granted, E>> + Send + 'static,
    {
        let mut aloft = self.aloft.lock().unwrap_or_else(PoisonError::into_inner);
        let vacant = match aloft.entry(key) {
            hash_map::Entry::Occupied(under_way) => return (under_way.get().clone(), false),
            hash_map::Entry::Vacant(vacant) => vacant,
        };
        let (sender, receiver) = watch::channel(None);
        vacant.insert(receiver.clone());
        drop(aloft);
        let departure = Departure {
            key,
            aloft: Arc::clone(&self.aloft),
        };
        tokio::spawn(async move {
            // taken off the list when the task ends, by panic too
            let departure = departure;
            let result = exchange.await;
            // told before it is taken off the list: whoever boards in between lands at once
            sender.send_replace(Some(result));
            drop(departure);
        });
        (receiver, true)
    }
}

impl<E> Default for Flights<E> {
    fn default() -> Self {
        Self {
            aloft: Arc::default(),
        }
    }
}

struct Departure<E> {
    key: CacheKey,
    aloft: Arc<Mutex<HashMap<CacheKey, Landing<E>>>>,
}

impl<E> Drop for Departure<E> {
    fn drop(&mut self) {
        self.aloft
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.key);
    }
}
