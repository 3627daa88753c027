//! The verification of tokens that are sent to the token service (RFC 8693 §2.1): subject and actor tokens, each
//! checked against its declared type.
//!
//! All trusted issuers are accepted here, and the gateway itself for a client that may exchange the gateway's own
//! tokens. The policy decides later whose token the client may present and what it may be exchanged for.

use super::{
    Accepted, ActorToken, AssertionError, AssertionTerms, ClientKeys, ClientTerms, FamilySubject,
    Origins, OwnTokens, RevocableToken, SubjectKindOfToken, SubjectToken, TrustedIssuer, UserIds,
    Uses, Verifier, VerifyError,
    profile::{Declared, Profile},
    subject::Vouched,
};
use crate::{
    jose::UnverifiedJws,
    own_token::{OwnTokenReader, TokenSeal},
    source::PresentedToken,
    store::{OnceOnly, RevocationKey},
    token::{RawToken, TokenTypeUri},
};
use std::sync::Arc;

impl Verifier {
    /// Also accepts the gateway's own tokens from clients that may present them. `issuer` is made by
    /// [`TrustedIssuer::own`], `actor` is `issuer.actor`, and `reader` opens sealed tokens.
    #[must_use]
    pub fn accepting_own(
        mut self,
        issuer: Arc<TrustedIssuer>,
        actor: &str,
        reader: Arc<OwnTokenReader>,
    ) -> Self {
        let origins = match self.accepted.len() {
            1 => Origins::Sole,
            _ => Origins::Several,
        };
        let own = OwnTokens::addressed_to(issuer, Vec::new(), actor, origins);
        self.own = Some(own.read_by(reader));
        self
    }

    /// Verifies a subject token that was `declared` an access token, an ID token or a JWT (RFC 8693 §3). A JWT is an
    /// access token that is not opaque.
    ///
    /// Waits only if the token names an unknown key, and then at most 5 s.
    ///
    /// # Errors
    /// [`VerifyError`]: the first check that failed. [`VerifyError::NotTaken`] for every other declared type.
    pub async fn subject(
        &self,
        presented: &PresentedToken,
        declared: TokenTypeUri,
        by: ClientTerms<'_>,
    ) -> Result<SubjectToken, VerifyError> {
        let kind = match declared {
            TokenTypeUri::AccessToken => Declared::AccessToken,
            TokenTypeUri::IdToken => Declared::IdToken,
            TokenTypeUri::Jwt if !TokenSeal::is_opaque(presented.token()) => Declared::AccessToken,
            TokenTypeUri::Jwt
            | TokenTypeUri::RefreshToken
            | TokenTypeUri::Saml1
            | TokenTypeUri::Saml2
            | TokenTypeUri::UserId => return Err(VerifyError::NotTaken),
        };
        let profile = Profile::TokenEndpoint {
            declared: kind,
            client: by,
        };
        self.verify_as(profile, presented.token(), &mut ()).await
    }

    /// Verifies an actor token that was `declared` an access token or an ID token.
    ///
    /// # Errors
    /// Those of [`Self::subject`], and [`VerifyError::Impersonated`] for a token that was issued for an impersonation.
    pub async fn actor(
        &self,
        presented: &PresentedToken,
        declared: TokenTypeUri,
        by: ClientTerms<'_>,
    ) -> Result<ActorToken, VerifyError> {
        let actor = ActorToken::of(self.subject(presented, declared, by).await?)?;
        // what it was issued for was checked; now also the actor that it names
        actor.lineage().ensure_active(&self.revocations)?;
        Ok(actor)
    }

    /// Returns the directory user with this `id` as a subject, for `actor` and until the actor's token expires.
    ///
    /// # Errors
    /// [`VerifyError::UserUnknown`] if there is no directory, the user is not in it, or the issuer that the id names is
    /// not trusted.
    pub fn user(
        &self,
        id: &str,
        by: ClientTerms<'_>,
        actor: &ActorToken,
    ) -> Result<SubjectToken, VerifyError> {
        let directory = self.directory.as_ref().ok_or(VerifyError::UserUnknown)?;
        let (issuer, sub) = self.known_as(id, by)?;
        let listed = directory.user(&by.user_ids.id(issuer.name(), sub));
        listed.ok_or(VerifyError::UserUnknown)?;
        let vouched = Vouched {
            issuer,
            sub: sub.into(),
            client_id: by.id,
            by: None,
            issued_at: None,
            expires_at: actor.expires_at(),
            authorization_details: None,
        };
        let subject = vouched.together_with(actor, SubjectKindOfToken::UserId)?;
        self.unrevoked(subject, &mut ())
    }

