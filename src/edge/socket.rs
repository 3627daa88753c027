//! An accepted socket, as the `IO` stream that pingora needs. It is counted until it is dropped, and writes the head
//! and body of a response in one segment. It is below TLS, so a connection is also counted during its handshake.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use pingora::protocols::l4::socket::SocketAddr as PeerAddress;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufWriter, ReadBuf};
use tokio::net::TcpStream;

use super::connection_limiter::ConnectionPermit;

/// A TCP stream that is counted and whose writes are buffered.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: BufWriter<TcpStream>,
    digest: Arc<SocketDigest>,
    // Last: the descriptor must be closed before the connection is no longer counted.
    _place: ConnectionPermit,
}

impl Socket {
    /// Takes over an admitted socket. Must run on the thread that will serve it.
    pub(crate) fn adopt(
        stream: std::net::TcpStream,
        peer: SocketAddr,
        place: ConnectionPermit,
    ) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let digest = SocketDigest::from_raw_fd(stream.as_raw_fd());
        // Known from accept; asking the system again would cost a system call per connection.
        let _ = digest.peer_addr.set(Some(PeerAddress::Inet(peer)));
        let stream = BufWriter::with_capacity(SEGMENT_BYTES, TcpStream::from_std(stream)?);
        Ok(Self {
            stream,
            digest: Arc::new(digest),
            _place: place,
        })
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(self.stream.get_mut()).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[async_trait]
impl Shutdown for Socket {
    async fn shutdown(&mut self) {
        // An error means that the client is gone already, which needs no action.
        let _ = self.stream.shutdown().await;
    }
}

impl UniqueID for Socket {
    fn id(&self) -> UniqueIDType {
        self.stream.get_ref().as_raw_fd()
    }
}

impl Ssl for Socket {}

impl Peek for Socket {}

impl GetTimingDigest for Socket {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for Socket {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for Socket {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(Arc::clone(&self.digest))
    }
}

/// The payload of one Ethernet segment, and the size of pingora's own buffer. Without the buffer each response is two
/// writes (head, body), which costs 18 % more CPU.
const SEGMENT_BYTES: usize = 1_460;
