//! The listeners of the gateway, and the change to those of another configuration.
//!
//! Sockets for new addresses are bound first, and the addresses that remain or are removed are determined. Everything
//! that can fail is done before anything changes.

use super::StartError;
use crate::{
    clock::UnixTime,
    config::ListenerTerms,
    edge::{Edge, InheritedSockets, Listener, TlsTerms},
};
use std::{io, net::SocketAddr};

/// The listeners of one configuration, in its order.
#[derive(Debug, Default)]
pub(super) struct Listeners(Vec<BoundListener>);

/// One listener.
#[derive(Debug, Clone, Copy)]
struct BoundListener {
    /// The address in the file; port 0 means any free port.
    asked: SocketAddr,
    bound: SocketAddr,
    tls: bool,
    /// When its certificate expires.
    expires_at: Option<UnixTime>,
}

/// A socket that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listening {
    /// Address and port.
    pub address: SocketAddr,
    /// `true` for https, `false` for plain http.
    pub tls: bool,
}

/// The change from the listeners of one configuration to those of another.
#[derive(Debug)]
pub(super) struct Change {
    places: Vec<BoundListener>,
    secured: Vec<(SocketAddr, Option<TlsTerms>)>,
    new: Vec<Listener>,
    gone: Vec<SocketAddr>,
}

impl Listeners {
    /// Binds the addresses in `wanted` that are new; nothing is accepted on them yet.
    pub(super) fn change(
        &self,
        wanted: Vec<ListenerTerms>,
        inherited: &mut InheritedSockets,
    ) -> Result<Change, StartError> {
        let mut there = self.0.clone();
        let mut change = Change {
            places: Vec::new(),
            secured: Vec::new(),
            new: Vec::new(),
            gone: Vec::new(),
        };
        for ListenerTerms { address, tls, .. } in wanted {
            let expires_at = tls.as_ref().and_then(TlsTerms::expires_at);
            let is_encrypted = tls.is_some();
            let known = there.iter().position(|place| place.asked == address);
            let place = if let Some(known) = known {
                let place = there.remove(known);
                change.secured.push((place.bound, tls));
                BoundListener {
                    tls: is_encrypted,
                    expires_at,
                    ..place
                }
            } else {
                let listener = match inherited.take(address) {
                    Some(socket) => Listener::adopt(socket, tls).map_err(StartError::System)?,
                    None => Listener::bind(address, tls)?,
                };
                let bound = listener.local_address();
                change.new.push(listener);
                BoundListener {
                    asked: address,
                    bound,
                    tls: is_encrypted,
                    expires_at,
                }
            };
            change.places.push(place);
        }
        change.gone = there.into_iter().map(|place| place.bound).collect();
        Ok(change)
    }

    /// Returns the addresses and protocols, in the order of the configuration.
    pub(super) fn listening(&self) -> impl Iterator<Item = Listening> {
        self.0.iter().map(|place| Listening {
            address: place.bound,
            tls: place.tls,
        })
    }

    /// Returns the addresses, in the order of the configuration.
    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.0.iter().map(|place| place.bound)
    }

    /// Returns when the certificates expire, by the address of the listener in the file.
    pub(super) fn certificates(&self) -> impl Iterator<Item = (String, UnixTime)> {
        certificates(&self.0)
    }
}

impl Change {
    /// Returns the addresses of new and remaining listeners, in the order of the configuration.
    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.places.iter().map(|place| place.bound)
    }

    /// Returns when the certificates expire, by the address of the listener in the file.
    pub(super) fn certificates(&self) -> impl Iterator<Item = (String, UnixTime)> {
        certificates(&self.places)
    }

    /// Calls `serve` for each new socket; stops at the first error.
    pub(super) fn begin(
        &mut self,
        mut serve: impl FnMut(Listener) -> io::Result<()>,
    ) -> io::Result<()> {
        self.new.drain(..).try_for_each(&mut serve)
    }

    /// Applies the new TLS settings to the remaining listeners. Returns the listeners, and the addresses of those to
    /// remove.
    pub(super) fn complete(self, edge: &Edge) -> (Listeners, Vec<SocketAddr>) {
        for (address, tls) in self.secured {
            edge.secure(address, tls);
        }
        (Listeners(self.places), self.gone)
    }
}

fn certificates(places: &[BoundListener]) -> impl Iterator<Item = (String, UnixTime)> {
    let places = places.iter();
    places.filter_map(|place| Some((place.asked.to_string(), place.expires_at?)))
}
