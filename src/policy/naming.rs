//! The `sub` of an issued token.

use super::PolicyError;
use crate::{
    jose::{HmacKey, encoding::base64url},
    own_token::Naming,
    token::Audience,
    verify::SubjectToken,
};
use std::sync::Arc;

/// How a route names the subject.
#[derive(Debug, Clone)]
pub(super) enum SubjectNaming {
    Same,
    Qualified,
    /// With the key from which pseudonyms are derived.
    Pairwise(Arc<HmacKey>),
}

impl SubjectNaming {
    pub(super) fn naming(&self) -> Naming {
        match self {
            Self::Same => Naming::Same,
            Self::Qualified => Naming::Qualified,
            Self::Pairwise(_) => Naming::Pairwise,
        }
    }

    /// Returns the `sub` of a token for `audience`: 1 to 255 ASCII characters (OpenID Connect Core §2).
    ///
    /// If the `sub` of the subject token is already a pseudonym, it is kept for its own audience. For any other
    /// audience there is no name, because a second pseudonym would identify a different person, and the first must not
    /// be disclosed.
    ///
    /// # Errors
    /// [`PolicyError::SubjectNotExpressible`].
    pub(super) fn express(
        &self,
        subject: &SubjectToken,
        audience: &Audience,
    ) -> Result<Box<str>, PolicyError> {
        let sub = match (self, subject.pseudonym_for()) {
            (Self::Pairwise(_), Some(known_to)) if known_to == audience => subject.sub().to_owned(),
            (_, Some(_)) => return Err(PolicyError::SubjectNotExpressible),
            (Self::Same, None) => subject.sub().to_owned(),
            // an issuer's name contains no colon, so two different pairs never result in the same text
            (Self::Qualified, None) => format!("{}:{}", subject.issuer_name(), subject.sub()),
            (Self::Pairwise(salt), None) => base64url(salt.of_fields(&[
                audience.as_str().as_bytes(),
                subject.issuer_url().as_bytes(),
                subject.sub().as_bytes(),
            ])),
        };
        if sub.is_empty() || sub.len() > 255 || !sub.is_ascii() {
            return Err(PolicyError::SubjectNotExpressible);
        }
        Ok(sub.into())
    }
}
