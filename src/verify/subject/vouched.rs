//! Subjects that no issuer vouches for: a user whom a client names in a JWT of its own, or by the plain id. Such a subject
//! counts only together with an actor, lives no longer than the actor's token, and holds nothing.

use super::{ActorToken, SubjectKindOfToken, SubjectToken};
use crate::{
    clock::UnixTime,
    store::{Lineage, RevocationKey},
    token::{ActorChain, Claims, ScopeSet},
    verify::{TrustedIssuer, VerifyError},
};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Whom somebody names, and until when that counts.
pub(in crate::verify) struct Vouched<'a> {
    /// The issuer that knows the user.
    pub(in crate::verify) issuer: Arc<TrustedIssuer>,
    /// The user as that issuer knows it.
    pub(in crate::verify) sub: Box<str>,
    /// The client that names the user.
    pub(in crate::verify) client_id: &'a str,
    /// What ends the naming itself, besides the client: the JWT.
    pub(in crate::verify) by: Option<RevocationKey>,
    pub(in crate::verify) issued_at: Option<UnixTime>,
    pub(in crate::verify) expires_at: UnixTime,
    /// By what the naming is restricted (RFC 9396), as it was written.
    pub(in crate::verify) authorization_details: Option<Value>,
}

impl Vouched<'_> {
    /// The subject, for `actor` and for no longer than its token lives. Nothing that the client itself says of the user
    /// is believed: no scope, no authentication, no `may_act`. What it restricts stays for the policy to see.
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
