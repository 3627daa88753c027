//! The time that what a connection carries has left, where the app knows of a limit: a tunnel ends with the token that
//! opened it. The app sets the limit while it serves a request; the guard beneath ends the stream when it is over, as if
//! the client had closed it. Only connections of HTTP/1 have a lease: on others one stream is not the connection.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::futures::TaskLocalFuture;

/// A limit that was set and not seen by the guard yet, and what becomes of the response's head.
#[derive(Debug, Default)]
pub(crate) struct Lease {
    /// Milliseconds and one; zero: none.
    left: AtomicU64,
    /// Whether the guard keeps the head back until its body begins.
    holds: AtomicBool,
    /// What is sent in place of a head that was kept back.
    instead: Mutex<Option<Bytes>>,
}

tokio::task_local! {
    static CURRENT: Arc<Lease>;
}

impl Lease {
    /// The lease of the connection that the running task serves.
    pub(crate) fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    /// Serves a connection under this lease.
    pub(crate) fn serve<F: Future>(self: Arc<Self>, serving: F) -> TaskLocalFuture<Arc<Self>, F> {
        CURRENT.scope(self, serving)
    }

    /// Ends what the connection carries after `left`, unless the next request begins before.
    pub(crate) fn end_in(&self, left: Duration) {
        let milliseconds = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        self.left
            .store(milliseconds.saturating_add(1), Ordering::Relaxed);
    }

    /// Has the guard of the running task's connection keep back what is written next, the head of a response, until more
    /// is written: while nothing of a response has left, another can be sent in its place.
    pub(crate) fn hold_head() {
        // a connection of HTTP/2 has no lease
        let _ = CURRENT.try_with(|lease| lease.holds.store(true, Ordering::Relaxed));
    }

    /// Whether a head is kept back, or will be.
    pub(crate) fn holds(&self) -> bool {
        self.holds.load(Ordering::Relaxed)
    }

    /// Keeps nothing back any more.
    pub(crate) fn release(&self) {
        self.holds.store(false, Ordering::Relaxed);
    }

    /// Has the connection end with `response` in place of the head that is kept back.
    pub(crate) fn end_with(&self, response: Bytes) {
        *self.instead.lock().unwrap_or_else(PoisonError::into_inner) = Some(response);
    }

    /// What the connection ends with, where that was said.
    pub(crate) fn take_ending(&self) -> Option<Bytes> {
        self.instead
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// The limit, if one was set since the last time.
    pub(crate) fn take(&self) -> Option<Duration> {
        if self.left.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let left = self.left.swap(0, Ordering::Relaxed);
        left.checked_sub(1).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        drain::DrainSignal,
        guard::{Guard, Terms},
    };
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::{sleep, timeout};

    const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const MINUTE: Duration = Duration::from_secs(60);

    /// A connection whose first head was read.
    async fn serving() -> (DuplexStream, Box<Guard<DuplexStream>>) {
        let (mut client, server) = duplex(4096);
        let terms = Arc::new(Terms {
            head_bytes: 64,
            header_timeout: MINUTE,
            drain: Arc::new(DrainSignal::new()),
            report: Box::new(|_| {}),
        });
        let deadline = Box::pin(sleep(terms.header_timeout));
        let mut guard = Guard::http1(server, terms, deadline);
        client.write_all(HEAD).await.unwrap();
        guard.read_exact(&mut [0; HEAD.len()]).await.unwrap();
        (client, guard)
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_lease_is_over_the_stream_reads_as_closed_and_takes_no_more() {
        let (mut client, mut guard) = serving().await;
        guard.lease().end_in(MINUTE);
        client.write_all(b"a").await.unwrap();
        assert_eq!(guard.read_u8().await.unwrap(), b'a');
        guard.write_all(b"b").await.unwrap();
        let end = timeout(2 * MINUTE, guard.read(&mut [0; 8])).await;
        assert_eq!(end.unwrap().unwrap(), 0);
        client.write_all(b"c").await.unwrap();
        assert_eq!(guard.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(guard.write_all(b"d").await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_request_has_no_lease() {
        let (mut client, guard) = serving().await;
        guard.lease().end_in(MINUTE);
        let mut guard = guard.next_request().unwrap();
        sleep(2 * MINUTE).await;
        client.write_all(HEAD).await.unwrap();
        guard.read_exact(&mut [0; HEAD.len()]).await.unwrap();
        client.write_all(b"a").await.unwrap();
        assert_eq!(guard.read_u8().await.unwrap(), b'a');
        guard.write_all(b"b").await.unwrap();
    }

    #[test]
    fn a_limit_is_seen_once_even_when_nothing_is_left() {
        let lease = Lease::default();
        assert_eq!(lease.take(), None);
        lease.end_in(Duration::ZERO);
        assert_eq!(lease.take(), Some(Duration::ZERO));
        assert_eq!(lease.take(), None);
    }

    #[tokio::test]
    async fn a_task_knows_the_lease_of_the_connection_that_it_serves() {
        assert!(Lease::current().is_none());
        let lease = Arc::new(Lease::default());
        Arc::clone(&lease)
            .serve(async {
                Lease::current().unwrap().end_in(Duration::from_secs(1));
            })
            .await;
        assert_eq!(lease.take(), Some(Duration::from_secs(1)));
    }
}