    /// Returns the user whom the client names in a JWT that it signed itself (RFC 8693 §3, `jwt`), for `actor` and
    /// until the actor's token expires. `sub` names the user as in the directory. `jti` is optional. If present, it can
    /// be used once.
    ///
    /// Waits only if the token names an unknown key, and then at most 5 s.
    ///
    /// # Errors
    /// [`VerifyError::Assertion`], and those of [`Self::user`]. The user does not have to be in the directory.
    pub async fn self_signed(
        &self,
        presented: &PresentedToken,
        keys: &ClientKeys,
        once: &OnceOnly,
        by: ClientTerms<'_>,
        actor: &ActorToken,
    ) -> Result<SubjectToken, VerifyError> {
        let audiences = [self.own_issuer.clone()];
        let terms = AssertionTerms {
            issuer: by.id,
            subject: None,
            audiences: &audiences,
            typ: &["jwt"],
            uses: Uses::Once,
        };
        let token = presented.token();
        let now = self.clock.now();
        let verified = match keys.verify_assertion(token, &terms, once, now).await {
            Ok(verified) => verified,
            Err(AssertionError::Unavailable) => {
                let issuer = by.id.into();
                return Err(VerifyError::KeysUnavailable { issuer });
            }
            Err(error) => return Err(VerifyError::Assertion(error)),
        };
        if verified.claims().get("cnf").is_some() {
            return Err(VerifyError::SenderConstrained);
        }
        let (issuer, sub) = self.known_as(verified.sub(), by)?;
        let vouched = Vouched {
            issuer,
            sub: sub.into(),
            client_id: by.id,
            by: Some(RevocationKey::token_bytes(token)),
            issued_at: verified.issued_at(),
            expires_at: verified.expires_at(),
            authorization_details: verified.claims().get("authorization_details").cloned(),
        };
        let subject = vouched.together_with(actor, SubjectKindOfToken::SelfSigned)?;
        self.unrevoked(subject, &mut ())
    }

    /// Returns the subject of a family of refresh tokens from the gateway's own record.
    ///
    /// # Errors
    /// [`VerifyError::UnknownIssuer`] if the subject's issuer is no longer trusted or not accepted for the client,
    /// [`VerifyError::Expired`] after the end of the family, [`VerifyError::Revoked`], and others if the record is not
    /// valid.
    pub fn family(
        &self,
        family: FamilySubject,
        by: ClientTerms<'_>,
    ) -> Result<SubjectToken, VerifyError> {
        // a family is made for an access token
        let profile = Profile::TokenEndpoint {
            declared: Declared::AccessToken,
            client: by,
        };
        let issuer = Arc::clone(&self.accepted(&family.issuer, profile)?.issuer);
        self.unrevoked(family.subject(issuer, self.clock.now())?, &mut ())
    }

    /// Verifies a token of a trusted issuer that is to be revoked: its signature, and that it has not expired.
    ///
    /// Waits only if the token names an unknown key, and then at most 5 s.
    ///
    /// # Errors
    /// [`VerifyError`]: the first check that failed. A token with any error except [`VerifyError::KeysUnavailable`] is
    /// not accepted anywhere.
    pub async fn revocable(&self, token: &RawToken) -> Result<RevocableToken, VerifyError> {
        let jws = UnverifiedJws::parse(token).map_err(VerifyError::Malformed)?;
        let claimed = jws.claimed_issuer().map_err(VerifyError::Malformed)?;
        let issuer = &self.trusted(claimed)?.issuer;
        let proven = issuer.prove(token, jws, &mut ()).await?;
        RevocableToken::of(issuer, proven, self.clock.now())
    }

    /// Returns the issuer of the user whom the client calls `id`, and the user's name at that issuer. If ids are
    /// qualified, a client that accepts only one issuer may omit the issuer's name.
    fn known_as<'a>(
        &self,
        id: &'a str,
        by: ClientTerms<'_>,
    ) -> Result<(Arc<TrustedIssuer>, &'a str), VerifyError> {
        let mut accepted = self.accepted_of(by);
        let sole = match (accepted.next(), accepted.next()) {
            (Some(only), None) => Some(only),
            (Some(_), Some(_)) | (None, _) => None,
        };
        // an issuer's name contains no colon
        let prefixed = id
            .split_once(':')
            .filter(|_| by.user_ids == UserIds::Qualified);
        let prefixed = prefixed.and_then(|(name, sub)| {
            let mut all = self.accepted.iter();
            Some((all.find(|accepted| accepted.issuer.name() == name)?, sub))
        });
        let (issuer, sub) = match (prefixed, sole) {
            (Some((Accepted { issuer, .. }, sub)), _) => (issuer, sub),
            (None, Some(Accepted { issuer, .. })) => (issuer, id),
            (None, None) => return Err(VerifyError::UserUnknown),
        };
        if sub.is_empty() || !by.accept(issuer.name()) {
            return Err(VerifyError::UserUnknown);
        }
        Ok((Arc::clone(issuer), sub))
    }

    fn accepted_of<'a>(&'a self, by: ClientTerms<'a>) -> impl Iterator<Item = &'a Accepted> {
        let all = self.accepted.iter();
        all.filter(move |accepted| by.accept(accepted.issuer.name()))
    }
}
