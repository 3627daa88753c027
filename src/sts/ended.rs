//! Records of what a client revoked: for the audit log, and as a note on each listed revocation.

use super::Peer;
use crate::{
    clock::UnixTime,
    store::Revocation,
    telemetry::{AuditEvent, AuditedAct, AuditedBy, Revoked},
};
use serde_json::{Value, json};
use std::sync::Arc;

/// One revocation by a client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended<'a> {
    /// The client that revoked, or whose refresh token was used twice.
    pub(super) client: &'a str,
    /// The sender of the request.
    pub(super) peer: &'a Peer,
    pub(super) what: What<'a>,
}

/// What a client revokes.
#[derive(Debug, Clone, Copy)]
pub(super) enum What<'a> {
    /// An access token, or an ID token of a trusted issuer.
    Token {
        issuer: Option<&'a str>,
        subject: Option<&'a str>,
        jti: Option<&'a str>,
    },
    /// A family of refresh tokens, because the client revoked one of its tokens.
    Family,
    /// A family of refresh tokens, because one of its tokens was used twice.
    Reused,
}

/// Maximum length of a name in a note, in characters.
const LONGEST_NAME: usize = 255;

impl<'a> Ended<'a> {
    /// Returns the audit event; `until` is set if a revocation is in force.
    pub(super) fn event(self, until: Option<UnixTime>) -> AuditEvent<'a> {
        let event = AuditEvent {
            client_id: Some(self.client),
            until,
            by: Some(AuditedBy {
                credential: None,
                client_id: Some(self.client),
                address: self.peer.address.map(|address| address.to_canonical()),
            }),
            ..AuditEvent::new(AuditedAct::TokenRevoked(self.kind()), self.peer.id)
        };
        match self.what {
            What::Family | What::Reused => event,
            What::Token {
                issuer,
                subject,
                jti,
            } => AuditEvent {
                issuer,
                subject,
                jti,
                ..event
            },
        }
    }

    /// Returns the note on the revocation, in the format of an operator's note.
    pub(super) fn note(self) -> Option<Arc<str>> {
        let mut by = json!({ "client_id": bounded(self.client) });
        let mut note = json!({
            "revoked": self.kind().as_str(),
            "client_id": bounded(self.client),
            "ends": self.in_words(),
        });
        let put = |to: &mut Value, name: &str, value: String| {
            if let Some(members) = to.as_object_mut() {
                members.insert(name.to_owned(), Value::from(value));
            }
        };
        if let Some(address) = self.peer.address {
            put(&mut by, "address", address.to_canonical().to_string());
        }
        if let What::Token {
            issuer,
            subject,
            jti,
        } = self.what
        {
            for (name, value) in [("issuer", issuer), ("subject", subject), ("jti", jti)] {
                if let Some(value) = value {
                    put(&mut note, name, bounded(value));
                }
            }
        }
        if let Some(members) = note.as_object_mut() {
            members.insert("by".to_owned(), by);
        }
        let note = note.to_string();
        (note.len() <= Revocation::MAX_ABOUT).then(|| note.into())
    }

    fn kind(self) -> Revoked {
        match self.what {
            What::Token { .. } => Revoked::Token,
            What::Family | What::Reused => Revoked::RefreshToken,
        }
    }

    fn in_words(self) -> String {
        let client = bounded(self.client);
        let family = "every token that was or will be issued for a refresh token of the client";
        match self.what {
            What::Token {
                issuer,
                subject,
                jti,
            } => {
                let token = jti.map_or_else(
                    || "one token".to_owned(),
                    |jti| format!("the token {}", bounded(jti)),
                );
                format!(
                    "{token} of {}, about {}, and every token made from it",
                    bounded(issuer.unwrap_or("no issuer")),
                    bounded(subject.unwrap_or("no subject")),
                )
            }
            What::Family => format!("{family} {client} or its successors"),
            What::Reused => {
                format!("{family} {client} or its successors, because one was used twice")
            }
        }
    }
}

/// Notes are only for people, so long names are cut.
fn bounded(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::IdSource;

    fn peer() -> Peer {
        let ids = IdSource::new(&crate::clock::SystemRandomness).unwrap();
        Peer {
            address: "::ffff:192.0.2.7".parse().ok(),
            certificate: None,
            id: ids.request_id(),
        }
    }

    #[test]
    fn a_note_is_kept_however_long_the_names_are() {
        let peer = peer();
        let long = "\u{1f600}".repeat(5_000);
        for (client, name) in [("web", "alice"), (long.as_str(), long.as_str()), ("", "")] {
            let what = What::Token {
                issuer: Some(name),
                subject: Some(name),
                jti: None,
            };
            for what in [what, What::Family, What::Reused] {
                let ended = Ended {
                    client,
                    peer: &peer,
                    what,
                };
                let note = ended.note();
                // a note that is too long is omitted as a whole, never cut in the middle
                if let Some(note) = &note {
                    let note: Value = serde_json::from_str(note).unwrap();
                    assert_eq!(note["by"]["address"], "192.0.2.7");
                }
                assert!(note.is_some() || name.len() > 1_000, "{what:?}");
            }
        }
    }
}
