//! The rules that decide what a verified token may be exchanged for. They are pure: no I/O, and the caller passes the
//! time.
//!
//! A policy turns an [`ExchangeRequest`], made from a [`SubjectToken`](crate::verify::SubjectToken), into a
//! [`PermittedExchange`], which can be made only here. Each of its fields is at most what the subject token has and what the route allows. Every exchanger must
//! stay within it.

mod authorization_details;
mod claims;
mod client;
mod delegation;
mod direct;
mod error;
mod exchange_policy;
mod lifetime;
mod naming;
mod observed;
mod operation;
mod permit;
mod requested;
mod scope;
mod scope_map;
mod settings;

pub use authorization_details::{AUTHORIZATION_DETAILS, DetailsRule};
pub use claims::{ClaimPolicy, ClaimSettings};
pub use client::{
    AudienceRule, ClientCeilings, ClientChainSettings, ClientParts, ClientPolicy,
    ClientScopeSettings, ClientSettings, ClientSubject, Clients, Grant, ImpersonatedSubject,
    ImpersonationSettings, Names, RefreshSettings, RefreshTerms, ResourceSettings,
};
pub use delegation::{GatewayIdentity, OutgoingActor};
pub use direct::DirectRequest;
pub use error::PolicyError;
pub use exchange_policy::{ExchangePolicy, SubjectKinds};
pub use operation::{Operation, OperationId, OperationSettings, Operations};
pub use permit::{ExchangeRequest, Impersonation, PermittedExchange};
pub use requested::{MY_SCOPES, RequestedScope, ScopeRule};
pub use scope::{Excess, ScopePolicy, ScopeSettings};
pub use settings::{
    AcceptSettings, AccessTokenForm, ActorSettings, ChainSettings, ExchangeSettings, PolicyParts,
    Salt, SubjectForm, TokenSettings,
};
