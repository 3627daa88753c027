//! Access to the admin listener: by token if one is configured, otherwise by the host that the request names.

use super::{AdminTerms, tokens::Tokens};
use crate::settings::Secret;
use http::{
    Request,
    header::{AUTHORIZATION, HOST},
    uri::Authority,
};
use std::net::{IpAddr, SocketAddr};
use subtle::ConstantTimeEq;

/// The check before every request.
#[derive(Debug)]
pub(super) struct Entrance {
    tokens: Tokens,
    bound: SocketAddr,
}

/// The purpose of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Reading metrics, health, decisions and the list of revocations.
    Read,
    /// Creating and lifting revocations.
    Revoke,
}

/// How much a caller may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admitted {
    /// A caller who may see everything.
    Operator,
    /// A probe without the token: it gets the status only.
    Anonymous,
}

/// The credential with which an operator was admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Credential {
    /// No token is configured: the caller is on this machine.
    Loopback,
    /// `admin.token`.
    Token,
    /// `admin.tokens.read`.
    Read,
    /// `admin.tokens.revoke`.
    Revoke,
}

impl Credential {
    /// Returns the name in the configuration, for the audit log.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Token => "admin.token",
            Self::Read => "admin.tokens.read",
            Self::Revoke => "admin.tokens.revoke",
        }
    }
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The request names another host: it may come from a web page (DNS rebinding).
    Host,
    /// A token is configured but none was presented.
    TokenMissing,
    /// A wrong token was presented.
    TokenWrong,
    /// The token for the other purpose was presented.
    OtherPurpose(Purpose),
}

impl Entrance {
    pub(super) fn new(terms: AdminTerms, bound: SocketAddr) -> Self {
        Self {
            tokens: terms.tokens,
            bound,
        }
    }

    pub(super) fn admit<B>(
        &self,
        request: &Request<B>,
        purpose: Purpose,
    ) -> Result<Credential, Refused> {
        let credential = match &self.tokens {
            // A page that rebinds a name has no token to send.
            Tokens::One(token) => {
                check_token(token, presented(request)?).map(|()| Credential::Token)?
            }
            Tokens::Separate { read, revoke } => {
                let presented = presented(request)?;
                // both are compared, so that the time does not show which one is nearly right
                let reads = check_token(read, presented);
                let revokes = check_token(revoke, presented);
                match (purpose, reads, revokes) {
                    (Purpose::Read, Ok(()), _) => Credential::Read,
                    (Purpose::Revoke, _, Ok(())) => Credential::Revoke,
                    (Purpose::Read, _, Ok(())) | (Purpose::Revoke, Ok(()), _) => {
                        return Err(Refused::OtherPurpose(purpose));
                    }
                    (_, Err(refused), Err(_)) => return Err(refused),
                }
            }
            Tokens::None if self.is_our_host(request) => Credential::Loopback,
            Tokens::None => return Err(Refused::Host),
        };
        Ok(credential)
    }

    /// Returns `true` if the request names at least one host, and every host that it names is this listener.
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

/// Returns the bearer token of the one Authorization field.
fn presented<B>(request: &Request<B>) -> Result<&[u8], Refused> {
    let mut fields = request.headers().get_all(AUTHORIZATION).iter();
    let field = match (fields.next(), fields.next()) {
        (None, _) => return Err(Refused::TokenMissing),
        (Some(field), None) => field.as_bytes(),
        (Some(_), Some(_)) => return Err(Refused::TokenWrong),
    };
    // RFC 9110 §11.1: the name of the scheme is case-insensitive.
    field
        .split_at_checked(7)
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "))
        .map(|(_, credentials)| credentials)
        .ok_or(Refused::TokenWrong)
}

/// The time of the comparison does not depend on how much of the token is right; it may show the length.
fn check_token(token: &Secret, presented: &[u8]) -> Result<(), Refused> {
    if bool::from(token.expose().ct_eq(presented)) {
        Ok(())
    } else {
        Err(Refused::TokenWrong)
    }
}
