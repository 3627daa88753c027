//! Creates, lists and lifts revocations for operators.
//!
//! A revocation is confirmed only when it is durable and its audit event is written. A name that is not in the
//! configuration is an error, because revoking it has no effect, unless the operator forces it. An operator lifts only
//! revocations made by operators, unless the request names those made by clients.

mod asked;
mod caller;
mod known;
mod listed;
mod named;
mod own;

pub(super) use asked::{AskedToLift, AskedToRevoke};
pub(super) use caller::Caller;
pub use known::{KeyIds, Known, KnownIssuer};
pub(super) use listed::{Page, side};
pub(super) use named::Named;
pub use own::{Ends, OwnTokens, RefreshTokens};

use crate::{
    clock::{SharedClock, UnixTime},
    store::{Lift, Revocation, RevocationKey, RevokedBy, Store, StoreError, Stores},
    telemetry::{AuditEvent, AuditLog, AuditedAct, IdSource, Revoked},
};
use asked::{Hold, Liftable, Target, Unknown};
use serde_json::{Map, Value, json};
use std::time::Duration;
use thiserror::Error;

/// Creates and lifts revocations. Clones share the store.
#[derive(Debug, Clone)]
pub struct Revoker {
    /// The store of the revocations; `None` if the configuration has no store.
    pub store: Option<Stores>,
    /// Reads tokens that only the gateway can read.
    pub own: OwnTokens,
    /// The names in the configuration.
    pub known: Known,
    /// The audit log.
    pub audit: AuditLog,
    /// Generates the request ids of audit events.
    pub ids: IdSource,
    /// The current time.
    pub clock: SharedClock,
    /// The maximum remaining lifetime of any token that was issued before the revocation.
    pub longest_life: Duration,
}

/// A revocation that was made.
#[derive(Debug)]
pub(super) struct Done {
    named: Named,
    at: UnixTime,
    until: UnixTime,
    forever: bool,
    ends: String,
}

/// A revocation that was lifted.
#[derive(Debug)]
pub(super) struct Lifted {
    members: Map<String, Value>,
    ids: Vec<String>,
    by: RevokedBy,
    /// Set if the other side has revoked the same target too, so that it stays revoked.
    still: Option<RevokedBy>,
}

