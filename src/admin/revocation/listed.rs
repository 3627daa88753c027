//! Which revocations are in force.

use crate::{
    clock::UnixTime,
    store::{Reach, Revocation, RevocationKey, Revocations, RevokedBy},
};
use serde_json::{Map, Value, json};

/// Which part of the list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::admin) struct Page {
    after: Option<RevocationKey>,
    most: usize,
}

/// How many are listed where nothing is said.
const USUAL: usize = 100;
/// How many are listed at most.
const MOST: usize = 500;

impl Page {
    /// From a query such as `after=<id>&limit=50`; none of anything else.
    pub(in crate::admin) fn read(query: Option<&str>) -> Option<Self> {
        let mut page = Self {
            after: None,
            most: USUAL,
        };
        let pairs = query.unwrap_or_default().split('&');
        for pair in pairs.filter(|pair| !pair.is_empty()) {
            match pair.split_once('=')? {
                ("after", id) => page.after = Some(id.parse().ok()?),
                ("limit", most) => {
                    page.most = most.parse().ok().filter(|most| (1..=MOST).contains(most))?
                }
                _ => return None,
            }
        }
        Some(page)
    }

    /// The page, as JSON.
    pub(super) fn of(self, revocations: &Revocations, now: UnixTime, stale: bool) -> Value {
        let found = revocations.page(self.after, self.most + 1);
        let mut keys: Vec<RevocationKey> = found.iter().map(|found| found.key).collect();
        keys.dedup();
        let last = match keys.get(self.most) {
            Some(_) => keys.get(self.most - 1).copied(),
            None => None,
        };
        // what has ended is still known until it is swept
        let listed = found
            .iter()
            .filter(|found| found.until > now && last.is_none_or(|last| found.key <= last));
        let listed: Vec<Value> = listed.map(told).collect();
        json!({
            "revocations": listed,
            "next": last.map(|last| last.to_string()),
            "known": revocations.len(),
            "stale": stale,
        })
    }
}

/// One revocation: what it is called, what was noted about it, who made it and until when it is in force.
fn told(revocation: &Revocation) -> Value {
    let mut told = note_of(revocation).unwrap_or_default();
    told.remove("keys");
    for (name, value) in [
        ("id", json!(revocation.key.to_string())),
        ("revoked_by", json!(side(revocation.by))),
        ("at", json!(revocation.at.as_secs())),
        ("until", json!(revocation.until.as_secs())),
        ("issued_later_too", json!(revocation.reach == Reach::Always)),
    ] {
        told.insert(name.to_owned(), value);
    }
    Value::Object(told)
}

pub(in crate::admin) const fn side(by: RevokedBy) -> &'static str {
    match by {
        RevokedBy::Operator => "operator",
        RevokedBy::Client => "client",
    }
}

/// What was noted about a revocation when it was made.
pub(super) fn note_of(revocation: &Revocation) -> Option<Map<String, Value>> {
    let about = revocation.about.as_deref()?;
    serde_json::from_str(about).ok()
}

/// The other keys of what was revoked as one thing with this: a token has two.
pub(super) fn siblings(revocation: &Revocation) -> Vec<RevocationKey> {
    let note = note_of(revocation).unwrap_or_default();
    let keys = note.get("keys").and_then(Value::as_array);
    let keys = keys.into_iter().flatten().filter_map(Value::as_str);
    keys.filter_map(|key| key.parse().ok()).collect()
}
