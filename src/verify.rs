//! The verification of presented tokens: they must be genuine, current, and addressed to the gateway.
//!
//! A [`Verifier`] turns a [`PresentedToken`](crate::source::PresentedToken) into a [`SubjectToken`], which can be made only here and only after every
//! check, or into a [`VerifyError`] that names the failed check. Keys come from the issuer's configuration and are
//! looked up by (issuer, kid). Nothing in a token decides where a key comes from or which algorithm is acceptable. A
//! failure of the gateway or of the provider is [`VerifyError::KeysUnavailable`], never a verdict about the token.

mod accepted;
mod client;
pub mod directory;
mod endpoint;
mod error;
mod issuer;
mod jwt;
mod key_source;
mod key_store;
mod known_as;
mod own;
mod profile;
mod prover;
mod refetch;
mod refresh;
mod roles;
mod settings;
mod subject;
mod verifier;

pub use accepted::Accepted;
pub use client::{
    AssertionError, AssertionReuse, AssertionTerms, CertificateName, ClientAuthenticationSettings,
    ClientAuthenticator, ClientError, ClientKeys, ClientMethod, DistinguishedName,
    NotADistinguishedName, PresentedClient, ProofTerms, ProvenClient, Uses, VerifiedAssertion,
};
pub use directory::{Directory, DirectorySettings, User, UserIds};
pub use error::VerifyError;
pub use issuer::TrustedIssuer;
pub use key_store::KeyLease;
pub use known_as::KnownAsSettings;
pub use own::{Origins, OwnTokens};
pub use profile::ClientTerms;
pub use roles::{RoleGrantSettings, RoleSettings};
pub use settings::{IssuerSettings, KeysSettings};
pub use subject::{
    ActorToken, FamilySubject, Impersonator, RevocableToken, SubjectKindOfToken, SubjectToken,
    is_another_kind,
};
pub use verifier::Verifier;

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests;
