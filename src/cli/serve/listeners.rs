//! Which sockets there are, and how they come to be those of another configuration.
//!
//! What enters are the addresses that a configuration asks for; what leaves are bound sockets for those that are new, and
//! the names of those that stay or go. Everything that can fail comes before anything is changed.

use super::StartError;
use crate::{
    clock::UnixTime,
    config::ListenerTerms,
    edge::{Edge, InheritedSockets, Listener, TlsTerms},
};
use std::{io, net::SocketAddr};

/// The listeners of one configuration, in its order.
#[derive(Debug, Default)]
pub(super) struct Listeners(Vec<Place>);

/// One listener.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// The address in the file; with port 0 for a free one.
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

/// From the listeners of one configuration to those of another.
#[derive(Debug)]
pub(super) struct Change {
    places: Vec<Place>,
    secured: Vec<(SocketAddr, Option<TlsTerms>)>,
    new: Vec<Listener>,
    gone: Vec<SocketAddr>,
}

impl Listeners {
    /// Binds what `wanted` asks for beyond what is there; nothing is accepted from it yet.
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
                Place {
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
                Place {
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

    /// Where they are and how they speak, in the order of the configuration.
    pub(super) fn listening(&self) -> impl Iterator<Item = Listening> {
        self.0.iter().map(|place| Listening {
            address: place.bound,
            tls: place.tls,
        })
    }

    /// Where they are, in the order of the configuration.
    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.0.iter().map(|place| place.bound)
    }

    /// When the certificates expire, by the address of the listener in the file.
    pub(super) fn certificates(&self) -> impl Iterator<Item = (String, UnixTime)> {
        certificates(&self.0)
    }
}

impl Change {
    /// The addresses, new ones and those that stay, in the order of the configuration.
    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.places.iter().map(|place| place.bound)
    }

    /// When the certificates expire, by the address of the listener in the file.
    pub(super) fn certificates(&self) -> impl Iterator<Item = (String, UnixTime)> {
        certificates(&self.places)
    }

    /// Has the new sockets served, until one cannot be.
    pub(super) fn begin(
        &mut self,
        mut serve: impl FnMut(Listener) -> io::Result<()>,
    ) -> io::Result<()> {
        self.new.drain(..).try_for_each(&mut serve)
    }

    /// Has those that stay secured as they are now to be: the listeners, and the addresses of those that go.
    pub(super) fn complete(self, edge: &Edge) -> (Listeners, Vec<SocketAddr>) {
        for (address, tls) in self.secured {
            edge.secure(address, tls);
        }
        (Listeners(self.places), self.gone)
    }
}

fn certificates(places: &[Place]) -> impl Iterator<Item = (String, UnixTime)> {
    let places = places.iter();
    places.filter_map(|place| Some((place.asked.to_string(), place.expires_at?)))
}
