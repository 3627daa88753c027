//! The subject of a family of refresh tokens: the part of a subject token that is kept after the token has expired.

use super::{SubjectKindOfToken, SubjectToken, application};
use crate::{
    clock::UnixTime,
    jose::encoding::{base64url, from_base64url},
    store::Lineage,
    token::{ActorChain, Audience, Claims, ScopeSet},
    verify::{KeyLease, TrustedIssuer, VerifyError},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{fmt, sync::Arc};

/// The recorded subject of a family of refresh tokens, and the most that its tokens can be exchanged for. Records come
/// from the gateway's own file or from a store with sealed entries, and are only made from permitted exchanges.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FamilySubject {
    /// `iss` of the issuer that knows the subject.
    pub issuer: String,
    /// `sub` at that issuer.
    pub sub: String,
    /// The client that the family belongs to.
    pub client_id: String,
    /// The granted audiences.
    pub audiences: Vec<String>,
    /// The granted scope, separated by spaces.
    pub scope: String,
    /// The granted actors, as an `act` claim.
    pub act: Option<Value>,
    /// `true` if the subject token was an application's own.
    pub app_only: bool,
    /// `true` if the subject token or the exchange itself was an impersonation.
    pub impersonated: bool,
    /// The impersonating actor, if the exchange was an impersonation.
    pub impersonator: Option<Impersonator>,
    /// The claims about the subject: how it authenticated, and its profile.
    pub claims: Map<String, Value>,
    /// When the subject token was issued, in seconds since 1970.
    pub issued_at: Option<i64>,
    /// When the family expires, in seconds since 1970.
    pub expires_at: i64,
    /// The lineage of the family, as base64url.
    pub lineage: String,
}

/// An actor that impersonates a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Impersonator {
    /// `iss` of the issuer that knows the actor.
    pub issuer: String,
    /// The issuer's name in the configuration when the impersonation was permitted.
    pub issuer_name: String,
    /// `sub` at that issuer.
    pub sub: String,
}

impl FamilySubject {
    /// Encodes a lineage for a record.
    pub fn lineage_text(lineage: &Lineage) -> String {
        base64url(lineage.to_bytes())
    }

    /// Returns the subject. The caller has checked that its `issuer` is still trusted.
    ///
    /// # Errors
    /// [`VerifyError::Expired`] after the end of the family. [`VerifyError::Claims`] and others if the record is not
    /// valid.
    pub(in crate::verify) fn subject(
        self,
        issuer: Arc<TrustedIssuer>,
        now: UnixTime,
    ) -> Result<SubjectToken, VerifyError> {
        let expires_at = UnixTime::from_secs(self.expires_at);
        if now >= expires_at {
            return Err(VerifyError::Expired);
        }
        let audiences: Result<_, _> = self.audiences.iter().map(|a| Audience::parse(a)).collect();
        let actor_chain = match &self.act {
            None => ActorChain::none(),
            Some(act) => ActorChain::parse(act).map_err(VerifyError::ActorChain)?,
        };
        let lineage = from_base64url(self.lineage.as_bytes())
            .and_then(|bytes| Lineage::from_bytes(&bytes))
            .ok_or(VerifyError::Origin)?;
        Ok(SubjectToken {
            kind: SubjectKindOfToken::Refresh,
            issuer,
            claims: Claims::from(self.claims),
            audiences: audiences.map_err(|_| VerifyError::Audience)?,
            sub: self.sub.into(),
            expires_at,
            issued_at: self.issued_at.map(UnixTime::from_secs),
            scopes: ScopeSet::parse(&self.scope).map_err(|_| VerifyError::Scope)?,
            client_id: Some(self.client_id.into()),
            actor_chain,
            application: self.app_only.then_some(application::RECORDED),
            impersonated: self.impersonated,
            impersonator: self.impersonator,
            pseudonym_for: None,
            lease: KeyLease::of_record(),
            lineage,
        })
    }
}

/// Records of users are personal data, so that `Debug` redacts them.
impl fmt::Debug for FamilySubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FamilySubject(redacted)")
    }
}
