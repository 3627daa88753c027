//! The engine in this process. It issues access tokens, signed (RFC 9068) or sealed, and ID tokens.
//!
//! Like the tokens of any exchanger, its tokens are read again and compared with the permitted exchange by
//! [`IssuedToken::accept`].

mod claims;

use super::{
    accept::{AcceptProfile, IssuedToken},
    error::ExchangeError,
    exchanger::Exchanger,
    response::TokenResponse,
};
use crate::{
    clock::{SharedClock, SharedRandomness, UnixTime},
    jose::{SigningKeys, encoding::base64url},
    own_token::TokenSeal,
    policy::{GatewayIdentity, PermittedExchange},
    source::PresentedToken,
    store::Lineage,
    token::{RawToken, TokenFormat},
};
use claims::Issuance;
use serde_json::{Map, Value};
use std::sync::Arc;

/// `typ` of an ID token. OpenID Connect defines none, and clients expect this one.
const ID_TOKEN_TYPE: &str = "JWT";

/// Issues tokens with the gateway's own keys.
#[derive(Debug)]
pub struct Embedded {
    issuer: Box<str>,
    keys: Arc<SigningKeys>,
    seal: Option<TokenSeal>,
    clock: SharedClock,
    randomness: SharedRandomness,
}

impl Embedded {
    /// Creates an engine that issues as `gateway.issuer`.
    pub fn new(
        gateway: &GatewayIdentity,
        keys: Arc<SigningKeys>,
        clock: SharedClock,
        randomness: SharedRandomness,
    ) -> Self {
        Self {
            issuer: gateway.issuer.clone(),
            keys,
            seal: None,
            clock,
            randomness,
        }
    }

    /// Adds the keys for sealing. With them the engine can issue opaque tokens, and its signed tokens contain their
    /// sealed lineage.
    #[must_use]
    pub fn sealing(self, seal: Option<TokenSeal>) -> Self {
        Self { seal, ..self }
    }

    /// `iss` of the issued tokens.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The rules by which the issued tokens are accepted.
    pub fn own_profile(&self) -> AcceptProfile<'_> {
        AcceptProfile::own(&self.issuer, self.seal.as_ref())
    }

    /// Issues the permitted token. The response is not checked yet.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn mint(&self, permitted: &PermittedExchange) -> Result<TokenResponse, ExchangeError> {
        let token = self.token(permitted)?;
        Ok(match permitted.format() {
            TokenFormat::Jwt | TokenFormat::Opaque => TokenResponse::bearer(token),
            TokenFormat::IdToken => TokenResponse::id_token(token),
        })
    }

    /// Issues the ID token that accompanies `issued`. It is about the same user and for the same audiences and the
    /// client (OpenID Connect Core §2, §3.1.3.6).
    ///
    /// # Errors
    /// [`ExchangeError`]. The access token must then not be used either.
    pub fn id_token(&self, issued: &IssuedToken) -> Result<RawToken, ExchangeError> {
        let now = self.clock.now();
        let at_hash = self.keys.signing().half_hash(issued.token().expose());
        let occasion = Issuance {
            issuer: &self.issuer,
            id: self.token_id(issued.permitted(), issued.lineage())?,
            now,
        };
        let claims = occasion.id_token(issued.permitted(), Some(&at_hash));
        let token = self.sign(ID_TOKEN_TYPE, &claims)?;
        let profile = self.own_profile();
        let accepted = issued.accompanied_by(token, &at_hash, profile, now);
        accepted.map_err(|error| profile.failure(error))
    }

    /// The current time of the engine.
    pub(super) fn now(&self) -> UnixTime {
        self.clock.now()
    }

    fn token(&self, permitted: &PermittedExchange) -> Result<RawToken, ExchangeError> {
        let lineage = permitted.lineage();
        let occasion = |id| Issuance {
            issuer: &self.issuer,
            id,
            now: self.clock.now(),
        };
        match permitted.format() {
            TokenFormat::Jwt => {
                let occasion = occasion(self.token_id(permitted, lineage)?);
                self.sign(permitted.typ().as_str(), &occasion.access_token(permitted))
            }
            TokenFormat::Opaque => {
                let seal = self.seal.as_ref().ok_or(ExchangeError::NoOpaqueKeys)?;
                // the whole token is sealed, so its id does not need a sealed lineage
                let occasion = occasion(self.plain_id(permitted)?);
                let claims = occasion.access_token(permitted);
                Ok(seal.seal(&claims, lineage)?)
            }
            TokenFormat::IdToken => {
                let occasion = occasion(self.token_id(permitted, lineage)?);
                self.sign(ID_TOKEN_TYPE, &occasion.id_token(permitted, None))
            }
        }
    }

    fn sign(&self, typ: &str, claims: &Map<String, Value>) -> Result<RawToken, ExchangeError> {
        let signed = self.keys.signing().sign(typ, claims);
        signed.map(RawToken::from).map_err(ExchangeError::Signing)
    }

    /// Returns a token id that contains the sealed lineage, if there are keys to seal with.
    fn token_id(
        &self,
        permitted: &PermittedExchange,
        made_from: &Lineage,
    ) -> Result<String, ExchangeError> {
        let id = self.plain_id(permitted)?;
        match &self.seal {
            Some(seal) => Ok(seal.token_id(&id, made_from)?),
            None => Ok(id),
        }
    }

    /// Returns a token id of 128 random bits, so that two tokens never share one (RFC 7519 §4.1.7). A prefix records
    /// the provenance of `sub`.
    fn plain_id(&self, permitted: &PermittedExchange) -> Result<String, ExchangeError> {
        let mut id = [0; 16];
        self.randomness.fill(&mut id)?;
        Ok(permitted.provenance().token_id(&base64url(id)))
    }
}

/// Needs only the permitted exchange, and waits for nothing.
impl Exchanger for Embedded {
    async fn exchange(
        &self,
        permitted: &PermittedExchange,
        _presented: &PresentedToken,
    ) -> Result<TokenResponse, ExchangeError> {
        self.mint(permitted)
    }

    fn profile<'a>(&'a self, _presented: &'a PresentedToken) -> AcceptProfile<'a> {
        self.own_profile()
    }
}
