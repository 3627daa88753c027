//! Verified subject tokens.

mod actor;
mod application;
mod checked;
mod family;
mod id_token;
mod id_token_marks;
mod kind;
mod lineage;
mod proven;
mod revocable;
mod rules;
mod trace;
mod vouched;

pub use actor::ActorToken;
pub use family::{FamilySubject, Impersonator};
pub(super) use id_token::accept_id_token;
pub use kind::is_another_kind;
pub(super) use kind::is_never_access_token;
pub(super) use proven::{Proof, Proven, listed};
pub use revocable::RevocableToken;
pub(super) use rules::{Addressee, accept};
pub(super) use vouched::Vouched;

use super::{KeyLease, TrustedIssuer};
use crate::{
    clock::UnixTime,
    store::Lineage,
    telemetry::Principal,
    token::{ActorChain, Audience, Claims, ScopeSet},
};
use serde_json::Value;
use std::{fmt, sync::Arc};

/// Proof that a presented token is genuine, current and addressed to the gateway. It is made only in this folder,
/// after the last check.
///
/// If the gateway issued the token itself, issuer and subject are those of the original token.
pub struct SubjectToken {
    kind: SubjectKindOfToken,
    issuer: Arc<TrustedIssuer>,
    claims: Claims,
    audiences: Box<[Audience]>,
    sub: Box<str>,
    expires_at: UnixTime,
    issued_at: Option<UnixTime>,
    scopes: ScopeSet,
    client_id: Option<Box<str>>,
    actor_chain: ActorChain,
    /// The mark that identifies the token as an application's own.
    application: Option<&'static str>,
    impersonated: bool,
    impersonator: Option<Impersonator>,
    pseudonym_for: Option<Audience>,
    lease: KeyLease,
    lineage: Lineage,
}

/// The kind of token that identified the subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubjectKindOfToken {
    /// An access token of a trusted issuer or of the gateway itself.
    AccessToken,
    /// An ID token of a trusted issuer.
    IdToken,
    /// A JWT that the client itself signed (RFC 8693 §3, `jwt`). It is valid only together with an actor.
    SelfSigned,
    /// The id of a user in the directory. It is valid only together with an actor.
    UserId,
    /// A refresh token of the gateway.
    Refresh,
}

impl SubjectToken {
    /// The kind of token that identified the subject.
    pub fn kind(&self) -> SubjectKindOfToken {
        self.kind
    }

    /// The issuer's name in the configuration.
    pub fn issuer_name(&self) -> &str {
        self.issuer.name()
    }

    /// `iss`.
    pub fn issuer_url(&self) -> &str {
        self.issuer.url()
    }

    /// `sub`, as its issuer names the subject. Another issuer may use the same name for a different subject.
    pub fn sub(&self) -> &str {
        &self.sub
    }

    /// The audience for which [`Self::sub`] is a pseudonym (`subject: pairwise`), if one of the gateway's own tokens
    /// contains it. It must not be disclosed to any other audience.
    pub fn pseudonym_for(&self) -> Option<&Audience> {
        self.pseudonym_for.as_ref()
    }

    /// The configured name of the gateway in `may_act` of this issuer's tokens.
    pub fn gateway_known_as(&self) -> Option<&str> {
        self.issuer.known_as()
    }

    /// `aud`.
    pub fn audiences(&self) -> &[Audience] {
        &self.audiences
    }

    /// All claims.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// `exp`. From this second on the token is refused.
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// `iat`, if the token has it.
    pub fn issued_at(&self) -> Option<UnixTime> {
        self.issued_at
    }

    /// The scopes in the token and those that its roles grant. An empty set means no scopes, never all of them.
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// The application that the token was issued to, if the token names it.
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// The actors that already act for the subject (RFC 8693 §4.1).
    pub fn actor_chain(&self) -> &ActorChain {
        &self.actor_chain
    }

    /// The party that may act for the subject (RFC 8693 §4.4), as the issuer wrote it.
    pub fn may_act(&self) -> Option<&Value> {
        self.claims.get("may_act")
    }

    /// The lease of the key that verified the token. It is checked at every use of what was derived from the token.
    pub fn key_lease(&self) -> &KeyLease {
        &self.lease
    }

    /// Returns `true` if the token belongs to an application itself, without a user.
    pub fn is_app_only(&self) -> bool {
        self.application.is_some()
    }

    /// The mark that identifies the token as an application's own, as text for `explain`. `None` for a user's token.
    pub fn application_mark(&self) -> Option<&'static str> {
        self.application
    }

    /// The lineage: every key whose revocation ends the token.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// The actor that impersonates the subject, if a refresh token records one. The permission must be checked again.
    pub fn impersonator(&self) -> Option<&Impersonator> {
        self.impersonator.as_ref()
    }

    /// Returns the subject as logs name it.
    pub(super) fn principal(&self) -> Principal {
        Principal {
            issuer: self.issuer_name().into(),
            subject: Some(self.sub().into()),
            client_id: self.client_id().map(Into::into),
        }
    }

    /// Returns `true` if the token was issued for an impersonation.
    pub fn is_impersonated(&self) -> bool {
        self.impersonated
    }
}

impl fmt::Debug for SubjectToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubjectToken(of {}, redacted)", self.issuer_name())
    }
}
