//! Where the subject of one of the gateway's own tokens comes from.

use super::{SubjectToken, application};
use crate::{
    store::RevocationKey,
    token::{Audience, Naming, Provenance},
    verify::{Accepted, Origins, OwnTokens, TrustedIssuer, VerifyError},
};
use std::sync::Arc;

impl SubjectToken {
    /// Leads the subject back to the issuer that knows it, which has to be one that the route accepts: a chain opens no
    /// route to the users of another issuer. From here on the token counts as if that issuer had named the subject, so
    /// a name is never qualified twice and a pseudonym is made of the name itself.
    ///
    /// A pseudonym leads nowhere: it stays what it is, for the audience it was made for.
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
        // the engine writes its own name where it knows no client
        if self.client_id.as_deref() == Some(&own.actor) {
            self.client_id = None;
        }
        self.impersonated = provenance.impersonated;
        // revoked may be the subject as its own issuer knows it
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

/// A bare name says who is meant only where no other issuer could have written it.
fn sole(own: &OwnTokens, accepted: &[Accepted]) -> Result<Arc<TrustedIssuer>, VerifyError> {
    match (own.origins, accepted) {
        (Origins::Sole, [only]) => Ok(Arc::clone(&only.issuer)),
        _ => Err(VerifyError::Origin),
    }
}
