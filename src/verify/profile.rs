//! What differs between the uses of a token.

use super::{
    OwnTokens, SubjectToken, TrustedIssuer, UserIds, VerifyError,
    subject::{self, Addressee, Proven},
};
use crate::{clock::UnixTime, telemetry::DecisionObserver};
use std::sync::Arc;

/// The use for which a token is verified.
#[derive(Debug, Clone, Copy)]
pub(super) enum Profile<'a> {
    /// It came with a request to a route.
    Route,
    /// A client presents it to the token endpoint, as a token of the declared type.
    TokenEndpoint {
        declared: Declared,
        client: ClientTerms<'a>,
    },
}

/// The token types that the token endpoint verifies.
#[derive(Debug, Clone, Copy)]
pub(super) enum Declared {
    AccessToken,
    IdToken,
}

/// What the verifier needs to know about the client that presents a token.
#[derive(Debug, Clone, Copy)]
pub struct ClientTerms<'a> {
    /// The client's id.
    pub id: &'a str,
    /// `true` if the client may exchange the gateway's own tokens.
    pub accept_own: bool,
    /// The names of the issuers whose tokens the client may present. `None` means all trusted issuers.
    pub accepts: Option<&'a [Box<str>]>,
    /// How the client and the directory name users.
    pub user_ids: UserIds,
}

impl ClientTerms<'_> {
    /// Returns `true` if the client may present tokens of the issuer with this name.
    pub fn accept(&self, issuer_name: &str) -> bool {
        self.accepts
            .is_none_or(|names| names.iter().any(|name| **name == *issuer_name))
    }
}

impl Profile<'_> {
    /// Returns `true` if tokens of the issuer with this name are accepted.
    pub(super) fn accepts(self, issuer_name: &str) -> bool {
        match self {
            Self::Route => true,
            Self::TokenEndpoint { client, .. } => client.accept(issuer_name),
        }
    }

    /// Returns `true` if the gateway's own tokens are accepted, provided that the verifier can read them.
    pub(super) fn accepts_own(self) -> bool {
        match self {
            Self::Route => true,
            Self::TokenEndpoint { client, .. } => client.accept_own,
        }
    }

    /// Returns the audience that an own token must have. At the token endpoint, the policy checks whose token it is.
    pub(super) fn addressee_of_own(self, own: &OwnTokens) -> Addressee<'_> {
        match self {
            Self::Route => Addressee::OneOf(&own.audiences),
            Self::TokenEndpoint { .. } => Addressee::Anybody,
        }
    }

    /// Checks the claims of a token whose signature was verified.
    pub(super) fn accept(
        self,
        issuer: &Arc<TrustedIssuer>,
        addressee: Addressee<'_>,
        proven: Proven<'_>,
        now: UnixTime,
        observer: &mut impl DecisionObserver,
    ) -> Result<SubjectToken, VerifyError> {
        match self {
            Self::TokenEndpoint {
                declared: Declared::IdToken,
                client,
            } => subject::accept_id_token(issuer, client.id, proven, now),
            Self::Route
            | Self::TokenEndpoint {
                declared: Declared::AccessToken,
                ..
            } => subject::accept(issuer, addressee, proven, now, observer),
        }
    }
}
