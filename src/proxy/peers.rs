//! The upstream servers of each route: addresses, TLS and load balancing.
//!
//! Host names are resolved before they are needed and again every 30 s, in the background. If a lookup fails, the last
//! known addresses remain in use.

mod files;
mod options;

pub use files::UpstreamTlsError;

use crate::{
    clock::UnixTime,
    route::{Route, Upstream, UpstreamTarget},
    settings::BaseDir,
};
use files::{authorities, identity};
use http::HeaderValue;
use options::PeerOptions;
use pingora::upstreams::peer::HttpPeer;
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, PoisonError, RwLock, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;
use url::Host;

/// How often names are resolved again.
const RESOLVE_EVERY: Duration = Duration::from_secs(30);
/// How soon the lookup of a name is repeated that has never been resolved.
const RETRY_UNRESOLVED: Duration = Duration::from_secs(1);
/// The peers of all routes.
#[derive(Debug, Default)]
pub struct Peers {
    /// Indexed by the route's position in the configuration.
    balancers: Vec<Option<Arc<Balancer>>>,
    /// Positions of the routes whose names are not looked up periodically yet.
    unresolved: Vec<usize>,
    /// The number of names whose first lookup has not finished.
    unasked: watch::Sender<usize>,
    /// Numbers the groups of connections, over all configurations of this process.
    groups: Arc<AtomicU64>,
}

/// The targets of one route.
struct Balancer {
    /// When the client certificate that the gateway presents to these targets expires.
    expires_at: Option<UnixTime>,
    targets: Vec<Target>,
    /// Indexes into `targets`, one for each turn of a round.
    turns: Vec<usize>,
    next: AtomicUsize,
}

struct Target {
    host: Host<String>,
    port: u16,
    authority: HeaderValue,
    template: HttpPeer,
    /// Set if the host is an address: nothing is looked up, and no request takes a lock.
    fixed: Option<Fixed>,
    /// If the host is a name: the addresses that it currently resolves to.
    peers: RwLock<Arc<[HttpPeer]>>,
    next: AtomicUsize,
}

/// A target at one address.
enum Fixed {
    /// Without TLS: creating a peer costs half as much as copying one.
    Plain(SocketAddr, PeerOptions),
    /// With TLS.
    Secured(Box<HttpPeer>),
}

/// A server to send a request to, and the Host field that names it.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) peer: Box<HttpPeer>,
    pub(super) authority: HeaderValue,
}

impl Peers {
    /// Creates an empty set of peers for the configuration that replaces the one of `self`.
    #[must_use]
    pub fn successor(&self) -> Self {
        Self {
            groups: Arc::clone(&self.groups),
            ..Self::default()
        }
    }

    /// Adds the servers of `route`, and reads its TLS files.
    ///
    /// # Errors
    /// The TLS files cannot be used.
    pub fn add(&mut self, route: &Route, base: &BaseDir) -> Result<(), UpstreamTlsError> {
        // two routes never share connections, not even across configurations: the TLS identity and trust of a
        // connection are those of its route
        let group = self.groups.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let balancer = Balancer::new(route.upstream(), base, group)?;
        self.unresolved.push(route.position());
        self.put(route.position(), Arc::new(balancer));
        Ok(())
    }

    /// Makes `route` use the servers of the route at `position` in `running`, with their connections and addresses.
    /// Returns `true` if there are any. For a route whose upstream settings are unchanged.
    pub fn keep(&mut self, route: &Route, running: &Self, position: usize) -> bool {
        let balancer = running.balancers.get(position).and_then(Option::as_ref);
        if let Some(balancer) = balancer {
            self.put(route.position(), Arc::clone(balancer));
        }
        balancer.is_some()
    }

    fn put(&mut self, position: usize, balancer: Arc<Balancer>) {
        if self.balancers.len() <= position {
            self.balancers.resize(position + 1, None);
        }
        if let Some(place) = self.balancers.get_mut(position) {
            *place = Some(balancer);
        }
    }

    /// Starts to look up new host names on `io`, and repeats the lookups for as long as the peers exist.
    pub fn start_resolving(&self, io: &tokio::runtime::Handle) {
        let new = self.unresolved.iter();
        for balancer in new.filter_map(|position| self.balancers.get(*position)?.as_ref()) {
            for (index, target) in balancer.targets.iter().enumerate() {
                if target.is_named() {
                    self.unasked.send_modify(|names| *names += 1);
                    let first = FirstLookup(self.unasked.clone());
                    io.spawn(keep_resolving(Arc::downgrade(balancer), index, first));
                }
            }
        }
    }

    /// Returns a function that returns `true` once every name was looked up for the first time, whether or not it was
    /// found: an upstream whose name does not exist does not block the others.
    pub fn first_look(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let unasked = self.unasked.subscribe();
        move || *unasked.borrow() == 0
    }

    /// Waits until every name was looked up once.
    pub fn until_looked_up(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut unasked = self.unasked.subscribe();
        async move {
            // an error means that the peers were dropped, and with them their names
            let _ = unasked.wait_for(|names| *names == 0).await;
        }
    }

    /// Returns the next server for `route`, or `None` if no target has an address.
    pub(super) fn choose(&self, route: &Route) -> Option<Chosen> {
        self.of(route)?.choose()
    }

    /// Returns when the client certificate that the gateway presents to the servers of `route` expires, or `None` if it
    /// presents none.
    pub fn certificate_expires_at(&self, route: &Route) -> Option<UnixTime> {
        self.of(route)?.expires_at
    }

    /// Returns the number of targets of `route`.
    pub(super) fn targets(&self, route: &Route) -> usize {
        self.of(route).map_or(0, |balancer| balancer.targets.len())
    }

