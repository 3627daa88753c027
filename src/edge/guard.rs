//! Guards the stream between a connection (plain or TLS) and the HTTP/1 parser. The parser gets one request at a time.
//! A head is kept back until it is complete and its raw bytes have been checked; a body is passed exactly to its end. A
//! head that exceeds its deadline closes the connection. A head that can be read in more than one way is replaced by a
//! substitute, and [`InboundRequest`] reports to the app that the request is refused.
//!
//! The deadline covers the whole head, not each read: from accept for the first one (including the TLS handshake), and
//! from its first byte for every later one. The pause between two requests is limited by pingora's keep-alive timeout.
//! A request whose credential ends while it is served ends with its lease. When the edge drains and no request is in
//! progress, the stream ends without an error.
//!
//! Nearly every head arrives whole in one read: it is checked in the read buffer and not copied.

mod beneath;

use std::hint::cold_path;
use std::io::{self, ErrorKind};
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use pingora::protocols::IO;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::drain::DrainSignal;
use super::events::ConnectionEvent;
use super::head::{Head, Progress};
use super::inbound_request::InboundRequest;
use super::intake::{Body, Intake, stand_in, take_in};
use crate::edge::lease::Lease;
use crate::gate::{GateError, wire::HeadFault};

/// A stream whose requests are limited in time and size and can be read in only one way.
pub(crate) struct Guard<S> {
    stream: S,
    limits: Arc<ConnectionLimits>,
    /// The head that the client still has to send; `None` while a request is served.
    owed: Option<Head>,
    deadline: Option<Pin<Box<Sleep>>>,
    linger: Option<Pin<Box<Sleep>>>,
    /// The beginning of an incomplete head; after that, the part of the request that the parser has not read yet.
    held: Vec<u8>,
    /// The head of a response, kept back until its body begins, and how much of it was written.
    kept: Vec<u8>,
    kept_written: usize,
    /// The part of the request in progress that has not arrived yet.
    body: Body,
    /// Bytes that the client sent beyond this request.
    ahead: Vec<u8>,
    /// The state of this request, which the app reads.
    request: Arc<InboundRequest>,
    /// `None` on HTTP/2, where each stream has a lease.
    lease: Option<Arc<Lease>>,
}

/// The limits of every connection of an edge.
pub(crate) struct ConnectionLimits {
    pub(crate) head_bytes: usize,
    pub(crate) header_timeout: Duration,
    pub(crate) drain: Arc<DrainSignal>,
    pub(crate) report: Box<dyn Fn(ConnectionEvent) + Send + Sync>,
}

impl<S: IO> Guard<S> {
    /// Guards an HTTP/1 connection before its first request head. `deadline` began at accept.
    pub(crate) fn http1(
        stream: S,
        limits: Arc<ConnectionLimits>,
        deadline: Pin<Box<Sleep>>,
    ) -> Box<Self> {
        let head = Head::request(limits.head_bytes);
        let mut guard = Self::owing(stream, limits, head, deadline);
        guard.lease = Some(Lease::of_connection());
        guard
    }

    /// Guards a connection before its HTTP/2 preface. Later heads are limited by pingora's HTTP/2 options.
    pub(crate) fn http2(
        stream: S,
        limits: Arc<ConnectionLimits>,
        deadline: Pin<Box<Sleep>>,
    ) -> Box<Self> {
        Self::owing(stream, limits, Head::preface(), deadline)
    }

    /// Begins the next request of a kept-alive connection: a head is expected again, and its deadline begins at its
    /// first byte. Returns `None` if bytes of the previous request are unread: its response could be taken for that of
    /// the next request.
    pub(crate) fn next_request(mut self: Box<Self>) -> Option<Box<Self>> {
        let is_read = self.held.is_empty() && self.body.is_over();
        if !is_read || !self.kept.is_empty() || self.request.is_refused() {
            return None;
        }
        self.release_head();
        self.owed = Some(Head::request(self.limits.head_bytes));
        self.request.begin();
        Some(self)
    }

    fn owing(
        stream: S,
        limits: Arc<ConnectionLimits>,
        head: Head,
        deadline: Pin<Box<Sleep>>,
    ) -> Box<Self> {
        let (owed, deadline) = (Some(head), Some(deadline));
        Box::new(Self {
            stream,
            limits,
            owed,
            deadline,
            linger: None,
            held: Vec::new(),
            kept: Vec::new(),
            kept_written: 0,
            body: Body::Bytes(0),
            ahead: Vec::new(),
            request: Arc::default(),
            lease: None,
        })
    }

