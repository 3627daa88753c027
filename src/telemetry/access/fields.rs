//! The fields of a line in the access log.

use crate::settings::Building;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Changes the fields of the access log. Every line has `ts`, `route`, `status`, `outcome`, `reason` and
/// `request_id`. By default a line also has all other fields except `http_version` and `attempts`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccessFieldsSettings {
    /// Fields to add that are not logged by default.
    pub add: Vec<AccessField>,
    /// Fields to omit.
    pub remove: Vec<AccessField>,
}

macro_rules! fields {
    ($($(#[$doc:meta])+ $name:ident;)+) => {
        /// A field of the access log that the configuration can add or remove.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum AccessField { $($(#[$doc])+ $name,)+ }

        impl AccessField {
            /// Every field.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];
        }
    };
}

fields! {
    /// The name of the trusted issuer.
    Issuer;
    /// If the token is refused after its signature was verified: the subject, as its issuer names it.
    Subject;
    /// `sub` of the token sent to the API.
    Sub;
    /// The calling application. At the token service: the client, after it has authenticated.
    ClientId;
    /// The actor: `act.sub` of the token sent to the API.
    Actor;
    /// `jti` of the token sent to the API, the same as in the audit log.
    Jti;
    /// The request method. A method that is not in capitals is logged as `OTHER`.
    Method;
    /// The host that the client requested, at most 255 bytes.
    Host;
    /// The path as received, without the query, at most 1 KiB.
    Path;
    /// Address and port of the upstream server.
    Target;
    /// A description of why the request was refused.
    Detail;
    /// The result of the cache lookup.
    Cache;
    /// Time from the end of the request head to the end of the response, in microseconds.
    DurationUs;
    /// Time that the request waited for an exchange, in microseconds.
    ExchangeUs;
    /// Time until the upstream sent its response head, in microseconds.
    UpstreamUs;
    /// The W3C trace id.
    TraceId;
    /// The client's address.
    Client;
    /// The HTTP version of the client's request. Not logged by default.
    HttpVersion;
    /// Number of upstream servers that were tried. Not logged by default.
    Attempts;
}

/// A set of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessFields(u32);

/// The fields whose values come from a decision. They are the first ones, in the order of the decision.
pub(super) const OF_DECISION: [AccessField; 6] = [
    AccessField::Issuer,
    AccessField::Subject,
    AccessField::Sub,
    AccessField::ClientId,
    AccessField::Actor,
    AccessField::Jti,
];
const DECISION: u32 = 0b11_1111;

impl Default for AccessFields {
    fn default() -> Self {
        let all = AccessField::ALL
            .iter()
            .fold(0, |all, field| all | field.bit());
        Self(all & !AccessField::HttpVersion.bit() & !AccessField::Attempts.bit())
    }
}

impl AccessField {
    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl AccessFields {
    /// Returns `true` if `field` is in the set.
    pub const fn has(self, field: AccessField) -> bool {
        self.0 & field.bit() != 0
    }

    /// Returns `true` if all fields of a decision are in the set.
    pub(super) const fn has_whole_decision(self) -> bool {
        self.0 & DECISION == DECISION
    }
}

impl AccessFieldsSettings {
    /// Returns the fields. Reports a finding if a field is both added and removed.
    pub(super) fn build(&self, building: &mut Building<'_>) -> Option<AccessFields> {
        if let Some(both) = self.add.iter().find(|field| self.remove.contains(field)) {
            let name = serde_json::to_value(both).unwrap_or_default();
            building.findings.error(
                format!(
                    "{} is both added and removed",
                    name.as_str().unwrap_or_default()
                ),
                "name it in add or in remove, not in both",
            );
            return None;
        }
        let set = |fields: &[AccessField]| fields.iter().fold(0, |set, field| set | field.bit());
        let AccessFields(default) = AccessFields::default();
        Some(AccessFields(
            (default | set(&self.add)) & !set(&self.remove),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fields_are_those_of_a_decision_in_its_order() {
        assert_eq!(AccessField::ALL[..6], OF_DECISION);
        let of_decision = OF_DECISION.iter().fold(0, |set, field| set | field.bit());
        assert_eq!(of_decision, DECISION);
        assert!(AccessFields::default().has_whole_decision());
        assert!(AccessField::ALL.len() <= 32);
    }
}