    fn of(&self, route: &Route) -> Option<&Arc<Balancer>> {
        self.balancers.get(route.position())?.as_ref()
    }
}

/// Counts a name as looked up when dropped, regardless of the result.
struct FirstLookup(watch::Sender<usize>);

impl Drop for FirstLookup {
    fn drop(&mut self) {
        self.0.send_modify(|names| *names = names.saturating_sub(1));
    }
}

async fn keep_resolving(balancer: Weak<Balancer>, index: usize, first: FirstLookup) {
    let mut first = Some(first);
    while let Some(strong) = balancer.upgrade() {
        let Some(target) = strong.targets.get(index) else {
            return;
        };
        let Some(pause) = target.resolve().await else {
            return;
        };
        drop(strong);
        drop(first.take());
        tokio::time::sleep(pause).await;
    }
}

impl Balancer {
    fn new(upstream: &Upstream, base: &BaseDir, group: u64) -> Result<Self, UpstreamTlsError> {
        let ca = upstream
            .tls()
            .ca
            .as_ref()
            .map(|path| authorities(&base.resolve(path)))
            .transpose()?;
        let identity = match (&upstream.tls().certificate, &upstream.tls().private_key) {
            (Some(certificate), Some(key)) => {
                Some(identity(&base.resolve(certificate), &base.resolve(key))?)
            }
            (None, None) | (Some(_), None) | (None, Some(_)) => None,
        };
        let mut turns = Vec::new();
        let mut targets = Vec::new();
        for (index, target) in upstream.targets().iter().enumerate() {
            turns.extend(std::iter::repeat_n(index, usize::from(target.weight)));
            let terms = PeerOptions::of(upstream, group);
            let mut template = template(upstream, target);
            terms.bind(&mut template);
            template.options.ca = ca.clone();
            template.client_cert_key = identity.as_ref().map(|own| Arc::clone(&own.certificate));
            targets.push(Target::new(target, template, terms));
        }
        Ok(Self {
            expires_at: identity.and_then(|own| own.expires_at),
            targets,
            turns,
            next: AtomicUsize::new(0),
        })
    }

    /// Returns the next target in turn that has an address.
    fn choose(&self) -> Option<Chosen> {
        if let [only] = self.targets.as_slice() {
            return only.choose();
        }
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        (0..self.turns.len()).find_map(|offset| {
            let turn = self
                .turns
                .get(start.wrapping_add(offset) % self.turns.len())?;
            self.targets.get(*turn)?.choose()
        })
    }
}

impl Target {
    fn new(target: &UpstreamTarget, template: HttpPeer, terms: PeerOptions) -> Self {
        let host = target
            .url
            .url()
            .host()
            .map_or(Host::Domain(String::new()), |host| host.to_owned());
        let port = target.url.port();
        let address = match &host {
            Host::Ipv4(address) => Some(IpAddr::V4(*address)),
            Host::Ipv6(address) => Some(IpAddr::V6(*address)),
            Host::Domain(_) => None,
        };
        let fixed = address.map(|address| {
            let address = SocketAddr::new(address, port);
            if target.url.is_plain() {
                Fixed::Plain(address, terms)
            } else {
                Fixed::Secured(Box::new(at(&template, address)))
            }
        });
        Self {
            host,
            port,
            authority: target.authority.clone(),
            template,
            fixed,
            peers: RwLock::default(),
            next: AtomicUsize::new(0),
        }
    }

    fn choose(&self) -> Option<Chosen> {
        let chosen = |peer| Chosen {
            peer,
            authority: self.authority.clone(),
        };
        match &self.fixed {
            None => {}
            Some(Fixed::Secured(peer)) => return Some(chosen(peer.clone())),
            Some(Fixed::Plain(address, terms)) => {
                let mut peer = Box::new(HttpPeer::new(*address, false, String::new()));
                terms.bind(&mut peer);
                return Some(chosen(peer));
            }
        }
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner);
        let turn = self
            .next
            .fetch_add(1, Ordering::Relaxed)
            .checked_rem(peers.len())?;
        peers.get(turn).map(|peer| chosen(Box::new(peer.clone())))
    }

    /// Returns `true` if the address of the target has to be looked up.
    fn is_named(&self) -> bool {
        matches!(self.host, Host::Domain(_))
    }

    /// Looks up the name. Returns the pause until the next lookup, or `None` if the host is an address.
    async fn resolve(&self) -> Option<Duration> {
        let Host::Domain(name) = &self.host else {
            return None;
        };
        let looked_up = tokio::net::lookup_host((name.as_str(), self.port)).await;
        let mut found: Vec<SocketAddr> = looked_up.map(Iterator::collect).unwrap_or_default();
        found.sort_unstable();
        found.dedup();
        let mut peers = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        if !found.is_empty() {
            *peers = found
                .into_iter()
                .map(|address| at(&self.template, address))
                .collect();
        }
        Some(if peers.is_empty() {
            RETRY_UNRESOLVED
        } else {
            RESOLVE_EVERY
        })
    }
}

impl fmt::Debug for Balancer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Balancer")
            .field("turns", &self.turns)
            .finish_non_exhaustive()
    }
}

/// Returns the template with `address`.
fn at(template: &HttpPeer, address: SocketAddr) -> HttpPeer {
    HttpPeer {
        _address: address.into(),
        ..template.clone()
    }
}

fn template(upstream: &Upstream, target: &UpstreamTarget) -> HttpPeer {
    let tls = !target.url.is_plain();
    // an empty name would disable verification, but the host of a URL is never empty
    let name = upstream
        .tls()
        .server_name
        .clone()
        .unwrap_or_else(|| target.url.host().trim_matches(['[', ']']).to_owned());
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
    HttpPeer::new(nowhere, tls, if tls { name } else { String::new() })
}
