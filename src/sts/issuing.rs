//! From what a policy permitted to the members of an answer: minted, held against the permit, put on record, in this order.
//!
//! What enters is a [`PermittedExchange`]; what leaves are tokens that may be handed out. What was revoked meanwhile, or
//! cannot be put on record, is handed to nobody.

use super::{
    Peer, TokenAnswer,
    error::OAuthError,
    families::{Families, Manner},
    refused,
};
use crate::{
    clock::{SharedClock, UnixTime},
    exchange::{Embedded, Exchanger, IssuedToken},
    policy::{AUTHORIZATION_DETAILS, Clients, PermittedExchange},
    store::{OnceOnly, Revocations},
    telemetry::{AuditEvent, AuditLog, AuditedAct, Decision, DecisionNames, Reason, RequestId},
    token::{Actor, RawToken, ScopeSet, TokenTypeUri},
    verify::{SubjectToken, TokenEndpointVerifier},
};
use serde_json::{Map, Value};
use std::sync::Arc;

/// What the grants work with.
#[derive(Debug)]
pub struct Issuing {
    /// What each client may have.
    pub clients: Arc<Clients>,
    /// Verifies the tokens that clients present.
    pub verifier: TokenEndpointVerifier,
    /// Mints.
    pub engine: Arc<Embedded>,
    /// Keeps families of refresh tokens; none where there is no store, or no key to seal them with.
    pub families: Option<Families>,
    /// What ends tokens before their time.
    pub revocations: Revocations,
    /// Where everything is put on record.
    pub audit: AuditLog,
    /// Which identifiers of clients' JWTs were used.
    pub once: OnceOnly,
    /// The longest token that is read, in bytes.
    pub token_limit: usize,
    /// The time.
    pub clock: SharedClock,
}

/// Tokens that may be handed out.
pub(super) struct Minted {
    issued: IssuedToken,
    id_token: Option<RawToken>,
}

/// Of whom a refusal tells, as far as that was proven.
#[derive(Debug)]
pub(super) struct Who {
    pub(super) issuer: Option<String>,
    pub(super) subject: Option<String>,
    /// In which words it is said.
    pub(super) manner: Manner,
}

impl Default for Who {
    fn default() -> Self {
        Self {
            issuer: None,
            subject: None,
            manner: Manner::Standard,
        }
    }
}

impl Who {
    /// Of `subject`, from here on.
    pub(super) fn is(&mut self, subject: &SubjectToken) {
        self.issuer = Some(subject.issuer_name().to_owned());
        self.subject = Some(subject.sub().to_owned());
    }

    /// A refusal to `client`, as its log line tells of it.
    pub(super) fn refused(&self, client: &str) -> Arc<Decision> {
        let names = DecisionNames {
            issuer: self.issuer.as_deref(),
            subject: self.subject.as_deref(),
            client_id: Some(client),
            ..DecisionNames::default()
        };
        Arc::new(Decision::new(&names, &[]))
    }
}

impl Issuing {
    /// Mints what is permitted, with an ID token beside it where the scope holds `openid`.
    ///
    /// # Errors
    /// 503 where it cannot be minted or put on record; `unacceptable` where what it is made of was revoked meanwhile.
    pub(super) async fn mint(
        &self,
        permitted: PermittedExchange,
        peer: &Peer,
        unacceptable: &'static str,
    ) -> Result<Minted, OAuthError> {
        let response = self.engine.exchange(&permitted).await;
        let response = response.map_err(|error| refused::exchange(&error))?;
        let accepted =
            IssuedToken::accept(permitted, response, self.engine.reading(), self.clock.now());
        let issued = accepted.map_err(|wider| refused::exchange(&wider.into()))?;
        let beside = issued.permitted().is_access_token() && issued.scope().contains("openid");
        let id_token = beside.then(|| self.engine.id_token(&issued)).transpose();
        let id_token = id_token.map_err(|error| refused::exchange(&error))?;
        if self.revocations.ends(issued.lineage()) {
            return Err(refused::revoked(unacceptable));
        }
        self.record(&issued, peer.id)?;
        Ok(Minted { issued, id_token })
    }

