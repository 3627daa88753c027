//! The issuers, clients and keys that the configuration knows: a revocation that names another ends nothing.

use super::NotDone;
use crate::verify::TrustedIssuer;
use std::{collections::BTreeSet, fmt, sync::Arc};

/// What the configuration knows.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The trusted issuers, and the gateway itself.
    pub issuers: Vec<KnownIssuer>,
    /// Every client that the configuration names.
    pub clients: BTreeSet<String>,
}

/// An issuer that the configuration knows.
#[derive(Debug, Clone)]
pub struct KnownIssuer {
    /// Its name in the configuration; none for the gateway itself.
    pub name: Option<Box<str>>,
    /// `iss` of its tokens.
    pub url: Box<str>,
    /// The keys that it publishes.
    pub keys: Arc<dyn KeyIds>,
}

/// Knows the ids of an issuer's keys.
pub trait KeyIds: Send + Sync + fmt::Debug {
    /// The ids at this moment; none where the keys are not known at all.
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

/// How many names an error lists at most.
const LISTED: usize = 20;

impl Known {
    /// The issuer with that name or URL.
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

    /// The issuer with that URL.
    pub(super) fn issuer_url(&self, url: &str) -> Result<(), NotDone> {
        if self.issuers.iter().any(|known| *known.url == *url) {
            return Ok(());
        }
        // names that nobody has: the error lists those that there are
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
