//! Observation of how a decision is made, for `explain`.
//!
//! The functions that decide report their steps to a [`DecisionObserver`] while they decide. Requests use the observer `()`,
//! which does nothing and costs nothing: no description is built for it. An observer only receives reports and
//! returns nothing, so that it cannot change a decision.

use super::Principal;
use crate::token::{Claims, ScopeSet};
use std::fmt::Display;

/// Observes how a decision is made.
pub trait DecisionObserver: Clone + Send + 'static {
    /// A step begins. All steps before it were passed. If the decision is a refusal and no further step begins, this
    /// step refused.
    fn begin(&mut self, _step: DecisionStep, _facts: impl FnOnce() -> Facts) {}

    /// The signature was verified, and this is the subject of the token. Called before the checks of its claims.
    fn proven(&mut self, _principal: impl FnOnce() -> Principal) {}

    /// The scopes were computed.
    fn scopes(&mut self, _steps: impl FnOnce() -> ScopeSteps) {}

    /// A token with these claims was issued. `None` if they cannot be read.
    fn issued(&mut self, _claims: impl FnOnce() -> Option<Claims>) {}
}

/// The observer of ordinary requests, which ignores everything.
impl DecisionObserver for () {}

/// The values that a step compares. They never contain a token, and only the claims that the step is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The actual value. Empty if there is nothing to show.
    pub found: String,
    /// The expected value. Empty if it is obvious.
    pub wanted: String,
}

impl Facts {
    /// Creates facts with an actual and an expected value.
    pub fn new(found: impl Display, wanted: impl Display) -> Self {
        Self {
            found: found.to_string(),
            wanted: wanted.to_string(),
        }
    }

    /// Creates facts with only an actual value.
    pub fn found(found: impl Display) -> Self {
        Self::new(found, "")
    }
}

/// The scope sets of a decision, in the order in which they are computed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopeSteps {
    /// The scopes of the subject token, from its scope claim and its roles.
    pub held: ScopeSet,
    /// The names in the subject token that the route's map replaces, with their replacements.
    pub replaced: Vec<(String, ScopeSet)>,
    /// The scopes after the map, in the upstream's names.
    pub mapped: ScopeSet,
    /// The scopes after the calling client's ceiling.
    pub within_client: ScopeSet,
    /// The route's ceiling.
    pub allowed: ScopeSet,
    /// The requested scopes: those of the operation, or all that the route allows.
    pub requested: ScopeSet,
    /// The scopes that are required: those that the route and the operation require, and with `excess: refuse` all
    /// requested ones.
    pub required: ScopeSet,
}

macro_rules! steps {
    ($($(#[$doc:meta])+ $name:ident = $key:literal, $words:literal;)+) => {
        /// One step of a decision.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum DecisionStep { $($(#[$doc])+ $name,)+ }

        impl DecisionStep {
            /// All steps, in the order in which they are taken.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable name, for programs.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $key,)+ }
            }

            /// The name for people.
            pub const fn words(self) -> &'static str {
                match self { $(Self::$name => $words,)+ }
            }
        }
    };
}

steps! {
    /// The token has the form of a JWS.
    Form = "form", "form";
    /// `iss` is an issuer that the route accepts.
    Issuer = "issuer", "issuer (iss)";
    /// `alg` is accepted for the issuer.
    Algorithm = "algorithm", "algorithm (alg)";
    /// The issuer publishes the key that the header names.
    Key = "key", "key (kid)";
    /// The signature verifies with that key.
    Signature = "signature", "signature";
    /// `typ` is accepted from the issuer.
    Type = "type", "type (typ)";
    /// The payload is acceptable as claims.
    Claims = "claims", "claims";
    /// The token has not expired.
    Expiry = "expiry", "expiry (exp)";
    /// The token is already valid.
    Start = "start", "start (nbf, iat)";
    /// The lifetime does not exceed the issuer's maximum.
    LongestLife = "longest_life", "maximum lifetime";
    /// The token is addressed to the gateway.
    Audience = "audience", "audience (aud)";
    /// The token names a subject.
    Subject = "subject", "subject";
    /// The token is not bound to a key.
    SenderConstraint = "sender_constraint", "bound to a key (cnf)";
    /// The token does not claim to be of another kind.
    Kind = "kind", "kind of token";
    /// The token has a claim that is required of the issuer's tokens.
    RequiredClaim = "required_claim", "required claim";
    /// The chain of actors can be parsed.
    ActorChain = "actor_chain", "earlier actors (act)";
    /// The application that the token was issued to can be determined.
    Client = "client", "application";
    /// The scope can be parsed.
    Scope = "scope", "scope claim";
    /// The roles can be parsed.
    Roles = "roles", "roles";
    /// The subject of one of the gateway's own tokens is traced to its issuer.
    Origin = "origin", "origin of its subject";
    /// Nothing in the lineage of the token is revoked.
    Revocation = "revocation", "not revoked";
    /// The route admits the application.
    Caller = "caller", "caller";
    /// The route serves this kind of subject.
    SubjectKind = "subject_kind", "kind of subject";
    /// The token has no `authorization_details`, or the route copies them.
    AuthorizationDetails = "authorization_details", "authorization details";
    /// The application may get tokens for the route's audience.
    ClientAudience = "client_audience", "audience of caller";
    /// The request matches an operation of the route.
    Operation = "operation", "operation";
    /// The token has the required scopes.
    RequiredScope = "required_scope", "required scope";
    /// Scopes are left.
    ScopeLeft = "scope_left", "remaining scope";
    /// `may_act` names the gateway.
    MayAct = "may_act", "may_act";
    /// There are no more actors than the route allows.
    ChainDepth = "chain_depth", "number of actors";
    /// Lifetime is left.
    Lifetime = "lifetime", "lifetime";
    /// The subject can be named to the upstream.
    SubjectForm = "subject_form", "issued subject";
    /// The exchanger issues a token.
    Exchange = "exchange", "exchange";
    /// The issued token grants no more than was permitted.
    Accept = "accept", "result check";
}