    /// Returns the lease under which the connection's requests are served.
    pub(crate) fn lease(&self) -> Option<Arc<Lease>> {
        self.lease.clone()
    }

    /// Returns the state of the request in progress.
    pub(crate) fn request(&self) -> Arc<InboundRequest> {
        Arc::clone(&self.request)
    }

    /// Returns `true` if the request in progress was ended: nothing more is read from the client.
    fn is_ended(&self) -> bool {
        self.lease
            .as_ref()
            .is_some_and(|lease| lease.ended().is_some())
    }

    /// Returns `true` if the response in progress was ended: no more of it is written.
    fn cuts_response(&self) -> bool {
        self.lease
            .as_ref()
            .is_some_and(|lease| lease.cuts_response())
    }

    /// Returns `true` if a head is kept back, or will be.
    fn holds_head(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.holds())
    }

    /// Stops keeping heads back.
    fn release_head(&self) {
        if let Some(lease) = &self.lease {
            lease.release();
        }
    }

    /// Records whether the last write was blocked.
    fn note_write<T>(&self, written: Poll<T>) -> Poll<T> {
        if let Some(lease) = &self.lease {
            lease.stalls(written.is_pending());
        }
        written
    }

    /// Reads while a head is expected.
    fn poll_owed(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let ahead = mem::take(&mut self.ahead);
            self.hold(&ahead);
        }
        while let Some(head) = self.owed.as_mut() {
            let before = buffer.filled().len();
            let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, buffer) else {
                return self.poll_patience(context);
            };
            read?;
            let fresh = buffer.filled().get(before..).unwrap_or_default();
            if fresh.is_empty() {
                // The client closed the connection. An unfinished head is discarded.
                self.settle(Body::Bytes(0));
                self.held = Vec::new();
                return Poll::Ready(Ok(()));
            }
            if head.is_preface() {
                if head.advance(fresh) == Progress::Whole {
                    self.settle(Body::Endless);
                }
                return Poll::Ready(Ok(()));
            }
            if self.held.is_empty()
                && let Intake::Passed(length, body) = take_in(fresh, self.limits.head_bytes)
            {
                if let Some(ahead) = fresh.get(length..).filter(|ahead| !ahead.is_empty()) {
                    cold_path();
                    self.ahead = ahead.to_vec();
                    buffer.set_filled(before + length);
                }
                self.settle(body);
                return Poll::Ready(Ok(()));
            }
            cold_path();
            let fresh = fresh.to_vec();
            buffer.set_filled(before);
            self.hold(&fresh);
        }
        self.poll_held(buffer)
    }

    /// Takes a part of a head that did not arrive whole, or that does not pass unchanged.
    #[cold]
    fn hold(&mut self, piece: &[u8]) {
        let is_first = self.held.is_empty();
        self.held.extend_from_slice(piece);
        let progress = self.owed.as_mut().map(|head| head.advance(piece));
        // A parser that starts again at each of a thousand small reads costs a second of CPU for a single head.
        if progress == Some(Progress::Open) && !is_first {
            return;
        }
        let cap = self.limits.head_bytes;
        match take_in(&self.held, cap) {
            Intake::Open if progress == Some(Progress::Open) => {}
            // the head is complete for one parser and incomplete for another
            Intake::Open => self.refuse(HeadFault::LineEnd.into()),
            Intake::Passed(length, body) => {
                self.ahead = self.held.split_off(length);
                self.settle(body);
            }
            Intake::Respelled(length, respelled, body) => {
                self.ahead = self.held.split_off(length);
                self.held = respelled;
                self.settle(body);
            }
            Intake::Refused(error) => self.refuse(error),
        }
    }

    /// Makes the app respond with a refusal. The other bytes that arrived are ignored.
    fn refuse(&mut self, error: GateError) {
        if matches!(error, GateError::HeadersTooLarge { .. }) {
            (self.limits.report)(ConnectionEvent::HeadTooLarge);
        }
        self.held = stand_in(&self.held);
        self.request.refuse(error);
        self.settle(Body::Bytes(0));
    }

    /// Called if there is nothing to read: checks the deadlines.
    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let untouched = self.owed.as_ref().is_some_and(Head::is_untouched);
        if let Some(deadline) = self.deadline.as_mut() {
            if deadline.as_mut().poll(context).is_ready() {
                return self.cut(ConnectionEvent::HeadTimeout, ErrorKind::TimedOut);
            }
        } else if !untouched {
            let deadline = self
                .deadline
                .insert(Box::pin(sleep(self.limits.header_timeout)));
            if deadline.as_mut().poll(context).is_ready() {
                return self.cut(ConnectionEvent::HeadTimeout, ErrorKind::TimedOut);
            }
        }
        if untouched && self.limits.drain.has_begun() {
            let linger = self.linger.get_or_insert_with(|| Box::pin(sleep(LINGER)));
            if linger.as_mut().poll(context).is_ready() {
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Pending
    }

    /// Ends the wait for a head; from now on `body` is read.
    fn settle(&mut self, body: Body) {
        self.owed = None;
        self.deadline = None;
        self.linger = None;
        self.body = body;
    }

    fn cut(&self, event: ConnectionEvent, kind: ErrorKind) -> Poll<io::Result<()>> {
        (self.limits.report)(event);
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

    /// Reads the body. At its end, waits for the client to close.
    fn poll_body(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            // The next request waits until this one has its response, and so does its client.
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, buffer) else {
            return Poll::Pending;
        };
        read?;
        let fresh = buffer.filled().get(before..).unwrap_or_default();
        match self.body.advance(fresh) {
            Ok(length) if length == fresh.len() => Poll::Ready(Ok(())),
            Ok(length) => {
                cold_path();
                self.ahead = fresh.get(length..).unwrap_or_default().to_vec();
                buffer.set_filled(before + length);
                if length == 0 {
                    return Poll::Pending;
                }
                Poll::Ready(Ok(()))
            }
            Err(error) => {
                cold_path();
                buffer.set_filled(before);
                self.request.refuse(error);
                Poll::Ready(Err(ErrorKind::InvalidData.into()))
            }
        }
    }

    /// After the response that turns the request into a tunnel, all further bytes from the client pass.
    fn note_tunnel(&mut self) {
        if self.request.is_tunnel() && self.body != Body::Endless {
            cold_path();
            self.body = Body::Endless;
            let ahead = mem::take(&mut self.ahead);
            self.held.extend_from_slice(&ahead);
        }
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
            this.poll_body(context, buffer)
        } else {
            this.poll_held(buffer)
        }
    }
}

