//! The patience of the edge. A connection's plaintext stream enters (the socket itself, or TLS on top of it); what leaves
//! is the same stream, cut when a request head is too long in coming or too large, and ended quietly when the edge drains
//! and no request is on its way. While a request is served, reads pass straight through.
//!
//! A deadline runs over the whole head, not over each read: from accept for the first one (a TLS handshake included),
//! from its first byte for every later one; the pause between two requests is pingora's keep-alive timeout. A
//! request whose credential ends while it is served ends with its lease.

mod beneath;

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use pingora::protocols::IO;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::census::ConnectionEvent;
use super::drain::DrainSignal;
use super::head::{Head, Progress};
use crate::proxy::lease::Lease;

/// A stream whose request heads are bounded in time and bytes.
pub(crate) struct Guard<S> {
    stream: S,
    terms: Arc<Terms>,
    /// What the client owes; nothing while a request is served.
    owed: Option<Head>,
    deadline: Option<Pin<Box<Sleep>>>,
    linger: Option<Pin<Box<Sleep>>>,
    /// Reads that did not complete the head.
    partial_reads: usize,
    /// Bytes of a dripped head, kept until it is whole.
    held: Vec<u8>,
    /// The head of a response, kept back until its body begins, and how much of it was written.
    kept: Vec<u8>,
    kept_written: usize,
    /// `None` on HTTP/2, whose streams have a lease each.
    lease: Option<Arc<Lease>>,
}

/// What every connection of an edge is held to.
pub(crate) struct Terms {
    pub(crate) head_bytes: usize,
    pub(crate) header_timeout: Duration,
    pub(crate) drain: Arc<DrainSignal>,
    pub(crate) report: Box<dyn Fn(ConnectionEvent) + Send + Sync>,
}

impl<S: IO> Guard<S> {
    /// Guards a connection that owes its first request head. `deadline` began at accept.
    pub(crate) fn http1(stream: S, terms: Arc<Terms>, deadline: Pin<Box<Sleep>>) -> Box<Self> {
        let head = Head::request(terms.head_bytes);
        let mut guard = Self::owing(stream, terms, head, deadline);
        guard.lease = Some(Lease::of_connection());
        guard
    }

    /// Guards a connection that owes the HTTP/2 preface. Heads behind it are bounded by pingora's HTTP/2 options.
    pub(crate) fn http2(stream: S, terms: Arc<Terms>, deadline: Pin<Box<Sleep>>) -> Box<Self> {
        Self::owing(stream, terms, Head::preface(), deadline)
    }

    /// Begins the next request of a kept-alive connection: a head is owed again, its deadline begins at its first byte.
    /// None if bytes of the request before were left unread: where the next head begins is not known then.
    pub(crate) fn next_request(mut self: Box<Self>) -> Option<Box<Self>> {
        if !self.held.is_empty() || !self.kept.is_empty() {
            return None;
        }
        self.release_head();
        self.owed = Some(Head::request(self.terms.head_bytes));
        self.partial_reads = 0;
        Some(self)
    }

    fn owing(stream: S, terms: Arc<Terms>, head: Head, deadline: Pin<Box<Sleep>>) -> Box<Self> {
        let (owed, deadline) = (Some(head), Some(deadline));
        Box::new(Self {
            stream,
            terms,
            owed,
            deadline,
            linger: None,
            partial_reads: 0,
            held: Vec::new(),
            kept: Vec::new(),
            kept_written: 0,
            lease: None,
        })
    }

    /// The lease under which the connection's requests are served.
    pub(crate) fn lease(&self) -> Option<Arc<Lease>> {
        self.lease.clone()
    }

    /// Returns `true` if the request under way was ended: the client is not listened to any more.
    fn is_ended(&self) -> bool {
        self.lease
            .as_ref()
            .is_some_and(|lease| lease.ended().is_some())
    }

    /// Returns `true` if the response under way was ended: no more of it is written.
    fn cuts_response(&self) -> bool {
        self.lease
            .as_ref()
            .is_some_and(|lease| lease.cuts_response())
    }

