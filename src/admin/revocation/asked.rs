//! The bodies of `POST` and `DELETE /revocations`.

use super::NotDone;
use crate::{
    settings::HumanDuration,
    store::{Reach, RevocationKey, RevokedBy},
    telemetry::Revoked,
    token::RawToken,
};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::time::Duration;

/// What is revoked: the one member of the body that is not an option.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Target {
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

/// How long a revocation is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Until everything that it ends has expired.
    AsNeeded,
    For(Duration),
    Forever,
}

/// Decides about names that are not in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    Refused,
    Taken,
}

/// A request to revoke.
#[derive(Debug)]
pub(in crate::admin) struct AskedToRevoke {
    pub(super) target: Target,
    pub(super) hold: Hold,
    pub(super) unknown: Unknown,
}

/// A request to lift a revocation.
#[derive(Debug)]
pub(in crate::admin) struct AskedToLift {
    pub(super) what: Liftable,
    pub(super) by: RevokedBy,
}

#[derive(Debug)]
pub(super) enum Liftable {
    Target(Target),
    /// The id in the list of revocations.
    Id(RevocationKey),
}

impl AskedToRevoke {
    /// Parses the body.
    pub(in crate::admin) fn read(body: &[u8]) -> Result<Self, NotDone> {
        let mut members = members(body)?;
        let holds = members.remove("for");
        let hold = match (holds, flag(&mut members, "forever")?) {
            (Some(_), true) => return Err(NotDone::Malformed),
            (None, true) => Hold::Forever,
            (None, false) => Hold::AsNeeded,
            (Some(written), false) => {
                let written: HumanDuration =
                    serde_json::from_value(written).map_err(|_| NotDone::Malformed)?;
                Hold::For(written.get())
            }
        };
        let unknown = match flag(&mut members, "force")? {
            true => Unknown::Taken,
            false => Unknown::Refused,
        };
        let target = target(members)?;
        match (hold, &target) {
            (Hold::AsNeeded, Target::Client { .. } | Target::SigningKey { .. }) => {
                Err(NotDone::HowLong)
            }
            // times are in whole seconds, so a shorter time would have no effect
            (Hold::For(holds), _) if holds.as_secs() == 0 => Err(NotDone::NoTime),
            (Hold::Forever, Target::Client { .. } | Target::SigningKey { .. })
            | (Hold::AsNeeded | Hold::For(_), _) => Ok(Self {
                target,
                hold,
                unknown,
            }),
            (Hold::Forever, _) => Err(NotDone::NotForever),
        }
    }
}

impl AskedToLift {
    /// Parses the body.
    pub(in crate::admin) fn read(body: &[u8]) -> Result<Self, NotDone> {
        let mut members = members(body)?;
        let by = match members.remove("revoked_by") {
            None => RevokedBy::Operator,
            Some(Value::String(by)) if by == "operator" => RevokedBy::Operator,
            Some(Value::String(by)) if by == "client" => RevokedBy::Client,
            Some(_) => return Err(NotDone::Malformed),
        };
        let what = match members.remove("id") {
            None => Liftable::Target(target(members)?),
            Some(Value::String(id)) if members.is_empty() => {
                Liftable::Id(id.parse().map_err(|_| NotDone::Malformed)?)
            }
            Some(_) => return Err(NotDone::Malformed),
        };
        Ok(Self { what, by })
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

    pub(super) fn issuer(&self) -> Option<&str> {
        match self {
            Self::Subject { issuer, .. }
            | Self::Actor { issuer, .. }
            | Self::Session { issuer, .. }
            | Self::SigningKey { issuer, .. } => Some(issuer),
            Self::Client { .. } | Self::Token { .. } => None,
        }
    }

    pub(super) fn kind(&self) -> Revoked {
        match self {
            Self::Subject { .. } => Revoked::Subject,
            Self::Actor { .. } => Revoked::Actor,
            Self::Session { .. } => Revoked::Session,
            Self::Client { .. } => Revoked::Client,
            Self::SigningKey { .. } => Revoked::SigningKey,
            Self::Token { .. } => Revoked::Token,
        }
    }

    pub(super) fn reach(&self) -> Reach {
        match self {
            // a user who signs in again is served again
            Self::Subject { .. } | Self::Actor { .. } | Self::Session { .. } => Reach::Earlier,
            Self::Client { .. } | Self::SigningKey { .. } | Self::Token { .. } => Reach::Always,
        }
    }
}

fn members(body: &[u8]) -> Result<Map<String, Value>, NotDone> {
    serde_json::from_slice(body).map_err(|_| NotDone::Malformed)
}

fn flag(members: &mut Map<String, Value>, name: &str) -> Result<bool, NotDone> {
    match members.remove(name) {
        None => Ok(false),
        Some(Value::Bool(set)) => Ok(set),
        Some(_) => Err(NotDone::Malformed),
    }
}

fn target(members: Map<String, Value>) -> Result<Target, NotDone> {
    let target: Target =
        serde_json::from_value(Value::Object(members)).map_err(|_| NotDone::Malformed)?;
    if target.texts().iter().any(|text| text.is_empty()) {
        return Err(NotDone::Malformed);
    }
    Ok(target)
}

fn raw_token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RawToken, D::Error> {
    String::deserialize(deserializer).map(|text| RawToken::from(text.trim().to_owned()))
}
