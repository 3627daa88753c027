//! Subjects without an issuer's token: a user whom a client names in a JWT that it signed itself, or by the plain id.
//! Such a subject is valid only together with an actor, expires with the actor's token at the latest, and has no
//! scopes.

use super::{ActorToken, SubjectKindOfToken, SubjectToken};
use crate::{
    clock::UnixTime,
    store::{Lineage, RevocationKey},
    token::{ActorChain, Claims, ScopeSet},
    verify::{TrustedIssuer, VerifyError},
};
use serde_json::{Map, Value};
use std::sync::Arc;

/// The user whom a client names, and until when that is valid.
pub(in crate::verify) struct Vouched<'a> {
    /// The issuer that knows the user.
    pub(in crate::verify) issuer: Arc<TrustedIssuer>,
    /// The user's name at that issuer.
    pub(in crate::verify) sub: Box<str>,
    /// The client that names the user.
    pub(in crate::verify) client_id: &'a str,
    /// The key that revokes the JWT in which the client names the user.
    pub(in crate::verify) by: Option<RevocationKey>,
    pub(in crate::verify) issued_at: Option<UnixTime>,
    pub(in crate::verify) expires_at: UnixTime,
    /// The `authorization_details` (RFC 9396) of the JWT, unmodified.
    pub(in crate::verify) authorization_details: Option<Value>,
}

impl Vouched<'_> {
    /// Returns the subject, for `actor` and for no longer than its token is valid. The client's own claims about the
    /// user are ignored: scope, authentication and `may_act`. Its restrictions are kept for the policy.
    ///
    /// # Errors
    /// [`VerifyError::Lineage`].
    pub(in crate::verify) fn together_with(
        self,
        actor: &ActorToken,
        kind: SubjectKindOfToken,
    ) -> Result<SubjectToken, VerifyError> {
        let keys = [
            Some(RevocationKey::subject(self.issuer.url(), &self.sub)),
            Some(RevocationKey::client(self.client_id)),
            self.by,
        ];
        let since = match self.by {
            Some(_) => self.issued_at.unwrap_or(UnixTime::from_secs(0)),
            None => actor.lineage().since(),
        };
        let restricted = self.authorization_details.into_iter();
        let restricted = restricted.map(|details| ("authorization_details".to_owned(), details));
        Ok(SubjectToken {
            lineage: Lineage::new(keys.into_iter().flatten(), since)?,
            kind,
            issuer: self.issuer,
            claims: Claims::from(restricted.collect::<Map<_, _>>()),
            audiences: Box::default(),
            sub: self.sub,
            expires_at: self.expires_at.min(actor.expires_at()),
            issued_at: self.issued_at,
            scopes: ScopeSet::empty(),
            client_id: Some(self.client_id.into()),
            actor_chain: ActorChain::none(),
            application: None,
            impersonated: false,
            impersonator: None,
            pseudonym_for: None,
            lease: actor.key_lease().clone(),
        })
    }
}
