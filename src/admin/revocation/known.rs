//! The issuers, clients and keys in the configuration. A revocation that names any other has no effect.

use super::NotDone;
use crate::verify::TrustedIssuer;
use std::{collections::BTreeSet, fmt, sync::Arc};

/// The names in the configuration.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The trusted issuers, and the gateway itself.
    pub issuers: Vec<KnownIssuer>,
    /// All clients in the configuration.
    pub clients: BTreeSet<String>,
}

/// An issuer in the configuration.
#[derive(Debug, Clone)]
pub struct KnownIssuer {
    /// Its name in the configuration; `None` for the gateway itself.
    pub name: Option<Box<str>>,
    /// The `iss` of its tokens.
    pub url: Box<str>,
    /// The keys that it publishes.
    pub keys: Arc<dyn KeyIds>,
}

/// Lists the ids of an issuer's keys.
pub trait KeyIds: Send + Sync + fmt::Debug {
    /// Returns the current ids, or `None` if the keys have not been fetched.
    fn key_ids(&self) -> Option<Vec<Box<str>>>;
}

impl KeyIds for TrustedIssuer {
    fn key_ids(&self) -> Option<Vec<Box<str>>> {
        Self::key_ids(self)
    }
}

impl KeyIds for Vec<Box<str>> {
    fn key_ids(&self) -> Option<Vec<Box<str>>> {
        Some(self.clone())
    }
}

/// Maximum number of names in an error.
const LISTED: usize = 20;

impl Known {
    /// Returns the issuer with this name or URL.
    pub(super) fn issuer(&self, written: &str) -> Result<&KnownIssuer, NotDone> {
        let known = self.issuers.iter();
        let mut known =
            known.filter(|known| known.name.as_deref() == Some(written) || *known.url == *written);
        known.next().ok_or_else(|| {
            let names = self.issuers.iter().map(|known| match &known.name {
                Some(name) => format!("{name} ({})", known.url),
                None => format!("{} (the gateway itself)", known.url),
            });
            NotDone::UnknownIssuer(listed(names))
        })
    }

    /// Checks that there is an issuer with this URL.
    pub(super) fn issuer_url(&self, url: &str) -> Result<(), NotDone> {
        if self.issuers.iter().any(|known| *known.url == *url) {
            return Ok(());
        }
        // no issuer has an empty name: the error lists the known issuers
        self.issuer("").map(drop)
    }

    pub(super) fn check_client(&self, id: &str) -> Result<(), NotDone> {
        if self.clients.contains(id) {
            return Ok(());
        }
        Err(NotDone::UnknownClient(listed(self.clients.iter())))
    }
}

impl KnownIssuer {
    pub(super) fn check_key(&self, kid: &str) -> Result<(), NotDone> {
        match self.keys.key_ids() {
            None => Err(NotDone::KeysNotThere),
            Some(ids) if ids.iter().any(|id| **id == *kid) => Ok(()),
            Some(ids) => Err(NotDone::UnknownKey(listed(ids.iter()))),
        }
    }
}

fn listed(names: impl Iterator<Item: fmt::Display>) -> String {
    let mut names: Vec<String> = names
        .map(|name| name.to_string())
        .take(LISTED + 1)
        .collect();
    if names.len() > LISTED {
        names.truncate(LISTED);
        names.push("…".to_owned());
    }
    if names.is_empty() {
        return "none".to_owned();
    }
    names.join(", ")
}
