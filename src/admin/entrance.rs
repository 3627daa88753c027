//! Who is answered: by the token where there is one, else by the host that the caller believes to talk to.

use super::AdminTerms;
use crate::settings::Secret;
use http::{
    Request,
    header::{AUTHORIZATION, HOST},
    uri::Authority,
};
use std::net::{IpAddr, SocketAddr};
use subtle::ConstantTimeEq;

/// The check before every document.
#[derive(Debug)]
pub(super) struct Entrance {
    token: Option<Secret>,
    bound: SocketAddr,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admitted {
    /// Somebody who may see everything.
    Operator,
    /// A probe without the token: it learns a yes or no.
    Anonymous,
}

/// Why the caller is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The host is somebody else's name: a page in a browser may be asking (DNS rebinding).
    Host,
    /// A token is configured and none was presented.
    TokenMissing,
    /// Another token was presented.
    TokenWrong,
}

impl Entrance {
    pub(super) fn new(terms: AdminTerms, bound: SocketAddr) -> Self {
        Self {
            token: terms.token,
            bound,
        }
    }

    pub(super) fn admit<B>(&self, request: &Request<B>) -> Result<Admitted, Refused> {
        match &self.token {
            // A page that rebinds a name has no token to send.
            Some(token) => check_token(token, request).map(|()| Admitted::Operator),
            None if self.is_our_host(request) => Ok(Admitted::Operator),
            None => Err(Refused::Host),
        }
    }

    /// Whether every host that the request names, and at least one, is this listener.
    fn is_our_host<B>(&self, request: &Request<B>) -> bool {
        let fields = request.headers().get_all(HOST).iter();
        let mut named = fields
            .map(|field| Authority::try_from(field.as_bytes()).ok())
            .chain(request.uri().authority().map(|a| Some(a.clone())))
            .peekable();
        named.peek().is_some()
            && named.all(|authority| authority.is_some_and(|authority| self.is_ours(&authority)))
    }

    fn is_ours(&self, authority: &Authority) -> bool {
        if authority.as_str().contains('@') {
            return false;
        }
        let host = authority.host();
        if host.eq_ignore_ascii_case("localhost") {
            return true;
        }
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        literal.parse::<IpAddr>().is_ok_and(|address| {
            let address = address.to_canonical();
            address.is_loopback() || address == self.bound.ip().to_canonical()
        })
    }
}

/// The comparison takes as long for a token that is nearly right as for one that is all wrong; its length may show.
fn check_token<B>(token: &Secret, request: &Request<B>) -> Result<(), Refused> {
    let mut fields = request.headers().get_all(AUTHORIZATION).iter();
    let presented = match (fields.next(), fields.next()) {
        (None, _) => return Err(Refused::TokenMissing),
        (Some(field), None) => field.as_bytes(),
        (Some(_), Some(_)) => return Err(Refused::TokenWrong),
    };
    // RFC 9110 §11.1: the scheme's name is compared without regard to case.
    let credentials = presented
        .split_at_checked(7)
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "))
        .map(|(_, credentials)| credentials)
        .ok_or(Refused::TokenWrong)?;
    if bool::from(token.expose().ct_eq(credentials)) {
        Ok(())
    } else {
        Err(Refused::TokenWrong)
    }
}