    /// Returns `true` if a head is kept back, or will be.
    fn holds_head(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.holds())
    }

    /// Keeps no head back any more.
    fn release_head(&self) {
        if let Some(lease) = &self.lease {
            lease.release();
        }
    }

    /// Records whether the write just made is blocked.
    fn note_write<T>(&self, written: Poll<T>) -> Poll<T> {
        if let Some(lease) = &self.lease {
            lease.stalls(written.is_pending());
        }
        written
    }

    /// Reads on while a head is owed.
    fn poll_owed(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let before = buffer.filled().len();
            let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, buffer) else {
                return self.poll_patience(context);
            };
            read?;
            let fresh = buffer.filled().get(before..).unwrap_or_default();
            let Some(head) = self.owed.as_mut().filter(|_| !fresh.is_empty()) else {
                // The client closed. What it left unfinished is the parser's to refuse.
                self.settle();
                return self.poll_held(buffer);
            };
            let progress = head.advance(fresh);
            if progress == Progress::Open {
                self.partial_reads += 1;
            }
            // A parser that starts again at each of a thousand small reads costs a second of CPU for a single head.
            let holds = self.partial_reads > PASSED_PARTIAL_READS;
            if holds {
                self.held.extend_from_slice(fresh);
                buffer.set_filled(before);
            }
            match progress {
                Progress::TooLarge => {
                    return self.cut(ConnectionEvent::HeadTooLarge, ErrorKind::InvalidData);
                }
                Progress::Whole => {
                    self.settle();
                    return if holds {
                        self.poll_held(buffer)
                    } else {
                        Poll::Ready(Ok(()))
                    };
                }
                Progress::Open if holds => {}
                Progress::Open => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Nothing to read: is there still time?
    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let untouched = self.owed.as_ref().is_some_and(Head::is_untouched);
        if let Some(deadline) = self.deadline.as_mut() {
            if deadline.as_mut().poll(context).is_ready() {
                return self.cut(ConnectionEvent::HeadTimeout, ErrorKind::TimedOut);
            }
        } else if !untouched {
            let deadline = self
                .deadline
                .insert(Box::pin(sleep(self.terms.header_timeout)));
            if deadline.as_mut().poll(context).is_ready() {
                return self.cut(ConnectionEvent::HeadTimeout, ErrorKind::TimedOut);
            }
        }
        if untouched && self.terms.drain.has_begun() {
            let linger = self.linger.get_or_insert_with(|| Box::pin(sleep(LINGER)));
            if linger.as_mut().poll(context).is_ready() {
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Pending
    }

    /// The head is whole: from here on reads pass through.
    fn settle(&mut self) {
        self.owed = None;
        self.deadline = None;
        self.linger = None;
    }

    fn cut(&self, event: ConnectionEvent, kind: ErrorKind) -> Poll<io::Result<()>> {
        (self.terms.report)(event);
        Poll::Ready(Err(kind.into()))
    }

    fn poll_held(&mut self, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let length = self.held.len().min(buffer.remaining());
        if let Some(bytes) = self.held.get(..length) {
            buffer.put_slice(bytes);
        }
        self.held.drain(..length);
        if self.held.is_empty() {
            self.held = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: IO> AsyncRead for Guard<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.owed.is_some() {
            this.poll_owed(context, buffer)
        } else if this.is_ended() {
            Poll::Ready(Ok(()))
        } else if this.held.is_empty() {
            Pin::new(&mut this.stream).poll_read(context, buffer)
        } else {
            this.poll_held(buffer)
        }
    }
}

impl<S> std::fmt::Debug for Guard<S> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not `held`: it is a piece of a request head, with the credentials in it.
        formatter
            .debug_struct("Guard")
            .field("owed", &self.owed)
            .finish_non_exhaustive()
    }
}

/// How long a connection without a request outlives the begin of a drain. A client in the middle of a series sends its
/// next request in this time and is answered with `Connection: close`, instead of losing it to a close that crossed it.
const LINGER: Duration = Duration::from_millis(500);

