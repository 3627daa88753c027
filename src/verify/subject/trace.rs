//! The tracing of a subject of the gateway's own tokens to its original issuer.

use super::{SubjectToken, application};
use crate::{
    own_token::{Naming, Provenance},
    store::RevocationKey,
    token::Audience,
    verify::{Accepted, Origins, OwnTokens, TrustedIssuer, VerifyError},
};
use std::sync::Arc;

impl SubjectToken {
    /// Traces the subject back to its original issuer, which the route must accept: a chain does not give the users of
    /// another issuer access to the route. Afterwards the token counts as if that issuer had named the subject, so that
    /// a name is never qualified twice and a pseudonym is derived from the original name.
    ///
    /// A pseudonym cannot be traced. It stays valid only for the audience that it was made for.
    ///
    /// # Errors
    /// [`VerifyError::Origin`].
    pub(in crate::verify) fn traced(
        mut self,
        own: &OwnTokens,
        accepted: &[Accepted],
    ) -> Result<Self, VerifyError> {
        let provenance = self
            .claims
            .text("jti")
            .ok()
            .flatten()
            .and_then(Provenance::of_token_id)
            .ok_or(VerifyError::Origin)?;
        match provenance.naming {
            Naming::Same => self.issuer = sole(own, accepted)?,
            Naming::Qualified => {
                let (name, sub) = self.sub.split_once(':').ok_or(VerifyError::Origin)?;
                self.issuer = accepted
                    .iter()
                    .map(|accepted| &accepted.issuer)
                    .find(|issuer| issuer.name() == name)
                    .map(Arc::clone)
                    .ok_or(VerifyError::Origin)?;
                self.sub = sub.into();
            }
            Naming::Pairwise => self.pseudonym_for = Some(self.only_audience()?),
        }
        // the engine writes its own name if it does not know the client
        if self.client_id.as_deref() == Some(&own.actor) {
            self.client_id = None;
        }
        self.impersonated = provenance.impersonated;
        // the subject may be revoked under the name that its own issuer uses
        self.lineage = self
            .lineage
            .with([RevocationKey::subject(self.issuer.url(), &self.sub)])?;
        let mark = application::mark(&self.claims, &self.sub, self.client_id.as_deref());
        self.application = mark.or(provenance.app_only.then_some(application::RECORDED));
        Ok(self)
    }

    fn only_audience(&self) -> Result<Audience, VerifyError> {
        match self.claims.one_or_many("aud").as_deref() {
            Ok([only]) => Audience::parse(only).map_err(|_| VerifyError::Origin),
            _ => Err(VerifyError::Origin),
        }
    }
}

/// A bare name is unambiguous only if no other issuer could have written it.
fn sole(own: &OwnTokens, accepted: &[Accepted]) -> Result<Arc<TrustedIssuer>, VerifyError> {
    match (own.origins, accepted) {
        (Origins::Sole, [only]) => Ok(Arc::clone(&only.issuer)),
        _ => Err(VerifyError::Origin),
    }
}
