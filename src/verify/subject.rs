//! A token that was verified.

mod actor;
mod application;
mod family;
mod id_token;
mod kind;
mod lineage;
mod revocable;
mod rules;
mod trace;
mod vouched;

pub use actor::ActorToken;
pub use family::{FamilySubject, Impersonator};
pub(super) use id_token::accept_id_token;
pub(super) use kind::is_never_access_token;
pub use revocable::RevocableToken;
pub(super) use rules::{Addressee, Proven, accept};
pub(super) use vouched::Vouched;

use super::{KeyLease, TrustedIssuer, VerifyError};
use crate::{
    clock::UnixTime,
    store::{Lineage, Revocations},
    token::{ActorChain, Audience, Claims, ScopeSet},
};
use serde_json::Value;
use std::{fmt, sync::Arc};

/// Proof that a presented token is genuine, current and addressed to the gateway. Minted in `rules` alone, after the
/// last check.
///
/// Of a token that the gateway issued itself, issuer and subject are those that it was issued for.
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
    /// By which mark the token is an application's own.
    application: Option<&'static str>,
    impersonated: bool,
    impersonator: Option<Impersonator>,
    pseudonym_for: Option<Audience>,
    lease: KeyLease,
    lineage: Lineage,
}

/// What told who the subject is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubjectKindOfToken {
    /// An access token of a trusted issuer or of the gateway itself.
    AccessToken,
    /// An ID token of a trusted issuer.
    IdToken,
    /// A JWT that the client itself signed (RFC 8693 §3, `jwt`): it counts only together with an actor.
    SelfSigned,
    /// The id of a user in the directory: it counts only together with an actor.
    UserId,
    /// A refresh token of the gateway.
    Refresh,
}

impl SubjectToken {
    /// What told who the subject is.
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

    /// `sub`, as its issuer knows the subject; another issuer may know somebody else by that name.
    pub fn sub(&self) -> &str {
        &self.sub
    }

    /// The one audience that knows the subject by [`Self::sub`], where that is a pseudonym (`subject: pairwise`) which
    /// one of the gateway's own tokens carries; nobody else may be told it.
    pub fn pseudonym_for(&self) -> Option<&Audience> {
        self.pseudonym_for.as_ref()
    }

    /// How the issuer names the gateway in `may_act`, where the configuration says it.
    pub fn gateway_known_as(&self) -> Option<&str> {
        self.issuer.known_as()
    }

    /// `aud`: whom the token is addressed to.
    pub fn audiences(&self) -> &[Audience] {
        &self.audiences
    }

    /// All claims.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// `exp`; the token is refused from this second on.
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// `iat`, where the token says it.
    pub fn issued_at(&self) -> Option<UnixTime> {
        self.issued_at
    }

    /// The scopes that the token says and those that its roles stand for; empty where there are none, which never means
    /// all.
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// The application that the token was issued to, where the token says it.
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// Who already acts for the subject (RFC 8693 §4.1).
    pub fn actor_chain(&self) -> &ActorChain {
        &self.actor_chain
    }

    /// Who may act for the subject (RFC 8693 §4.4), as the issuer wrote it.
    pub fn may_act(&self) -> Option<&Value> {
        self.claims.get("may_act")
    }

    /// Whether the signature would still be accepted: asked again at every use of what was derived from this token.
    pub fn key_lease(&self) -> &KeyLease {
        &self.lease
    }

    /// Whether an application holds the token for itself, without a user.
    pub fn is_app_only(&self) -> bool {
        self.application.is_some()
    }

    /// By which mark the token is an application's own, in words for `explain`; `None` for a user's.
    pub fn application_mark(&self) -> Option<&'static str> {
        self.application
    }

    /// Everything whose revocation ends the token.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// Who impersonates the subject, where a refresh token says so: whether that is permitted has to be asked again.
    pub fn impersonator(&self) -> Option<&Impersonator> {
        self.impersonator.as_ref()
    }

    /// The same, unless something that it comes from is revoked.
    ///
    /// # Errors
    /// [`VerifyError::Revoked`].
    pub(super) fn unrevoked(self, revocations: &Revocations) -> Result<Self, VerifyError> {
        if revocations.ends(&self.lineage) {
            return Err(VerifyError::Revoked);
        }
        Ok(self)
    }

    /// Whether somebody got it in the subject's place by permission (an impersonation).
    pub fn is_impersonated(&self) -> bool {
        self.impersonated
    }
}

impl fmt::Debug for SubjectToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubjectToken(of {}, redacted)", self.issuer_name())
    }
}