/// Partial reads that the parser sees at once, so that what is not HTTP at all (a TLS handshake on a cleartext port) is
/// refused at once too.
const PASSED_PARTIAL_READS: usize = 8;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::sync::mpsc;

    use super::*;
    use crate::proxy::lease::EndReason;

    const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    fn guarded() -> (
        DuplexStream,
        Box<Guard<DuplexStream>>,
        Arc<DrainSignal>,
        mpsc::UnboundedReceiver<ConnectionEvent>,
    ) {
        let (client, server) = duplex(4096);
        let (events, reported) = mpsc::unbounded_channel();
        let drain = Arc::new(DrainSignal::new());
        let terms = Arc::new(Terms {
            head_bytes: 64,
            header_timeout: Duration::from_secs(10),
            drain: Arc::clone(&drain),
            report: Box::new(move |event| {
                let _ = events.send(event);
            }),
        });
        let deadline = Box::pin(sleep(terms.header_timeout));
        (
            client,
            Guard::http1(server, terms, deadline),
            drain,
            reported,
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_head_that_never_comes_is_cut_at_the_deadline() {
        let (_client, mut guard, _, mut reported) = guarded();
        assert!(guard.read_u8().await.is_err());
        assert_eq!(reported.recv().await, Some(ConnectionEvent::HeadTimeout));
    }

    #[tokio::test(start_paused = true)]
    async fn a_kept_alive_connection_may_idle_but_not_drip() {
        let (mut client, mut guard, _, mut reported) = guarded();
        client.write_all(HEAD).await.unwrap();
        let mut head = [0; HEAD.len()];
        guard.read_exact(&mut head).await.unwrap();
        let mut guard = guard.next_request().unwrap();
        let hour = Duration::from_secs(3600);
        assert!(
            tokio::time::timeout(hour, guard.read_u8()).await.is_err(),
            "idle is not cut by the guard"
        );
        client.write_all(b"G").await.unwrap();
        assert_eq!(guard.read_u8().await.unwrap(), b'G');
        let cut = tokio::time::timeout(Duration::from_secs(11), guard.read_u8()).await;
        assert!(cut.unwrap().is_err());
        assert_eq!(reported.recv().await, Some(ConnectionEvent::HeadTimeout));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_has_no_head_deadline() {
        let (mut client, mut guard, _, _) = guarded();
        client.write_all(HEAD).await.unwrap();
        let mut head = [0; HEAD.len()];
        guard.read_exact(&mut head).await.unwrap();
        assert!(
            tokio::time::timeout(Duration::from_secs(60), guard.read_u8())
                .await
                .is_err()
        );
        client.write_all(&[b'x'; 300]).await.unwrap();
        guard.read_exact(&mut [0; 300]).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_dripped_head_arrives_whole_and_in_order_with_its_body() {
        let (mut client, mut guard, _, _) = guarded();
        let drip = async {
            for byte in HEAD {
                client.write_all(&[*byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
            client.write_all(b"body").await.unwrap();
        };
        let mut message = vec![0; HEAD.len() + 4];
        let (read, ()) = tokio::join!(guard.read_exact(&mut message), drip);
        read.unwrap();
        assert_eq!(message, [HEAD, b"body"].concat());
    }

    /// A connection whose first head was read.
    async fn serving() -> (DuplexStream, Box<Guard<DuplexStream>>) {
        let (mut client, mut guard, _, _) = guarded();
        client.write_all(HEAD).await.unwrap();
        guard.read_exact(&mut [0; HEAD.len()]).await.unwrap();
        (client, guard)
    }

    #[tokio::test]
    async fn a_request_that_was_ended_reads_as_closed_and_can_still_be_refused() {
        let (mut client, mut guard) = serving().await;
        client.write_all(b"upload").await.unwrap();
        guard.lease().unwrap().end(EndReason::Revoked);
        assert_eq!(guard.read(&mut [0; 8]).await.unwrap(), 0);
        guard.write_all(b"401").await.unwrap();
        guard.flush().await.unwrap();
        let mut refusal = [0; 3];
        client.read_exact(&mut refusal).await.unwrap();
        assert_eq!(&refusal, b"401");
    }

    #[tokio::test]
    async fn a_response_that_was_ended_is_not_written_on() {
        let (_client, mut guard) = serving().await;
        let lease = guard.lease().unwrap();
        guard.write_all(b"part").await.unwrap();
        lease.set_response_begun();
        lease.end(EndReason::Expired);
        assert!(guard.write_all(b"rest").await.is_err());
        assert!(guard.flush().await.is_err());
        assert_eq!(guard.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_over_its_cap_is_cut() {
        let (mut client, mut guard, _, mut reported) = guarded();
        client.write_all(&[b'x'; 65]).await.unwrap();
        assert!(guard.read(&mut [0; 128]).await.is_err());
        assert_eq!(reported.recv().await, Some(ConnectionEvent::HeadTooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_ends_quietly_when_the_edge_drains() {
        let (_client, mut guard, drain, mut reported) = guarded();
        drain.begin();
        assert_eq!(guard.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(reported.try_recv().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn an_http2_preface_that_stops_halfway_is_cut() {
        let (mut client, guard, _, mut reported) = guarded();
        let Guard { stream, terms, .. } = *guard;
        let deadline = Box::pin(sleep(terms.header_timeout));
        let mut guard = Guard::http2(stream, terms, deadline);
        client.write_all(b"PRI * HTTP/2.0\r\n\r\n").await.unwrap();
        assert!(guard.read_exact(&mut [0; 24]).await.is_err());
        assert_eq!(reported.recv().await, Some(ConnectionEvent::HeadTimeout));
    }
}
