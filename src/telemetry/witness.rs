//! How a decision came about, told to whoever asks.
//!
//! What enters are the steps of a decision, told by the functions that decide, as they decide; what leaves is whatever a
//! [`Witness`] makes of it. Requests have the witness `()`, who listens to nothing and costs nothing: no fact is put
//! into words for it. Guaranteed: a witness is told and never asked, so that it changes no decision.

use super::Principal;
use crate::token::{Claims, ScopeSet};
use std::fmt::Display;

/// Is told how a decision comes about.
pub trait Witness: Clone + Send + 'static {
    /// That a step is taken now: all before it were passed, and where the decision ends in a refusal before the next one
    /// is told, this is the one that refused.
    fn begin(&mut self, _step: Step, _facts: impl FnOnce() -> Facts) {}

    /// Whom the token is about: its signature was verified. Told before the checks of what it says.
    fn proven(&mut self, _principal: impl FnOnce() -> Principal) {}

    /// What became of the scopes.
    fn scopes(&mut self, _steps: impl FnOnce() -> ScopeSteps) {}

    /// The claims of the token that was issued; none where it cannot be read.
    fn issued(&mut self, _claims: impl FnOnce() -> Option<Claims>) {}
}

/// Nobody asks.
impl Witness for () {}

/// What a step compares: never a token, and of its claims only those that the step is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// What was found; empty where there is nothing to say.
    pub found: String,
    /// What would have been, or is, right; empty where that goes without saying.
    pub wanted: String,
}

impl Facts {
    /// What was found, and what is right.
    pub fn new(found: impl Display, wanted: impl Display) -> Self {
        Self {
            found: found.to_string(),
            wanted: wanted.to_string(),
        }
    }

    /// What was found, where what is right goes without saying.
    pub fn found(found: impl Display) -> Self {
        Self::new(found, "")
    }
}

/// The sets that a scope passes on its way, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopeSteps {
    /// What the subject token grants, by its scope claim and its roles.
    pub held: ScopeSet,
    /// Names of the subject's, and what the route's map puts in their place.
    pub replaced: Vec<(String, ScopeSet)>,
    /// After the map: the downstream's names.
    pub mapped: ScopeSet,
    /// What the calling client's ceiling leaves of it.
    pub within_client: ScopeSet,
    /// The route's ceiling.
    pub allowed: ScopeSet,
    /// What is asked for: the operation's, or all that the route allows.
    pub requested: ScopeSet,
    /// Without which there is no token: what the route and the operation require, and with `excess: refuse` all that is
    /// asked for.
    pub required: ScopeSet,
}

macro_rules! steps {
    ($($(#[$doc:meta])+ $name:ident = $key:literal, $words:literal;)+) => {
        /// One step of a decision.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Step { $($(#[$doc])+ $name,)+ }

        impl Step {
            /// Every step, in the order in which they are taken.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Its stable name, for programs.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $key,)+ }
            }

            /// Its name for people.
            pub const fn words(self) -> &'static str {
                match self { $(Self::$name => $words,)+ }
            }
        }
    };
}

steps! {
    /// The token has the form of a JWS.
    Form = "form", "form";
    /// `iss` is that of an issuer which the route accepts.
    Issuer = "issuer", "issuer (iss)";
    /// `alg` is one that the issuer signs with.
    Algorithm = "algorithm", "algorithm (alg)";
    /// The issuer publishes the key that the header names.
    Key = "key", "key (kid)";
    /// The signature is that key's.
    Signature = "signature", "signature";
    /// `typ` is accepted from the issuer.
    Type = "type", "type (typ)";
    /// The payload is acceptable as claims.
    Claims = "claims", "claims";
    /// The token has not ended.
    Expiry = "expiry", "end (exp)";
    /// It has begun.
    Start = "start", "start (nbf, iat)";
    /// It lives no longer than the issuer's tokens may.
    LongestLife = "longest_life", "longest life";
    /// It is addressed to the gateway.
    Audience = "audience", "audience (aud)";
    /// It names a subject.
    Subject = "subject", "subject";
    /// It is bound to no key.
    SenderConstraint = "sender_constraint", "bound to a key (cnf)";
    /// It does not say that it is another kind of token.
    Kind = "kind", "kind of token";
    /// It has a claim that the issuer's tokens must have.
    RequiredClaim = "required_claim", "required claim";
    /// Its chain of actors can be read.
    ActorChain = "actor_chain", "earlier actors (act)";
    /// The application that it was issued to.
    Client = "client", "application";
    /// Its scope can be read.
    Scope = "scope", "scope claim";
    /// Its roles can be read.
    Roles = "roles", "roles";
    /// The subject of one of the gateway's own tokens is led back to its issuer.
    Origin = "origin", "origin of its subject";
    /// Nothing that the token comes from is revoked.
    Revocation = "revocation", "not revoked";
    /// The route admits the application.
    Caller = "caller", "caller";
    /// The route serves this kind of subject.
    SubjectKind = "subject_kind", "kind of subject";
    /// The token carries no `authorization_details`, or the route carries them over.
    AuthorizationDetails = "authorization_details", "authorization details";
    /// The application may have tokens for the route's audience.
    ClientAudience = "client_audience", "audience of caller";
    /// The request is an operation of the route.
    Operation = "operation", "operation";
    /// What is required of the scope is held.
    RequiredScope = "required_scope", "required scope";
    /// Something is left of the scope.
    ScopeLeft = "scope_left", "scope left";
    /// `may_act` names the gateway.
    MayAct = "may_act", "may_act";
    /// There are no more actors than the route allows.
    ChainDepth = "chain_depth", "number of actors";
    /// There is lifetime left.
    Lifetime = "lifetime", "lifetime";
    /// The subject can be named to the downstream.
    SubjectForm = "subject_form", "subject's new name";
    /// The exchanger makes a token.
    Exchange = "exchange", "exchange";
    /// The token is no wider than was permitted.
    Accept = "accept", "compared again";
}
