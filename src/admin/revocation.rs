//! Revocations by an operator: what the body of `POST /revocations` may say, and having it hold everywhere.
//!
//! What enters is JSON with exactly one member that names whose tokens end; what leaves is an answer, which says that it
//! is so only when the store has it on disk, or acknowledged it, and the audit log has a line of it.

mod own;

pub use own::{Ends, OwnTokens, RefreshTokens};

use crate::{
    clock::{SharedClock, UnixTime},
    jose::encoding::from_base64url,
    settings::HumanDuration,
    store::{Reach, Revocation, RevocationKey, Store, StoreError, Stores},
    telemetry::{AuditEvent, AuditLog, AuditedAct, IdSource, Revoked},
    token::{Claims, Limits, RawToken},
};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::time::Duration;
use thiserror::Error;

/// Writes revocations down. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Revoker {
    /// Where they are kept; none where the configuration names no store.
    pub store: Option<Stores>,
    /// Reads tokens that only the gateway can read.
    pub own: OwnTokens,
    /// Puts them on record.
    pub audit: AuditLog,
    /// Gives each a request id.
    pub ids: IdSource,
    /// The time.
    pub clock: SharedClock,
    /// How long a token can live that was issued before it was revoked, whatever its kind.
    pub longest_life: Duration,
}

/// Whose tokens end: the one member of the body.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Target {
    Subject {
        issuer: String,
        sub: String,
    },
    Actor {
        issuer: String,
        sub: String,
    },
    Session {
        issuer: String,
        sid: String,
    },
    Client {
        id: String,
    },
    SigningKey {
        issuer: String,
        kid: String,
    },
    Token {
        #[serde(deserialize_with = "raw_token")]
        token: RawToken,
    },
}

/// What an operator asks for.
#[derive(Debug)]
pub(super) struct Asked {
    target: Target,
    holds: Option<Duration>,
}

/// What was revoked.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) kind: Revoked,
    pub(super) at: UnixTime,
    pub(super) until: UnixTime,
}

/// Why nothing was revoked.
#[derive(Debug, Error)]
pub(super) enum NotRevoked {
    /// The body is not what is expected. It is not repeated: it may hold a token.
    #[error(
        "expected exactly one of subject {{issuer, sub}}, actor {{issuer, sub}}, session {{issuer, sid}}, client {{id}}, \
         signing_key {{issuer, kid}} and token {{token}}, as JSON; with `for`, e.g. 7d, it holds for that long"
    )]
    Malformed,
    /// The configuration names no store.
    #[error("there is no store")]
    NoStore,
    /// The store does not answer.
    #[error("the store cannot be written")]
    Store(#[from] StoreError),
    /// It holds, and there is no audit line of it.
    #[error("the audit log cannot be written")]
    NotOnRecord,
}

/// How long an application or a key that is not to be trusted again stays so: as good as for ever.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);

impl Asked {
    /// Reads the body.
    pub(super) fn read(body: &[u8]) -> Result<Self, NotRevoked> {
        let malformed = |_: serde_json::Error| NotRevoked::Malformed;
        let mut members: Map<String, Value> = serde_json::from_slice(body).map_err(malformed)?;
        let holds = match members.remove("for") {
            None => None,
            Some(written) => {
                let written: HumanDuration = serde_json::from_value(written).map_err(malformed)?;
                Some(written.get())
            }
        };
        let target: Target = serde_json::from_value(Value::Object(members)).map_err(malformed)?;
        if target.texts().iter().any(|text| text.is_empty()) {
            return Err(NotRevoked::Malformed);
        }
        Ok(Self { target, holds })
    }
}

impl Target {
    fn texts(&self) -> Vec<&str> {
        match self {
            Self::Subject { issuer, sub } | Self::Actor { issuer, sub } => vec![issuer, sub],
            Self::Session { issuer, sid } => vec![issuer, sid],
            Self::Client { id } => vec![id],
            Self::SigningKey { issuer, kid } => vec![issuer, kid],
            Self::Token { token } if token.is_empty() => vec![""],
            Self::Token { .. } => Vec::new(),
        }
    }

    fn kind(&self) -> Revoked {
        match self {
            Self::Subject { .. } => Revoked::Subject,
            Self::Actor { .. } => Revoked::Actor,
            Self::Session { .. } => Revoked::Session,
            Self::Client { .. } => Revoked::Client,
            Self::SigningKey { .. } => Revoked::SigningKey,
            Self::Token { .. } => Revoked::Token,
        }
    }

    fn reach(&self) -> Reach {
        match self {
            // whoever signs in again is to be served again
            Self::Subject { .. } | Self::Actor { .. } | Self::Session { .. } => Reach::Earlier,
            Self::Client { .. } | Self::SigningKey { .. } | Self::Token { .. } => Reach::Always,
        }
    }
}

