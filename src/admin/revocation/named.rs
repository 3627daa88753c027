//! The names in what is revoked: as keys for the store, for the audit log, and as text.

use super::{asked::Target, caller::Caller};
use crate::{
    clock::UnixTime,
    jose::encoding::from_base64url,
    store::{Revocation, RevocationKey},
    telemetry::{AuditEvent, Revoked},
    token::{Claims, Limits, RawToken},
};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The names in a target.
#[derive(Debug)]
pub(in crate::admin) struct Named {
    pub(super) keys: Vec<RevocationKey>,
    pub(super) kind: Revoked,
    pub(super) issuer: Option<Box<str>>,
    pub(super) subject: Option<Box<str>>,
    pub(super) client: Option<Box<str>>,
    /// The `sid` or `kid`.
    pub(super) named: Option<Box<str>>,
    pub(super) jti: Option<Box<str>>,
    /// The `exp` of a token.
    pub(super) ends: Option<UnixTime>,
}

/// Maximum length of a name in a note, in characters. Longer ones are cut, because notes are only for people.
const LONGEST_NAME: usize = 255;

impl Named {
    pub(super) fn nothing(kind: Revoked) -> Self {
        Self {
            keys: Vec::new(),
            kind,
            issuer: None,
            subject: None,
            client: None,
            named: None,
            jti: None,
            ends: None,
        }
    }

    /// Returns the names in `target`, whose issuer has the URL `iss`.
    pub(super) fn of(target: &Target, iss: &str) -> Self {
        let text = |text: &String| Some(text.as_str().into());
        let mut named = Self::nothing(target.kind());
        if target.issuer().is_some() {
            named.issuer = Some(iss.into());
        }
        let key = match target {
            Target::Subject { sub, .. } => {
                named.subject = text(sub);
                RevocationKey::subject(iss, sub)
            }
            Target::Actor { sub, .. } => {
                named.subject = text(sub);
                RevocationKey::actor(iss, sub)
            }
            Target::Session { sid, .. } => {
                named.named = text(sid);
                RevocationKey::session(iss, sid)
            }
            Target::Client { id } => {
                named.client = text(id);
                RevocationKey::client(id)
            }
            Target::SigningKey { kid, .. } => {
                named.named = text(kid);
                RevocationKey::signing_key(iss, kid)
            }
            Target::Token { token } => return Self::of_token(token),
        };
        named.keys.push(key);
        named
    }

    /// The token is not verified: revoking a forged token has no effect, or one that the operator may cause anyway.
    fn of_token(token: &RawToken) -> Self {
        let mut named = claims(token)
            .as_ref()
            .map_or_else(|| Self::nothing(Revoked::Token), Self::of_claims);
        named.keys.push(RevocationKey::token_bytes(token));
        named
    }

    pub(super) fn of_claims(claims: &Claims) -> Self {
        let mut named = Self::nothing(Revoked::Token);
        let text = |name| claims.text(name).ok().flatten();
        if let (Some(iss), Some(jti)) = (text("iss"), text("jti")) {
            named.keys.push(RevocationKey::token(iss, jti));
        }
        named.issuer = text("iss").map(Into::into);
        named.subject = text("sub").map(Into::into);
        named.client = text("client_id").map(Into::into);
        named.jti = text("jti").map(Into::into);
        named.ends = claims.time("exp").ok().flatten();
        named
    }

    pub(super) fn event<'a>(&'a self, event: AuditEvent<'a>) -> AuditEvent<'a> {
        AuditEvent {
            issuer: self.issuer.as_deref(),
            subject: self.subject.as_deref(),
            client_id: self.client.as_deref(),
            named: self.named.as_deref(),
            jti: self.jti.as_deref(),
            ..event
        }
    }

    /// Returns a description of what a revocation made at `at` ends.
    pub(super) fn ends_in_words(&self, at: UnixTime) -> String {
        let issuer = self.issuer.as_deref().unwrap_or("no issuer");
        let subject = self.subject.as_deref().unwrap_or("no subject");
        let (named, at) = (self.named.as_deref().unwrap_or_default(), written(at));
        let tokens = match self.kind {
            Revoked::Subject => {
                format!("every token about {subject} of {issuer} that was issued until {at}")
            }
            Revoked::Actor => format!(
                "every token, issued until {at}, with which {subject} of {issuer} acts for another user"
            ),
            Revoked::Session => {
                format!("every token of the session {named} of {issuer} that was issued until {at}")
            }
            Revoked::Client => format!(
                "every token that was or will be issued to the client {}",
                self.client.as_deref().unwrap_or_default()
            ),
            Revoked::SigningKey => {
                format!("every token of {issuer} that was or will be signed with the key {named}")
            }
            Revoked::RefreshToken => {
                "every token that was or will be issued for that refresh token or its successors"
                    .to_owned()
            }
            Revoked::Token => match &self.jti {
                Some(jti) => format!("the token {jti} of {issuer}, about {subject}"),
                None => format!("one token of {issuer}, about {subject}"),
            },
        };
        format!("{tokens}, and every token made from them")
    }

    /// Returns the members that name what is revoked, for responses and notes.
    pub(super) fn members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        members.insert("revoked".to_owned(), json!(self.kind.as_str()));
        let by_name = match self.kind {
            Revoked::Session => "sid",
            Revoked::SigningKey => "kid",
            Revoked::Token
            | Revoked::RefreshToken
            | Revoked::Subject
            | Revoked::Actor
            | Revoked::Client => "named",
        };
        for (name, value) in [
            ("issuer", &self.issuer),
            ("subject", &self.subject),
            ("client_id", &self.client),
            (by_name, &self.named),
            ("jti", &self.jti),
        ] {
            if let Some(value) = value {
                let value: String = value.chars().take(LONGEST_NAME).collect();
                members.insert(name.to_owned(), json!(value));
            }
        }
        members
    }

    /// Returns the note that is stored with each of the keys.
    pub(super) fn note(&self, caller: &Caller, ends: &str) -> Option<Arc<str>> {
        let mut note = self.members();
        let ends: String = ends.chars().take(4 * LONGEST_NAME).collect();
        note.insert("ends".to_owned(), json!(ends));
        note.insert("by".to_owned(), caller.to_json());
        if self.keys.len() > 1 {
            let keys: Vec<String> = self.keys.iter().map(ToString::to_string).collect();
            note.insert("keys".to_owned(), json!(keys));
        }
        let note = Value::Object(note).to_string();
        (note.len() <= Revocation::MAX_ABOUT).then(|| note.into())
    }
}

/// Returns a time in a form for people.
fn written(at: UnixTime) -> String {
    at.to_rfc3339().unwrap_or_else(|| at.to_string())
}

/// Returns the claims of a JWT, without verifying it, or `None` if it is not a JWT.
fn claims(token: &RawToken) -> Option<Claims> {
    let payload = token.expose().split(|&byte| byte == b'.').nth(1)?;
    Claims::parse(&from_base64url(payload)?, Limits::TOKEN).ok()
}
