//! Issues tokens: mints what a policy permitted, compares it with the permission, and writes the audit event, in this
//! order.
//!
//! Takes a [`PermittedExchange`] and returns tokens that may be sent to the client. A token is not sent if something
//! that it was made from was revoked meanwhile, or if the audit event cannot be written.

use super::{
    Peer, TokenEndpointResponse,
    error::OAuthError,
    families::{ErrorDialect, Families},
    refused,
};
use crate::{
    clock::{SharedClock, UnixTime},
    exchange::{IssuedToken, TokenIssuer, TokenType},
    policy::{AUTHORIZATION_DETAILS, Clients, PermittedExchange},
    store::{OnceOnly, Revocations},
    telemetry::{
        AuditEvent, AuditLog, AuditedAct, DecisionNames, Reason, RequestId, TokenDecision,
    },
    token::{Actor, RawToken, ScopeSet, TokenTypeUri},
    verify::{SubjectToken, Verifier},
};
use serde_json::{Map, Value};
use std::sync::Arc;

/// The components that the grants use.
#[derive(Debug)]
pub struct Issuing {
    /// The policy of each client.
    pub clients: Arc<Clients>,
    /// Verifies the tokens that clients present.
    pub verifier: Verifier,
    /// Mints tokens.
    pub issuer: TokenIssuer,
    /// Stores families of refresh tokens; `None` without a store or without a key to seal the tokens.
    pub families: Option<Families>,
    /// The revocations in force.
    pub revocations: Revocations,
    /// The audit log.
    pub audit: AuditLog,
    /// The identifiers of client JWTs that were used already.
    pub once: OnceOnly,
    /// Maximum length of a presented token, in bytes.
    pub token_limit: usize,
    /// The current time.
    pub clock: SharedClock,
}

/// Tokens that may be sent to the client.
pub(super) struct Minted {
    issued: IssuedToken,
    id_token: Option<RawToken>,
}

/// The subject of a refused request, as far as it was verified.
#[derive(Debug)]
pub(super) struct Who {
    pub(super) issuer: Option<String>,
    pub(super) subject: Option<String>,
    /// The error format that the client expects.
    pub(super) dialect: ErrorDialect,
}

impl Default for Who {
    fn default() -> Self {
        Self {
            issuer: None,
            subject: None,
            dialect: ErrorDialect::Standard,
        }
    }
}

impl Who {
    /// Records that the request is about `subject`.
    pub(super) fn is(&mut self, subject: &SubjectToken) {
        self.issuer = Some(subject.issuer_name().to_owned());
        self.subject = Some(subject.sub().to_owned());
    }

    /// Returns the decision that refuses `client`, for the access log.
    pub(super) fn refused(&self, client: &str) -> Arc<TokenDecision> {
        let names = DecisionNames {
            issuer: self.issuer.as_deref(),
            subject: self.subject.as_deref(),
            client_id: Some(client),
            ..DecisionNames::default()
        };
        Arc::new(TokenDecision::new(&names, &[]))
    }
}

impl Issuing {
    /// Mints the permitted token, and an ID token with it if the scope contains `openid`.
    ///
    /// # Errors
    /// 503 if the token cannot be minted or the audit event cannot be written; the code `unacceptable` if something
    /// that the token was made from was revoked meanwhile.
    pub(super) fn mint(
        &self,
        permitted: PermittedExchange,
        peer: &Peer,
        unacceptable: &'static str,
    ) -> Result<Minted, OAuthError> {
        let refused = |error| refused::exchange(&error, unacceptable);
        let issued = self.issuer.issue(permitted).map_err(refused)?;
        let beside = issued.permitted().is_access_token() && issued.scope().contains("openid");
        let id_token = beside.then(|| self.issuer.id_token(&issued)).transpose();
        let id_token = id_token.map_err(refused)?;
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
            jti: issued.id(),
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

    /// Returns the time at which everything that could be derived from a token has expired; the token itself expires at
    /// `expires_at`. Families of refresh tokens can outlive it.
    pub(super) fn last_end(&self, expires_at: UnixTime) -> UnixTime {
        let refresh = self
            .families
            .as_ref()
            .and_then(|_| self.clients.longest_refresh());
        refresh.map_or(expires_at, |longest| {
            expires_at.max(self.clock.now().plus(longest))
        })
    }

    /// Writes the audit event of a refused token request.
    pub(super) fn refused(&self, client: &str, who: &Who, reason: Reason, id: RequestId) {
        let event = AuditEvent {
            issuer: who.issuer.as_deref(),
            subject: who.subject.as_deref(),
            client_id: Some(client),
            ..AuditEvent::new(AuditedAct::TokenRefused(reason), id)
        };
        // the request is refused even if the event cannot be written
        let _ = self.write(&event);
    }

    /// Writes an audit event.
    ///
    /// # Errors
    /// 503: a token whose event cannot be written is not sent to the client.
    pub(super) fn write(&self, event: &AuditEvent<'_>) -> Result<(), OAuthError> {
        self.audit.record(event).map_err(|error| {
            tracing::error!(%error, request_id = %event.request_id, "an audit event could not be written");
            OAuthError::unavailable(Reason::AuditUnwritable)
        })
    }
}

impl Minted {
    /// Returns the scope of the access token.
    pub(super) fn scope(&self) -> &ScopeSet {
        self.issued.scope()
    }

    /// Returns the response, with `refresh_token` if there is one (RFC 6749 §5.1).
    pub(super) fn response(
        self,
        refresh_token: Option<&RawToken>,
        clock: &SharedClock,
    ) -> TokenEndpointResponse {
        TokenEndpointResponse::new(self.members(refresh_token, clock))
    }

    /// Returns the response with `issued_token_type` (RFC 8693 §2.2.1).
    pub(super) fn exchange_response(
        self,
        issued_token_type: TokenTypeUri,
        refresh_token: Option<&RawToken>,
        clock: &SharedClock,
    ) -> TokenEndpointResponse {
        let is_access_token = self.issued.permitted().is_access_token();
        let mut members = self.members(refresh_token, clock);
        let mut put = |name: &str, value: &str| members.insert(name.to_owned(), value.into());
        put("issued_token_type", issued_token_type.as_str());
        if !is_access_token {
            put("token_type", TokenType::NotApplicable.as_str());
        }
        TokenEndpointResponse::new(members)
    }

    /// Returns the members of a response. `scope` is always included, because it may be less than the requested scope.
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
        // the tokens are exposed only here, in the response to the client that requested them
        let tokens = tokens.into_iter().filter_map(|(name, token)| {
            let text = String::from_utf8_lossy(token?.expose()).into_owned();
            Some((name.to_owned(), Value::from(text)))
        });
        let mut members: Map<String, Value> = tokens.collect();
        let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
        put("token_type", Value::from(TokenType::Bearer.as_str()));
        put("expires_in", Value::from(lives));
        put("scope", Value::from(issued.scope().to_string()));
        // RFC 9396 §7
        let claims = issued.claims();
        if let Some(details) = claims.and_then(|claims| claims.get(AUTHORIZATION_DETAILS)) {
            put(AUTHORIZATION_DETAILS, details.clone());
        }
        members
    }
}