/// Why the request was not carried out.
#[derive(Debug, Error)]
pub(super) enum NotDone {
    /// The body is malformed. The error does not repeat it, because it may contain a token.
    #[error(
        "expected exactly one of subject {{issuer, sub}}, actor {{issuer, sub}}, session {{issuer, sid}}, client {{id}}, \
         signing_key {{issuer, kid}} and token {{token}}, as JSON. With `for`, e.g. 7d, a revocation lasts that long; \
         `forever: true` is for clients and keys; `force: true` accepts names that are not in the configuration. To lift one, its `id` can be used instead, and `revoked_by: client` lifts what a client revoked"
    )]
    Malformed,
    /// The query is malformed.
    #[error("expected no query, or after=<id of a revocation> and limit=<1 to 500>")]
    Query,
    /// A client or a key without a duration.
    #[error("say how long the client or key stays revoked: `for`, e.g. 7d, or `forever: true`")]
    HowLong,
    /// A subject, an actor, a session or a token, with `forever`.
    #[error(
        "only a client or a key can be revoked forever: all other revocations last until the last token has expired"
    )]
    NotForever,
    /// A duration of less than a second.
    #[error("`for` is shorter than a second: the revocation would have no effect")]
    NoTime,
    /// The issuer is unknown.
    #[error("the configuration has no such issuer, so none of its tokens is accepted; it has: {0}")]
    UnknownIssuer(String),
    /// The client is unknown.
    #[error("the configuration has no such client; it has: {0}")]
    UnknownClient(String),
    /// The key is unknown.
    #[error("the issuer publishes no such key; it publishes: {0}")]
    UnknownKey(String),
    /// The issuer's keys are unknown.
    #[error("the issuer's keys are not available at the moment, so the key cannot be checked")]
    KeysNotThere,
    /// Neither a token of this gateway nor a JWT.
    #[error("it is neither a token of this gateway nor a JWT, so it is never accepted")]
    NotAToken,
    /// The token has expired already.
    #[error("the token has expired already")]
    Expired,
    /// There is nothing to lift.
    #[error("no such revocation is in force: `obo-gateway revoke list` shows those in force")]
    NotInForce,
    /// The revocation in force was made by the other side.
    #[error("the revocation in force was made by {0}: lift it with revoked_by: {0}")]
    NotInForceBy(&'static str),
    /// The configuration has no store.
    #[error("there is no store")]
    NoStore,
    /// The store failed.
    #[error("the store cannot be written")]
    Store(#[from] StoreError),
    /// The revocation is in force, but its audit event could not be written.
    #[error("it is revoked, but the audit log cannot be written: try again")]
    NotOnRecord,
    /// The revocation was not lifted, because its audit event could not be written.
    #[error("it is not lifted, because the audit log cannot be written")]
    LiftNotOnRecord,
}

/// The duration of a revocation with `forever`, for a client or a key that must not be trusted again.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);

impl Revoker {
    /// Revokes the target of `asked`. The revocation is durable when this returns.
    pub(super) async fn revoke(
        &self,
        asked: &AskedToRevoke,
        caller: &Caller,
    ) -> Result<Done, NotDone> {
        let store = self.store.as_ref().ok_or(NotDone::NoStore)?;
        let at = self.clock.now();
        let named = self.named(&asked.target, at).await?;
        if asked.unknown == Unknown::Refused {
            self.check(&asked.target, &named, at)?;
        }
        let until = match asked.hold {
            Hold::For(holds) => at.plus(holds),
            Hold::Forever => at.plus(FOR_EVER),
            Hold::AsNeeded => named.ends.unwrap_or_else(|| at.plus(self.longest_life)),
        };
        let ends = named.ends_in_words(at);
        let note = named.note(caller, &ends);
        let reach = asked.target.reach();
        let revocations = named.keys.iter().map(|&key| Revocation {
            key,
            at,
            until,
            reach,
            by: RevokedBy::Operator,
            about: note.clone(),
        });
        store.revoke(&revocations.collect::<Vec<_>>()).await?;
        let act = AuditedAct::TokenRevoked(named.kind);
        if !self.record(act, &named, Some(until), caller) {
            return Err(NotDone::NotOnRecord);
        }
        Ok(Done {
            named,
            at,
            until,
            forever: asked.hold == Hold::Forever,
            ends,
        })
    }

    /// Lifts the revocations that `asked` names, on every replica. The audit event is written first.
    pub(super) async fn lift(
        &self,
        asked: &AskedToLift,
        caller: &Caller,
    ) -> Result<Lifted, NotDone> {
        let store = self.store.as_ref().ok_or(NotDone::NoStore)?;
        let at = self.clock.now();
        let (keys, named) = match &asked.what {
            Liftable::Target(target) => {
                let named = self.named(target, at).await?;
                (named.keys.clone(), Some(named))
            }
            Liftable::Id(id) => {
                let known = store.revocations().about(id);
                let theirs = known.iter().find(|known| known.by == asked.by);
                let siblings = theirs.map(listed::siblings).unwrap_or_default();
                (std::iter::once(*id).chain(siblings).collect(), None)
            }
        };
        let in_force: Vec<Revocation> = keys
            .iter()
            .flat_map(|key| store.revocations().about(key))
            .filter(|known| known.until > at)
            .collect();
        let (theirs, others): (Vec<_>, Vec<_>) =
            in_force.iter().partition(|known| known.by == asked.by);
        let Some(first) = theirs.first() else {
            return Err(match others.first() {
                Some(other) => NotDone::NotInForceBy(side(other.by)),
                None => NotDone::NotInForce,
            });
        };
        let noted = listed::note_of(first).unwrap_or_default();
        let named = named.unwrap_or_else(|| noted_names(&noted));
        if !self.record(
            AuditedAct::RevocationLifted(named.kind),
            &named,
            None,
            caller,
        ) {
            return Err(NotDone::LiftNotOnRecord);
        }
        let lifts: Vec<Lift> = keys
            .iter()
            .map(|&key| Lift {
                key,
                by: asked.by,
                at,
            })
            .collect();
        store.lift(&lifts).await?;
        let mut ids: Vec<String> = theirs.iter().map(|known| known.key.to_string()).collect();
        ids.dedup();
        Ok(Lifted {
            members: named.members(),
            ids,
            by: asked.by,
            still: others.first().map(|other| other.by),
        })
    }

    /// Returns the revocations in force, as JSON.
    pub(super) fn list(&self, page: Page) -> Result<Value, NotDone> {
        let store = self.store.as_ref().ok_or(NotDone::NoStore)?;
        let revocations = store.revocations();
        let stale = revocations.is_stale(self.clock.instant());
        Ok(page.of(revocations, self.clock.now(), stale))
    }

    /// Returns the names in `target`. For an own token, they come from its sealed record; other tokens are not
    /// verified. An issuer may be given by its name or its URL.
    async fn named(&self, target: &Target, now: UnixTime) -> Result<Named, StoreError> {
        if let Target::Token { token } = target
            && let Some(own) = self.own.named(token, now).await?
        {
            return Ok(own);
        }
        let written = target.issuer().unwrap_or_default();
        let issuer = self.known.issuer(written).ok();
        Ok(Named::of(
            target,
            issuer.map_or(written, |known| &known.url),
        ))
    }

    /// Returns an error if the revocation cannot have an effect.
    fn check(&self, target: &Target, named: &Named, now: UnixTime) -> Result<(), NotDone> {
        match target {
            Target::Subject { issuer, .. }
            | Target::Actor { issuer, .. }
            | Target::Session { issuer, .. } => self.known.issuer(issuer).map(drop),
            Target::SigningKey { issuer, kid } => self.known.issuer(issuer)?.check_key(kid),
            Target::Client { id } => self.known.check_client(id),
            Target::Token { .. } if named.kind == Revoked::RefreshToken => Ok(()),
            Target::Token { .. } => {
                let issuer = named.issuer.as_deref().ok_or(NotDone::NotAToken)?;
                self.known.issuer_url(issuer)?;
                match named.ends {
                    Some(ends) if ends <= now => Err(NotDone::Expired),
                    _ => Ok(()),
                }
            }
        }
    }

    /// Returns `true` if the audit event was written.
    fn record(
        &self,
        act: AuditedAct,
        named: &Named,
        until: Option<UnixTime>,
        caller: &Caller,
    ) -> bool {
        let event = named.event(AuditEvent {
            until,
            by: Some(caller.audited()),
            ..AuditEvent::new(act, self.ids.request_id())
        });
        let recorded = self.audit.record(&event);
        if let Err(error) = &recorded {
            tracing::error!(%error, "the audit event of a revocation or a lift could not be written");
        }
        recorded.is_ok()
    }
}

/// Returns the names in the note of a revocation.
fn noted_names(note: &Map<String, Value>) -> Named {
    let text = |name: &str| note.get(name).and_then(Value::as_str).map(Into::into);
    let kind = note.get("revoked").and_then(Value::as_str);
    let kind = kind.and_then(Revoked::named).unwrap_or(Revoked::Token);
    Named {
        issuer: text("issuer"),
        subject: text("subject"),
        client: text("client_id"),
        named: text("sid").or_else(|| text("kid")),
        jti: text("jti"),
        ..Named::nothing(kind)
    }
}

impl Done {
    /// Returns the body of the response.
    pub(super) fn to_json(&self) -> Value {
        let mut members = self.named.members();
        let id = self.named.keys.first().map(RevocationKey::to_string);
        for (name, value) in [
            ("id", json!(id)),
            ("at", json!(self.at.as_secs())),
            ("until", json!(self.until.as_secs())),
            ("forever", json!(self.forever)),
            ("ends", json!(self.ends)),
        ] {
            members.insert(name.to_owned(), value);
        }
        Value::Object(members)
    }
}

impl Lifted {
    /// Returns the body of the response.
    pub(super) fn to_json(&self) -> Value {
        let mut members = self.members.clone();
        if let Some(kind) = members.remove("revoked") {
            members.insert("lifted".to_owned(), kind);
        }
        members.insert("ids".to_owned(), json!(self.ids));
        members.insert("revoked_by".to_owned(), json!(side(self.by)));
        if let Some(still) = self.still {
            members.insert("still_revoked_by".to_owned(), json!(side(still)));
        }
        Value::Object(members)
    }
}
