//! The rules of the token endpoint: what a client may exchange verified tokens for, without a route.
//!
//! [`ClientPolicy::permit`] turns a [`DirectRequest`] into the same [`PermittedExchange`](super::PermittedExchange) as
//! a route's policy. Each of its fields is at most what the tokens have and what the client may get. Each rule is a
//! pure function in a file of its own.

mod actors;
mod audience;
mod profile;
mod scope;

pub(super) use actors::{Acting, acting};
pub(super) use audience::audiences;
pub(super) use profile::{authentication, profile};
pub(super) use scope::{may_be_empty, scope};

use super::{ClientPolicy, PermittedExchange, PolicyError, RequestedScope, permit};
use crate::{
    clock::UnixTime,
    token::{Audience, TokenFormat},
    verify::{ActorToken, SubjectKindOfToken, SubjectToken},
};

/// A client's request to the token endpoint.
#[derive(Debug)]
pub struct DirectRequest {
    /// The subject: `subject_token`.
    pub subject: SubjectToken,
    /// The actor: `actor_token`.
    pub actor: Option<ActorToken>,
    /// The requested audiences.
    pub audience: Vec<Audience>,
    /// The requested resources (RFC 8707): absolute URIs.
    pub resource: Vec<String>,
    /// The requested scope. `None` if the parameter is missing.
    pub scope: Option<RequestedScope>,
    /// The requested token format.
    pub format: TokenFormat,
}

impl ClientPolicy {
    /// Decides on `request` of this client at the time `now`.
    ///
    /// # Errors
    /// The first rule that refuses, in this order: owner of the tokens, format, authorization details, delegation,
    /// audience, scope, lifetime, subject.
    pub fn permit(
        &self,
        request: DirectRequest,
        now: UnixTime,
    ) -> Result<PermittedExchange, PolicyError> {
        permit::permit_directly(self, request, now)
    }

    /// Requires that the tokens were issued or addressed to this client, or to a client in `subjects_of`. A leaked
    /// token is therefore useless to other authenticated clients.
    pub(super) fn admit_tokens(&self, request: &DirectRequest) -> Result<(), PolicyError> {
        let subject = &request.subject;
        let own_subject = match subject.kind() {
            // the client itself names the user
            SubjectKindOfToken::SelfSigned | SubjectKindOfToken::UserId => true,
            // a family belongs to one client
            SubjectKindOfToken::Refresh => subject.client_id() == Some(self.id()),
            SubjectKindOfToken::AccessToken | SubjectKindOfToken::IdToken => {
                self.is_own(subject.client_id(), subject.audiences())
            }
        };
        let actor = request.actor.as_ref();
        let own_actor = actor.is_none_or(|a| self.is_own(a.client_id(), a.audiences()));
        if own_subject && own_actor {
            Ok(())
        } else {
            Err(PolicyError::NotThisClientsToken)
        }
    }

    fn is_own(&self, issued_to: Option<&str>, addressed_to: &[Audience]) -> bool {
        issued_to == Some(self.id())
            || addressed_to
                .iter()
                .any(|audience| audience.as_str() == self.id())
            || match issued_to {
                Some(client) => self.subjects_of.include(client),
                // the owner is unknown
                None => self.subjects_of == super::Names::Any,
            }
    }

    /// Returns the directory's id of the user.
    pub(super) fn user_id(&self, issuer_name: &str, sub: &str) -> String {
        self.terms().user_ids.id(issuer_name, sub)
    }
}
