//! The `sub` of an issued token.

use super::PolicyError;
use crate::{
    jose::{HmacKey, encoding::base64url},
    token::{Audience, Naming},
    verify::SubjectToken,
};
use std::sync::Arc;

/// How a route names the subject.
#[derive(Debug, Clone)]
pub(super) enum SubjectNaming {
    Same,
    Qualified,
    /// With the salt that makes the pseudonyms.
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

    /// The `sub` of a token for `audience`: 1 to 255 ASCII characters (OpenID Connect Core §2).
    ///
    /// A subject token whose `sub` is a pseudonym already keeps it for the audience that knows it; for any other there
    /// is no name: a second pseudonym would be another person, and the first is not for everybody.
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
            // an issuer's name holds no colon, so no two pairs give one text
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
