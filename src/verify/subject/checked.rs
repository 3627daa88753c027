//! The last step of the rules: from the checked claims of a signed token to the subject token.

use super::{SubjectKindOfToken, SubjectToken, application, lineage::Ancestry, proven::Proof};
use crate::{
    clock::UnixTime,
    token::{ActorChain, Audience, Claims, ScopeSet},
    verify::{TrustedIssuer, VerifyError},
};
use std::sync::Arc;

/// The claims of a token of `issuer`, which its rules accept, and the values that the rules read from them.
pub(super) struct Checked<'a> {
    pub(super) issuer: &'a Arc<TrustedIssuer>,
    pub(super) kind: SubjectKindOfToken,
    pub(super) claims: Claims,
    pub(super) sub: Box<str>,
    pub(super) expires_at: UnixTime,
    pub(super) issued_at: Option<UnixTime>,
    pub(super) client_id: Option<Box<str>>,
    pub(super) actor_chain: ActorChain,
}

impl Checked<'_> {
    /// Makes the subject token. `grants` reads its audiences and scopes.
    ///
    /// # Errors
    /// The error of `grants`, or [`VerifyError`] if the lineage would be too long.
    pub(super) fn accept(
        self,
        proof: Proof<'_>,
        grants: impl FnOnce(&Claims) -> Result<(Box<[Audience]>, ScopeSet), VerifyError>,
    ) -> Result<SubjectToken, VerifyError> {
        let lineage = Ancestry {
            iss: self.issuer.url(),
            claims: &self.claims,
            sub: &self.sub,
            client_id: self.client_id.as_deref(),
            actors: &self.actor_chain,
            kid: proof.kid.as_deref(),
        };
        let lineage = lineage.of(proof.token, self.issued_at, proof.made_from.as_ref())?;
        let (audiences, scopes) = grants(&self.claims)?;
        let client_id = self.client_id.as_deref();
        Ok(SubjectToken {
            lineage,
            kind: self.kind,
            issuer: Arc::clone(self.issuer),
            audiences,
            scopes,
            application: application::of_issuer(self.issuer, &self.claims, &self.sub, client_id),
            claims: self.claims,
            sub: self.sub,
            expires_at: self.expires_at,
            issued_at: self.issued_at,
            client_id: self.client_id,
            actor_chain: self.actor_chain,
            impersonated: false,
            impersonator: None,
            pseudonym_for: None,
            lease: proof.lease,
        })
    }
}
