//! The rules of the token endpoint: what a client may make of verified tokens, without a route.
//!
//! What enters is a [`DirectRequest`]; what leaves, through [`ClientPolicy::permit`], is the same
//! [`PermittedExchange`](super::PermittedExchange) that a route's policy gives, whose every field is at most what the
//! tokens held and what the client may have. The rules stand one a file, each a pure function of its own.

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

/// What a client asks the token endpoint for.
#[derive(Debug)]
pub struct DirectRequest {
    /// For whom: `subject_token`.
    pub subject: SubjectToken,
    /// Who acts: `actor_token`.
    pub actor: Option<ActorToken>,
    /// The audiences that it names.
    pub audience: Vec<Audience>,
    /// The resources that it names (RFC 8707): absolute URIs.
    pub resource: Vec<String>,
    /// The scope that it names; none where the parameter is absent.
    pub scope: Option<RequestedScope>,
    /// The form that it gets.
    pub format: TokenFormat,
}

impl ClientPolicy {
    /// Decides on `request` of this client at the moment `now`.
    ///
    /// # Errors
    /// The first rule that refuses, in this order: whose tokens, format, authorization details, delegation, audience,
    /// scope, lifetime, subject.
    pub fn permit(
        &self,
        request: DirectRequest,
        now: UnixTime,
    ) -> Result<PermittedExchange, PolicyError> {
        permit::permit_directly(self, request, now)
    }

    /// A client exchanges tokens that were issued or addressed to it, and others' where the configuration says so: a
    /// leaked token is of no use to whoever can merely authenticate.
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
                // whose it is cannot be said
                None => self.subjects_of == super::Names::Any,
            }
    }

    /// The user as the directory names it.
    pub(super) fn user_id(&self, issuer_name: &str, sub: &str) -> String {
        self.terms().user_ids.id(issuer_name, sub)
    }
}
