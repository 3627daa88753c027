//! Binds sockets, or takes over inherited ones (from systemd or the previous process). Binding comes before every other
//! step of the start, so that a port in use ends the program at once instead of leaving it half started. An error says
//! what to do.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use listenfd::ListenFd;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use super::tls::TlsTerms;

/// A bound socket, for which the kernel already queues connections; serve it with [`Edge::serve`](super::Edge::serve).
#[derive(Debug)]
pub struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) tls: Option<TlsTerms>,
    address: SocketAddr,
}

/// Why a listener cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another process listens there.
    #[error(
        "cannot listen on {address}: the port is in use; stop the program that uses it (`ss -ltnp 'sport = :{}'` shows it) or choose another port", address.port()
    )]
    InUse {
        /// The requested address.
        address: SocketAddr,
    },
    /// No interface of this machine has the address.
    #[error(
        "cannot listen on {address}: this machine has no such address; 0.0.0.0 or [::] listens on all addresses"
    )]
    NotHere {
        /// The requested address.
        address: SocketAddr,
    },
    /// The system reserves the port for privileged programs.
    #[error(
        "cannot listen on {address}: not permitted; ports below 1024 need the capability CAP_NET_BIND_SERVICE or an \
         inherited socket"
    )]
    NotPermitted {
        /// The requested address.
        address: SocketAddr,
    },
    /// Any other error of the system.
    #[error("cannot listen on {address}: {cause}")]
    System {
        /// The requested address.
        address: SocketAddr,
        /// The error that the system returned.
        #[source]
        cause: io::Error,
    },
}

impl Listener {
    /// Binds `address` (port 0: a free port) and starts to listen; without `tls`, for cleartext HTTP/1.1.
    ///
    /// # Errors
    /// The address is in use, does not belong to this machine, or is not permitted. It is not tried again.
    pub fn bind(address: SocketAddr, tls: Option<TlsTerms>) -> Result<Self, ListenError> {
        Self::open(address, tls).map_err(|cause| ListenError::of(address, cause))
    }

    /// Takes over a socket that is already listening.
    ///
    /// # Errors
    /// The socket has no address or cannot be set non-blocking: it is not a listening TCP socket.
    pub fn adopt(socket: TcpListener, tls: Option<TlsTerms>) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        // Accepted sockets inherit it: the connection of a client that vanished silently ends within two minutes.
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(60))
            .with_interval(Duration::from_secs(20));
        SockRef::from(&socket).set_tcp_keepalive(&keepalive)?;
        let address = socket.local_addr()?;
        Ok(Self {
            socket,
            tls,
            address,
        })
    }

    /// Returns the address that the socket is bound to; if port 0 was requested, with the port that was chosen.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    fn open(address: SocketAddr, tls: Option<TlsTerms>) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        // A restart must not wait until the last connections of the previous process leave TIME_WAIT.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Self::adopt(socket.into(), tls)
    }
}

impl ListenError {
    fn of(address: SocketAddr, cause: io::Error) -> Self {
        #[allow(
            clippy::wildcard_enum_match_arm,
            reason = "the foreign enum is non-exhaustive"
        )]
        match cause.kind() {
            ErrorKind::AddrInUse => Self::InUse { address },
            ErrorKind::AddrNotAvailable => Self::NotHere { address },
            ErrorKind::PermissionDenied => Self::NotPermitted { address },
            _ => Self::System { address, cause },
        }
    }
}

/// Listening sockets that were passed to this process (`LISTEN_FDS`): systemd socket activation, or the previous
/// process.
#[derive(Debug, Default)]
pub struct InheritedSockets(Vec<TcpListener>);

impl InheritedSockets {
    /// Takes the sockets that the environment names. Must be called once, before other threads start; a second call
    /// finds none.
    #[must_use]
    pub fn from_environment() -> Self {
        let mut passed = ListenFd::from_env();
        let sockets =
            (0..passed.len()).filter_map(|index| passed.take_tcp_listener(index).ok().flatten());
        Self(sockets.collect())
    }

    /// Takes the socket that was passed for `address`, if there is one, so that it need not be bound.
    pub fn take(&mut self, address: SocketAddr) -> Option<TcpListener> {
        let index = self
            .0
            .iter()
            .position(|socket| socket.local_addr().is_ok_and(|local| local == address))?;
        Some(self.0.swap_remove(index))
    }
}

/// Connections that may wait to be accepted; the kernel limits the number to `net.core.somaxconn`.
const BACKLOG: i32 = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_named_with_how_to_mend_it() {
        let first = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), None).unwrap();
        let address = first.local_address();
        let refusal = Listener::bind(address, None).unwrap_err();
        assert!(matches!(refusal, ListenError::InUse { .. }));
        let message = refusal.to_string();
        assert!(
            message.contains(&address.to_string()) && message.contains("choose another port"),
            "{message}"
        );
    }

    #[test]
    fn an_address_of_another_machine_is_refused_as_such() {
        let refusal = Listener::bind(SocketAddr::from(([192, 0, 2, 1], 0)), None).unwrap_err();
        assert!(matches!(refusal, ListenError::NotHere { .. }), "{refusal}");
    }

    #[test]
    fn an_inherited_socket_is_found_by_its_address_once() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let mut inherited = InheritedSockets(vec![socket]);
        assert!(
            inherited
                .take(SocketAddr::from(([127, 0, 0, 1], 1)))
                .is_none()
        );
        let listener = Listener::adopt(inherited.take(address).unwrap(), None).unwrap();
        assert_eq!(listener.local_address(), address);
        assert!(inherited.take(address).is_none());
    }
}