impl<S> std::fmt::Debug for Guard<S> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not `held` or `ahead`: they contain parts of requests, including credentials.
        formatter
            .debug_struct("Guard")
            .field("owed", &self.owed)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

/// How long a connection may be idle between two requests.
pub(super) const KEEP_ALIVE_SECONDS: u64 = 60;

/// How long a connection without a request stays open after a drain begins. A client that sends requests one after
/// another sends its next request in this time and gets a response with `Connection: close`. Otherwise its request
/// could be lost when it crosses the close of the connection.
const LINGER: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::sync::mpsc;

    use super::*;
    use crate::edge::lease::EndReason;

    const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const POST: &[u8] = b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n";

    fn guarded() -> (
        DuplexStream,
        Box<Guard<DuplexStream>>,
        Arc<DrainSignal>,
        mpsc::UnboundedReceiver<ConnectionEvent>,
    ) {
        let (client, server) = duplex(4096);
        let (events, reported) = mpsc::unbounded_channel();
        let drain = Arc::new(DrainSignal::new());
        let limits = Arc::new(ConnectionLimits {
            head_bytes: 64,
            header_timeout: Duration::from_secs(10),
            drain: Arc::clone(&drain),
            report: Box::new(move |event| {
                let _ = events.send(event);
            }),
        });
        let deadline = Box::pin(sleep(limits.header_timeout));
        (
            client,
            Guard::http1(server, limits, deadline),
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
        let cut = tokio::time::timeout(Duration::from_secs(11), guard.read_u8()).await;
        assert!(cut.unwrap().is_err());
        assert_eq!(reported.recv().await, Some(ConnectionEvent::HeadTimeout));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_has_no_head_deadline() {
        let (mut client, mut guard, _, _) = guarded();
        client.write_all(POST).await.unwrap();
        guard.read_exact(&mut [0; POST.len()]).await.unwrap();
        assert!(
            tokio::time::timeout(Duration::from_secs(60), guard.read_u8())
                .await
                .is_err()
        );
        client.write_all(b"body").await.unwrap();
        guard.read_exact(&mut [0; 4]).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_dripped_head_arrives_whole_and_in_order_with_its_body() {
        let (mut client, mut guard, _, _) = guarded();
        let drip = async {
            for byte in POST {
                client.write_all(&[*byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
            client.write_all(b"body").await.unwrap();
        };
        let mut message = vec![0; POST.len() + 4];
        let (read, ()) = tokio::join!(guard.read_exact(&mut message), drip);
        read.unwrap();
        assert_eq!(message, [POST, b"body"].concat());
    }

    /// Returns a connection whose first head was read.
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
    async fn a_head_over_its_cap_is_refused() {
        for pieces in [&[65][..], &[40, 25], &[1; 65]] {
            let (mut client, mut guard, _, mut reported) = guarded();
            for length in pieces {
                client.write_all(&vec![b'X'; *length]).await.unwrap();
            }
            let mut text = [0; 128];
            let length = guard.read(&mut text).await.unwrap();
            assert_eq!(text[..length], stand_in(b""));
            let refusal = guard.request().refusal();
            assert_eq!(refusal, Some(GateError::HeadersTooLarge { limit: 64 }));
            assert_eq!(reported.recv().await, Some(ConnectionEvent::HeadTooLarge));
            assert!(guard.next_request().is_none());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_http_is_refused_at_its_first_byte() {
        let (mut client, mut guard, _, _) = guarded();
        client.write_all(b"\x16\x03\x01").await.unwrap();
        let mut text = [0; 128];
        let length = guard.read(&mut text).await.unwrap();
        assert_eq!(text[..length], stand_in(b""));
        assert!(guard.request().is_refused());
    }

    /// Returns what the parser gets of the request in progress, up to the point where it would wait.
    async fn served(guard: &mut Guard<DuplexStream>) -> Vec<u8> {
        let mut text = Vec::new();
        let read = async { while guard.read_buf(&mut text).await.unwrap() > 0 {} };
        let _ = tokio::time::timeout(Duration::from_secs(1), read).await;
        text
    }

    #[tokio::test(start_paused = true)]
    async fn each_request_ends_where_the_next_begins_however_they_are_cut() {
        let chunked = b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
        let requests = [HEAD, &[POST, b"body"].concat(), chunked, HEAD];
        let all = requests.concat();
        for size in [1, 2, 3, 7, 20, 64, 100, all.len()] {
            let (mut client, mut guard, _, _) = guarded();
            let mut pieces = all.chunks(size);
            for request in requests {
                let feeding = async {
                    for piece in pieces.by_ref() {
                        client.write_all(piece).await.unwrap();
                        tokio::task::yield_now().await;
                    }
                };
                let (served, ()) = tokio::join!(served(&mut guard), feeding);
                assert_eq!(
                    String::from_utf8_lossy(&served),
                    String::from_utf8_lossy(request),
                    "in pieces of {size}"
                );
                guard = guard
                    .next_request()
                    .expect("the request was read to its end");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_was_not_read_to_its_end_is_the_last() {
        let (mut client, mut guard, _, _) = guarded();
        client.write_all(&[POST, b"bod"].concat()).await.unwrap();
        served(&mut guard).await;
        assert!(guard.next_request().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_malformed_chunk_ends_the_stream_where_it_stands() {
        let (mut client, mut guard, _, _) = guarded();
        let head = b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        client.write_all(head).await.unwrap();
        guard.read_exact(&mut vec![0; head.len()]).await.unwrap();
        client.write_all(b"1\r\nx\r\n").await.unwrap();
        guard.read_exact(&mut [0; 6]).await.unwrap();
        client.write_all(b" 0\r\n\r\n").await.unwrap();
        assert!(guard.read(&mut [0; 9]).await.is_err());
        assert!(guard.request().is_refused());
    }

    #[tokio::test(start_paused = true)]
    async fn the_bytes_after_the_response_to_an_upgrade_pass_unchanged() {
        let (mut client, mut guard, _, _) = guarded();
        client.write_all(&[HEAD, b"early"].concat()).await.unwrap();
        assert_eq!(served(&mut guard).await, HEAD);
        guard.request().open_tunnel();
        guard.write_all(b"HTTP/1.1 101 \r\n\r\n").await.unwrap();
        client.write_all(b" late\0\n").await.unwrap();
        assert_eq!(served(&mut guard).await, b"early late\0\n");
        assert!(guard.next_request().is_none());
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
        let Guard { stream, limits, .. } = *guard;
        let deadline = Box::pin(sleep(limits.header_timeout));
        let mut guard = Guard::http2(stream, limits, deadline);
        client.write_all(b"PRI * HTTP/2.0\r\n\r\n").await.unwrap();
        assert!(guard.read_exact(&mut [0; 24]).await.is_err());
        assert_eq!(reported.recv().await, Some(ConnectionEvent::HeadTimeout));
    }
}
