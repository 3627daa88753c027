//! The subject of a family of refresh tokens: what is left of a subject token when it has ended.

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

/// What a record says about whom its refresh tokens are for, and the most that they give. It is read from a store that
/// seals what it keeps or is the gateway's own file; whoever writes one made it of a permitted exchange.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FamilySubject {
    /// `iss` of the issuer that knows the subject.
    pub issuer: String,
    /// `sub` there.
    pub sub: String,
    /// The client that the family belongs to.
    pub client_id: String,
    /// The audiences that were granted.
    pub audiences: Vec<String>,
    /// The scope that was granted, with spaces between its members.
    pub scope: String,
    /// The actors that were granted, as the `act` claim.
    pub act: Option<Value>,
    /// Whether the subject token was an application's own.
    pub app_only: bool,
    /// Whether the subject token or the exchange itself was an impersonation.
    pub impersonated: bool,
    /// Who impersonates, where the exchange was an impersonation.
    pub impersonator: Option<Impersonator>,
    /// What was known about the subject: how it authenticated, and its profile.
    pub claims: Map<String, Value>,
    /// When the subject token was issued, in seconds.
    pub issued_at: Option<i64>,
    /// The family's absolute end, in seconds.
    pub expires_at: i64,
    /// Everything whose revocation ends the family, as base64url.
    pub lineage: String,
}

/// Who impersonates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Impersonator {
    /// `iss` of the issuer that knows the actor.
    pub issuer: String,
    /// Its name in the configuration when the impersonation was permitted.
    pub issuer_name: String,
    /// `sub` there.
    pub sub: String,
}

impl FamilySubject {
    /// The text of a lineage in a record.
    pub fn lineage_text(lineage: &Lineage) -> String {
        base64url(lineage.to_bytes())
    }

    /// The subject, of an `issuer` that is trusted still.
    ///
    /// # Errors
    /// [`VerifyError::Expired`] past the family's end, and [`VerifyError::Claims`] and others where the record does not
    /// hold what a family has.
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

/// What is kept about people is personal data.
impl fmt::Debug for FamilySubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FamilySubject(redacted)")
    }
}
