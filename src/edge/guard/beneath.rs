//! The remaining traits of the guard: writes, TLS and socket information are delegated to the stream below, except when
//! a lease has ended or a head is kept back until its body begins.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::{SslDigest, TlsRef};
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, IO, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::time::timeout;

use super::Guard;

impl<S: IO> AsyncWrite for Guard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.cuts_response() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if self.holds_head() && self.kept.is_empty() {
            self.kept.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        if !self.kept.is_empty() {
            self.release_head();
            ready!(self.poll_kept(context))?;
        }
        self.note_tunnel();
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note_write(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.cuts_response() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if !self.kept.is_empty() {
            if self.holds_head() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_kept(context))?;
        }
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.note_write(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(response) = self.lease.as_ref().and_then(|lease| lease.take_ending()) {
            self.release_head();
            self.kept_written = 0;
            self.kept = response.into();
        }
        // a head that is still kept back is not sent without its body
        if !self.kept.is_empty() && !self.holds_head() {
            ready!(self.poll_kept(context))?;
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.cuts_response() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if self.holds_head() || !self.kept.is_empty() {
            let first = slices.iter().find(|slice| !slice.is_empty());
            return self.poll_write(context, first.map_or(&[], |slice| slice));
        }
        self.note_tunnel();
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.note_write(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl<S: IO> Guard<S> {
    /// Writes the bytes that were kept back.
    fn poll_kept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self
            .kept
            .get(self.kept_written..)
            .filter(|rest| !rest.is_empty())
        {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.kept_written += written;
        }
        self.kept.clear();
        self.kept_written = 0;
        Poll::Ready(Ok(()))
    }
}

#[async_trait]
impl<S: IO> Shutdown for Guard<S> {
    async fn shutdown(&mut self) {
        self.stream.shutdown().await;
        if self.request.is_refused() {
            let _ = timeout(CLOSING, discard(&mut self.stream)).await;
        }
    }
}

/// Reads what a refused client still sends. Bytes that arrive at a closed socket would make the system discard the
/// response that is being sent (RFC 9112 §9.6).
async fn discard<S: IO>(stream: &mut S) {
    let (mut read, mut scratch) = (0, [0; 4_096]);
    while read < MOST_DISCARDED {
        match stream.read(&mut scratch).await {
            Ok(length @ 1..) => read += length,
            Ok(0) | Err(_) => return,
        }
    }
}

/// How long a refused client may take to read its response and close.
const CLOSING: Duration = Duration::from_secs(1);
/// How much a refused client may send in this time, in bytes.
const MOST_DISCARDED: usize = 256 << 10;

#[async_trait]
impl<S: IO> Peek for Guard<S> {}

impl<S: IO> UniqueID for Guard<S> {
    fn id(&self) -> UniqueIDType {
        self.stream.id()
    }
}

impl<S: IO> Ssl for Guard<S> {
    fn get_ssl(&self) -> Option<&TlsRef> {
        self.stream.get_ssl()
    }

    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.stream.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.stream.selected_alpn_proto()
    }
}

impl<S: IO> GetTimingDigest for Guard<S> {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.stream.get_timing_digest()
    }
}

impl<S: IO> GetProxyDigest for Guard<S> {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.stream.get_proxy_digest()
    }
}

impl<S: IO> GetSocketDigest for Guard<S> {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.stream.get_socket_digest()
    }
}
