//! Single flight: one exchange for any number of simultaneous first uses.

use super::{CacheKey, Granted};
use crate::telemetry::CacheResult;
use std::{
    collections::{HashMap, hash_map},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// What the cache needs to know about the error of an exchange.
pub trait FlightError: Clone + Send + Sync + 'static {
    /// Returns `true` if the same token would be refused again: a decision about a token whose signature is valid. A
    /// failure is never definitive.
    fn is_definitive(&self) -> bool;
    /// The exchange took too long.
    fn waited_too_long() -> Self;
    /// The exchange was aborted.
    fn fault() -> Self;
    /// The token was revoked during the exchange.
    fn revoked() -> Self;
}

/// How long a request waits for an exchange.
const PATIENCE: Duration = Duration::from_secs(10);

type Landing<E> = watch::Receiver<Option<Result<Granted, E>>>;

/// The exchanges that are in flight.
pub(super) struct Flights<E> {
    aloft: Arc<Mutex<HashMap<CacheKey, Landing<E>>>>,
}

impl<E: FlightError> Flights<E> {
    /// Starts `exchange` in its own task, or joins the one for `key` that is in flight, and waits for the result.
    pub(super) async fn join<F>(&self, key: CacheKey, exchange: F) -> Result<Granted, E>
    where
        F: Future<Output = Result<Granted, E>> + Send + 'static,
    {
        let (mut landing, led) = self.board(key, exchange);
        let landed = tokio::time::timeout(PATIENCE, landing.wait_for(Option::is_some)).await;
        match landed {
            Err(_elapsed) => Err(E::waited_too_long()),
            // the task ended without a result: it panicked, or its runtime is gone
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

    /// Starts `exchange` in its own task, unless one for `key` is in flight. It does not wait.
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
            // removed from the map when the task ends, even by a panic
            let departure = departure;
            let result = exchange.await;
            // the result is sent before the removal, so that a request that joins in between gets it immediately
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
