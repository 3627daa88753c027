//! The decision at the token endpoint, by a client's policy instead of a route's.

use super::{PermittedExchange, with_details};
use crate::{
    clock::UnixTime,
    own_token::Provenance,
    policy::{
        ClientPolicy, DirectRequest, PolicyError,
        direct::{self, Acting},
    },
    store::{Lineage, RevocationKey},
    token::{AccessTokenType, ActorChain, TokenFormat},
    verify::{ActorToken, FamilySubject, Impersonator},
};
use serde_json::{Map, Value};

/// The scope of a refresh token (OpenID Connect Core §11).
const OFFLINE_ACCESS: &str = "offline_access";

/// Decides on `request` with the rules of [`direct`].
pub(in crate::policy) fn permit_directly(
    client: &ClientPolicy,
    request: DirectRequest,
    now: UnixTime,
) -> Result<PermittedExchange, PolicyError> {
    client.admit_tokens(&request)?;
    if !client.admits_format(request.format) {
        return Err(PolicyError::FormatNotAllowed);
    }
    let actor = request.actor.as_ref().map(ActorToken::claims);
    let details = client
        .details
        .carried([request.subject.claims()].into_iter().chain(actor))?;
    let Acting {
        chain,
        impersonation,
    } = direct::acting(client, &request)?;
    let audiences = direct::audiences(client, &request)?;
    let scope = direct::scope(client, &request)?;
    let expires_at = request.ends_at(now.plus(client.lifetime));
    if expires_at <= now {
        return Err(PolicyError::NoLifetimeLeft);
    }
    let first = audiences
        .first()
        .ok_or(PolicyError::TargetNotAllowed)?
        .clone();
    let subject = &request.subject;
    let sub = client.naming.express(subject, &first)?;
    let provenance = Provenance {
        naming: client.naming.naming(),
        app_only: subject.is_app_only(),
        impersonated: subject.is_impersonated() || impersonation.is_some(),
    };
    Ok(PermittedExchange {
        sub,
        provenance,
        client_id: client.id().into(),
        audience: first,
        audiences: audiences.into(),
        format: request.format,
        typ: AccessTokenType::default(),
        direct: true,
        profile: direct::profile(client, &request, &scope),
        claims: with_details(direct::authentication(subject), details),
        lineage: lineage(client, &request, &chain)?,
        impersonator: impersonation.as_ref().and_then(|_| impersonator(&request)),
        scope,
        actors: chain,
        impersonation,
        expires_at,
        subject: request.subject,
    })
}

impl ClientPolicy {
    /// Removes `offline_access` from the scope of a token that is issued without a refresh token, because the scope
    /// must match what was issued.
    ///
    /// # Errors
    /// [`PolicyError::NoScopeLeft`] if no other scope was permitted.
    pub fn without_refresh_token(
        &self,
        permitted: PermittedExchange,
    ) -> Result<PermittedExchange, PolicyError> {
        let scope = permitted.scope.filtered(|scope| scope != OFFLINE_ACCESS);
        if scope.is_empty() && !direct::may_be_empty(self, permitted.format) {
            let allowed = self.scope_ceiling().clone();
            let held = permitted.scope;
            return Err(PolicyError::NoScopeLeft { allowed, held });
        }
        Ok(PermittedExchange { scope, ..permitted })
    }
}

impl DirectRequest {
    /// Returns `latest`, or the earliest expiry of the tokens if that is earlier.
    fn ends_at(&self, latest: UnixTime) -> UnixTime {
        let own = latest.min(self.subject.expires_at());
        self.actor
            .as_ref()
            .map_or(own, |actor| own.min(actor.expires_at()))
    }
}

/// Returns the lineage of the issued token: those of the tokens it is made from, the client, and each actor.
fn lineage(
    client: &ClientPolicy,
    request: &DirectRequest,
    chain: &ActorChain,
) -> Result<Lineage, PolicyError> {
    let subject = request.subject.lineage();
    let all = match &request.actor {
        None => subject.clone(),
        Some(actor) => subject.union(actor.lineage())?,
    };
    let actors = chain.iter().filter_map(|actor| {
        let iss = actor.iss.as_deref()?;
        Some(RevocationKey::actor(iss, &actor.sub))
    });
    Ok(all.with(actors.chain([RevocationKey::client(client.id())]))?)
}

fn impersonator(request: &DirectRequest) -> Option<Impersonator> {
    match &request.actor {
        Some(actor) => Some(Impersonator {
            issuer: actor.issuer_url().to_owned(),
            issuer_name: actor.issuer_name().to_owned(),
            sub: actor.sub().to_owned(),
        }),
        None => request.subject.impersonator().cloned(),
    }
}

impl PermittedExchange {
    /// Returns the record of this exchange for a family of refresh tokens: its subject, and its permissions as the
    /// upper limit for all refreshed tokens. `ends_at` is when the family expires.
    pub fn family(&self, ends_at: UnixTime) -> FamilySubject {
        let members = |claims: &Map<String, Value>| claims.clone().into_iter();
        FamilySubject {
            issuer: self.subject.issuer_url().to_owned(),
            sub: self.subject.sub().to_owned(),
            client_id: self.client_id.to_string(),
            audiences: self.audiences.iter().map(ToString::to_string).collect(),
            scope: self.scope.to_string(),
            act: self.actors.to_claim(),
            app_only: self.provenance.app_only,
            impersonated: self.provenance.impersonated,
            impersonator: self.impersonator.clone(),
            claims: members(&self.claims)
                .chain(members(&self.profile))
                .collect(),
            issued_at: self.subject.issued_at().map(UnixTime::as_secs),
            expires_at: ends_at.as_secs(),
            lineage: FamilySubject::lineage_text(&self.lineage),
        }
    }

    /// Adds the revocation key of `family`, if this token begins one, so that revoking the family also revokes this
    /// token.
    ///
    /// # Errors
    /// [`PolicyError::Lineage`].
    pub fn in_family(self, family: Option<RevocationKey>) -> Result<Self, PolicyError> {
        let lineage = self.lineage.with(family)?;
        Ok(Self { lineage, ..self })
    }

    /// Returns `true` if the result is an access token, which an API accepts.
    pub fn is_access_token(&self) -> bool {
        match self.format {
            TokenFormat::Jwt | TokenFormat::Opaque => true,
            TokenFormat::IdToken => false,
        }
    }
}
