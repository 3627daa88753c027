//! Limits the number of open connections, in total and per client address. An accepted socket gets a [`ConnectionPermit`] or is
//! refused. A place counts from accept to close and is released when dropped, however the connection ended, so the
//! count always equals the number of open sockets.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::events::{ConnectionEvent, ConnectionObserver};

/// The open connections, in total and per address.
pub(crate) struct ConnectionLimiter {
    most: AtomicUsize,
    most_per_address: AtomicUsize,
    open: AtomicUsize,
    shards: [Mutex<HashMap<IpAddr, usize>>; SHARDS],
    shard_of: RandomState,
    emptied: Notify,
    observer: Arc<dyn ConnectionObserver>,
}

impl ConnectionLimiter {
    pub(crate) fn new(
        most: usize,
        most_per_address: usize,
        observer: Arc<dyn ConnectionObserver>,
    ) -> Arc<Self> {
        Arc::new(Self {
            most: AtomicUsize::new(most),
            most_per_address: AtomicUsize::new(most_per_address),
            open: AtomicUsize::new(0),
            shards: std::array::from_fn(|_| Mutex::default()),
            shard_of: RandomState::new(),
            emptied: Notify::new(),
            observer,
        })
    }

    /// Changes the limits for new connections. Open connections are not affected.
    pub(crate) fn limit(&self, most: usize, most_per_address: usize) {
        self.most.store(most, Ordering::Release);
        self.most_per_address
            .store(most_per_address, Ordering::Release);
    }

    /// Admits a connection from `address`, or reports to the observer why it is refused. The caller closes a refused
    /// socket.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<ConnectionPermit> {
        let group = group(address);
        if self.open.fetch_add(1, Ordering::AcqRel) >= self.most.load(Ordering::Acquire) {
            self.release_total();
            self.observer.observe(ConnectionEvent::RefusedTotal);
            return None;
        }
        {
            let mut shard = self.shard(group);
            let held = shard.entry(group).or_insert(0);
            if *held < self.most_per_address.load(Ordering::Acquire) {
                *held += 1;
                drop(shard);
                self.observer.observe(ConnectionEvent::Accepted);
                return Some(ConnectionPermit {
                    connection_limiter: Arc::clone(self),
                    group,
                });
            }
        }
        self.release_total();
        self.observer.observe(ConnectionEvent::RefusedAddress);
        None
    }

    /// Returns the number of open connections.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Waits until no connection is open.
    pub(crate) async fn until_empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            // Registered before the count is read, so that a close in between is not missed.
            emptied.as_mut().enable();
            if self.open() == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// Reports an event to the observer.
    pub(crate) fn report(&self, event: ConnectionEvent) {
        self.observer.observe(event);
    }

    fn release_total(&self) {
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.emptied.notify_waiters();
        }
    }

    fn shard(&self, group: IpAddr) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        let index = usize::try_from(self.shard_of.hash_one(group) % SHARDS as u64).unwrap_or(0);
        let [first, ..] = &self.shards;
        self.shards
            .get(index)
            .unwrap_or(first)
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// One admitted connection. Dropping it records the close.
pub(crate) struct ConnectionPermit {
    connection_limiter: Arc<ConnectionLimiter>,
    group: IpAddr,
}

impl std::fmt::Debug for ConnectionPermit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ConnectionPermit")
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        {
            let mut shard = self.connection_limiter.shard(self.group);
            if let Some(held) = shard.get_mut(&self.group) {
                *held = held.saturating_sub(1);
                if *held == 0 {
                    shard.remove(&self.group);
                }
            }
        }
        // The event first: a task that waits for the edge to be empty then reads complete counters.
        self.connection_limiter.report(ConnectionEvent::Closed);
        self.connection_limiter.release_total();
    }
}

/// Returns the group of clients that share one limit: an IPv4 address, or an IPv6 /64 network, which is what one
/// subscriber gets (RFC 6177 §2). Otherwise a single host with 2^64 addresses could count as many clients.
fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(
            address.to_bits() & !u128::from(u64::MAX),
        )),
    }
}

/// Enough that threads which accept and close at the same time rarely wait for each other.
const SHARDS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Recorder(Mutex<Vec<ConnectionEvent>>);

    impl ConnectionObserver for Recorder {
        fn observe(&self, event: ConnectionEvent) {
            self.0.lock().unwrap().push(event);
        }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_dropped_place_can_be_taken_again() {
        let recorder = Arc::new(Recorder::default());
        let connection_limiter = ConnectionLimiter::new(1, 9, recorder.clone());
        let first = connection_limiter.admit(address("192.0.2.1"));
        assert!(first.is_some());
        assert!(connection_limiter.admit(address("192.0.2.2")).is_none());
        drop(first);
        assert_eq!(connection_limiter.open(), 0);
        assert!(connection_limiter.admit(address("192.0.2.2")).is_some());
        use ConnectionEvent::{Accepted, Closed, RefusedTotal};
        assert_eq!(
            *recorder.0.lock().unwrap(),
            [Accepted, RefusedTotal, Closed, Accepted, Closed]
        );
    }

    #[test]
    fn an_address_at_its_limit_does_not_hurt_the_others() {
        let recorder = Arc::new(Recorder::default());
        let connection_limiter = ConnectionLimiter::new(9, 1, recorder.clone());
        let _first = connection_limiter.admit(address("192.0.2.1"));
        assert!(
            connection_limiter
                .admit(address("::ffff:192.0.2.1"))
                .is_none()
        );
        assert!(connection_limiter.admit(address("192.0.2.2")).is_some());
        assert!(
            recorder
                .0
                .lock()
                .unwrap()
                .contains(&ConnectionEvent::RefusedAddress)
        );
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one_client() {
        let connection_limiter = ConnectionLimiter::new(9, 1, Arc::new(Recorder::default()));
        let _first = connection_limiter.admit(address("2001:db8::1"));
        assert!(connection_limiter.admit(address("2001:db8::2")).is_none());
        assert!(
            connection_limiter
                .admit(address("2001:db8:0:1::1"))
                .is_some()
        );
    }

    #[test]
    fn no_address_is_remembered_after_its_last_connection() {
        let connection_limiter = ConnectionLimiter::new(9, 9, Arc::new(Recorder::default()));
        drop(connection_limiter.admit(address("192.0.2.1")));
        assert!(
            connection_limiter
                .shards
                .iter()
                .all(|shard| shard.lock().unwrap().is_empty())
        );
    }
}