impl Revoker {
    /// Revokes what is `asked`; done only when it is durable.
    pub(super) async fn revoke(&self, asked: &Asked) -> Result<Done, NotRevoked> {
        let store = self.store.as_ref().ok_or(NotRevoked::NoStore)?;
        let at = self.clock.now();
        let named = self.named(&asked.target, at).await?;
        let until = match (asked.holds, &asked.target) {
            (Some(holds), _) => at.plus(holds),
            (None, Target::Client { .. } | Target::SigningKey { .. }) => at.plus(FOR_EVER),
            (None, Target::Token { .. }) => {
                named.ends.unwrap_or_else(|| at.plus(self.longest_life))
            }
            (None, _) => at.plus(self.longest_life),
        };
        let reach = asked.target.reach();
        let revocations: Vec<Revocation> = named
            .keys
            .iter()
            .map(|&key| Revocation {
                key,
                at,
                until,
                reach,
            })
            .collect();
        store.revoke(&revocations).await?;
        let kind = named.kind.unwrap_or_else(|| asked.target.kind());
        let event = named.event(AuditEvent::new(
            AuditedAct::TokenRevoked(kind),
            self.ids.request_id(),
        ));
        self.audit.record(&event).map_err(|error| {
            tracing::error!(%error, "revoked, and its audit event could not be written");
            NotRevoked::NotOnRecord
        })?;
        Ok(Done { kind, at, until })
    }

    /// An own token is taken at what is sealed in it, another at its word.
    async fn named(&self, target: &Target, now: UnixTime) -> Result<Named, StoreError> {
        let own = match target {
            Target::Token { token } => self.own.named(token, now).await?,
            Target::Subject { .. }
            | Target::Actor { .. }
            | Target::Session { .. }
            | Target::Client { .. }
            | Target::SigningKey { .. } => None,
        };
        Ok(own.unwrap_or_else(|| Named::of(target)))
    }
}

/// The names in a target, for the store and for the audit log.
#[derive(Debug, Default)]
struct Named {
    keys: Vec<RevocationKey>,
    /// Where it is another than that of the target.
    kind: Option<Revoked>,
    issuer: Option<Box<str>>,
    subject: Option<Box<str>>,
    client: Option<Box<str>>,
    /// `sid` or `kid`.
    named: Option<Box<str>>,
    jti: Option<Box<str>>,
    /// `exp` of a token.
    ends: Option<UnixTime>,
}

impl Named {
    fn of(target: &Target) -> Self {
        let issuer = |issuer: &String| Some(issuer.as_str().into());
        match target {
            Target::Subject { issuer: iss, sub } => Self {
                keys: vec![RevocationKey::subject(iss, sub)],
                issuer: issuer(iss),
                subject: Some(sub.as_str().into()),
                ..Self::default()
            },
            Target::Actor { issuer: iss, sub } => Self {
                keys: vec![RevocationKey::actor(iss, sub)],
                issuer: issuer(iss),
                subject: Some(sub.as_str().into()),
                ..Self::default()
            },
            Target::Session { issuer: iss, sid } => Self {
                keys: vec![RevocationKey::session(iss, sid)],
                issuer: issuer(iss),
                named: Some(sid.as_str().into()),
                ..Self::default()
            },
            Target::Client { id } => Self {
                keys: vec![RevocationKey::client(id)],
                client: Some(id.as_str().into()),
                ..Self::default()
            },
            Target::SigningKey { issuer: iss, kid } => Self {
                keys: vec![RevocationKey::signing_key(iss, kid)],
                issuer: issuer(iss),
                named: Some(kid.as_str().into()),
                ..Self::default()
            },
            Target::Token { token } => Self::of_token(token),
        }
    }

    /// A token is taken at its word: whoever revokes one that is forged revokes nothing, or what an operator may
    /// revoke anyway.
    fn of_token(token: &RawToken) -> Self {
        let mut named = claims(token)
            .as_ref()
            .map_or_else(Self::default, Self::of_claims);
        named.keys.push(RevocationKey::token_bytes(token));
        named
    }

    fn of_claims(claims: &Claims) -> Self {
        let mut named = Self::default();
        let text = |name| claims.text(name).ok().flatten();
        if let (Some(iss), Some(jti)) = (text("iss"), text("jti")) {
            named.keys.push(RevocationKey::token(iss, jti));
        }
        named.issuer = text("iss").map(Into::into);
        named.subject = text("sub").map(Into::into);
        named.jti = text("jti").map(Into::into);
        named.ends = claims.time("exp").ok().flatten();
        named
    }

    fn event<'a>(&'a self, event: AuditEvent<'a>) -> AuditEvent<'a> {
        AuditEvent {
            issuer: self.issuer.as_deref(),
            subject: self.subject.as_deref(),
            client_id: self.client.as_deref(),
            named: self.named.as_deref(),
            jti: self.jti.as_deref(),
            ..event
        }
    }
}

fn raw_token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RawToken, D::Error> {
    String::deserialize(deserializer).map(|text| RawToken::from(text.trim().to_owned()))
}

/// What a JWT says; none where it is none.
fn claims(token: &RawToken) -> Option<Claims> {
    let payload = token.expose().split(|&byte| byte == b'.').nth(1)?;
    Claims::parse(&from_base64url(payload)?, Limits::TOKEN).ok()
}