    fn record(&self, issued: &IssuedToken, id: RequestId) -> Result<(), OAuthError> {
        let permitted = issued.permitted();
        let subject = permitted.subject();
        let of = |act| AuditEvent {
            issuer: Some(subject.issuer_name()),
            subject: Some(subject.sub()),
            client_id: Some(permitted.client_id()),
            audiences: permitted.audiences(),
            scope: Some(issued.scope()),
            expires_at: Some(issued.expires_at()),
            jti: Some(issued.id()),
            ..AuditEvent::new(act, id)
        };
        if let Some(impersonation) = permitted.impersonation() {
            let actor = Actor::new(&impersonation.issuer, &impersonation.user_id);
            self.write(&AuditEvent {
                actor: Some(&actor),
                ..of(AuditedAct::Impersonation)
            })?;
        }
        self.write(&AuditEvent {
            actor: permitted.actors().current(),
            ..of(AuditedAct::TokenIssued)
        })
    }

    /// When the last thing ends by itself that may have been made of a token which ends at `expires_at`: families of
    /// refresh tokens outlive it.
    pub(super) fn last_end(&self, expires_at: UnixTime) -> UnixTime {
        let refresh = self
            .families
            .as_ref()
            .and_then(|_| self.clients.longest_refresh());
        refresh.map_or(expires_at, |longest| {
            expires_at.max(self.clock.now().plus(longest))
        })
    }

    /// Puts on record that a request for a token was refused.
    pub(super) fn refused(&self, client: &str, who: &Who, reason: Reason, id: RequestId) {
        let event = AuditEvent {
            issuer: who.issuer.as_deref(),
            subject: who.subject.as_deref(),
            client_id: Some(client),
            ..AuditEvent::new(AuditedAct::TokenRefused(reason), id)
        };
        // refused it stays: there is nothing to take back
        let _ = self.write(&event);
    }

    /// Writes an event.
    ///
    /// # Errors
    /// 503: what is not on record is not handed out.
    pub(super) fn write(&self, event: &AuditEvent<'_>) -> Result<(), OAuthError> {
        self.audit.record(event).map_err(|error| {
            tracing::error!(%error, request_id = %event.request_id, "an audit event could not be written");
            OAuthError::unavailable(Reason::AuditUnwritable)
        })
    }
}

impl Minted {
    /// The scope of the access token.
    pub(super) fn scope(&self) -> &ScopeSet {
        self.issued.scope()
    }

    /// The answer, with `refresh_token` where there is one (RFC 6749 §5.1).
    pub(super) fn answer(
        self,
        refresh_token: Option<&RawToken>,
        clock: &SharedClock,
    ) -> TokenAnswer {
        TokenAnswer::new(self.members(refresh_token, clock))
    }

    /// The same, with `issued_token_type` (RFC 8693 §2.2.1).
    pub(super) fn exchange_answer(
        self,
        issued_token_type: TokenTypeUri,
        refresh_token: Option<&RawToken>,
        clock: &SharedClock,
    ) -> TokenAnswer {
        let is_access_token = self.issued.permitted().is_access_token();
        let mut members = self.members(refresh_token, clock);
        let mut put = |name: &str, value: &str| members.insert(name.to_owned(), value.into());
        put("issued_token_type", issued_token_type.as_str());
        if !is_access_token {
            put("token_type", "N_A");
        }
        TokenAnswer::new(members)
    }

    /// `scope` always: it may be less than was asked for.
    pub(super) fn members(
        &self,
        refresh_token: Option<&RawToken>,
        clock: &SharedClock,
    ) -> Map<String, Value> {
        let issued = &self.issued;
        let lives = issued.expires_at().since(clock.now()).as_secs();
        let tokens = [
            ("access_token", Some(issued.token())),
            ("refresh_token", refresh_token),
            ("id_token", self.id_token.as_ref()),
        ];
        // here the tokens are handed out: to the client that asked for them, and to nobody else
        let tokens = tokens.into_iter().filter_map(|(name, token)| {
            let text = String::from_utf8_lossy(token?.expose()).into_owned();
            Some((name.to_owned(), Value::from(text)))
        });
        let mut members: Map<String, Value> = tokens.collect();
        let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
        put("token_type", Value::from("Bearer"));
        put("expires_in", Value::from(lives));
        put("scope", Value::from(issued.scope().to_string()));
        // RFC 9396 §7
        if let Some(details) = issued.claims().get(AUTHORIZATION_DETAILS) {
            put(AUTHORIZATION_DETAILS, details.clone());
        }
        members
    }
}
