//! The caller: the admin credential, and the address that the request came from.

use crate::telemetry::AuditedBy;
use serde_json::{Value, json};
use std::net::IpAddr;

/// An operator, as far as the gateway can distinguish them.
#[derive(Debug, Clone, Copy)]
pub(in crate::admin) struct Caller {
    /// The name of the credential in the configuration, never the credential itself.
    pub(in crate::admin) credential: &'static str,
    /// The address that the request came from.
    pub(in crate::admin) address: Option<IpAddr>,
}

impl Caller {
    pub(super) fn audited(&self) -> AuditedBy<'static> {
        AuditedBy {
            credential: Some(self.credential),
            client_id: None,
            address: self.address,
        }
    }

    pub(super) fn to_json(self) -> Value {
        match self.address {
            Some(address) => {
                json!({"credential": self.credential, "address": address.to_canonical()})
            }
            None => json!({"credential": self.credential}),
        }
    }
}
