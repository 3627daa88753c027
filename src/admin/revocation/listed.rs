//! Lists the revocations in force.

use crate::{
    clock::UnixTime,
    store::{Reach, Revocation, RevocationKey, Revocations, RevokedBy},
};
use serde_json::{Map, Value, json};

/// The requested part of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::admin) struct Page {
    after: Option<RevocationKey>,
    most: usize,
}

/// Default number of entries on a page.
const USUAL: usize = 100;
/// Maximum number of entries on a page.
const MOST: usize = 500;

impl Page {
    /// Parses a query such as `after=<id>&limit=50`. Returns `None` for anything else.
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

    /// Returns the page as JSON.
    pub(super) fn of(self, revocations: &Revocations, now: UnixTime, stale: bool) -> Value {
        let found = revocations.page(self.after, self.most + 1);
        let mut keys: Vec<RevocationKey> = found.iter().map(|found| found.key).collect();
        keys.dedup();
        let last = match keys.get(self.most) {
            Some(_) => keys.get(self.most - 1).copied(),
            None => None,
        };
        // revocations that are no longer in force remain known until the next cleanup
        let listed = found
            .iter()
            .filter(|found| found.until > now && last.is_none_or(|last| found.key <= last));
        let listed: Vec<Value> = listed.map(described).collect();
        json!({
            "revocations": listed,
            "next": last.map(|last| last.to_string()),
            "known": revocations.len(),
            "stale": stale,
        })
    }
}

/// Returns one revocation: its names, its note, who made it and when it ends.
fn described(revocation: &Revocation) -> Value {
    let mut members = note_of(revocation).unwrap_or_default();
    members.remove("keys");
    for (name, value) in [
        ("id", json!(revocation.key.to_string())),
        ("revoked_by", json!(side(revocation.by))),
        ("at", json!(revocation.at.as_secs())),
        ("until", json!(revocation.until.as_secs())),
        ("issued_later_too", json!(revocation.reach == Reach::Always)),
    ] {
        members.insert(name.to_owned(), value);
    }
    Value::Object(members)
}

pub(in crate::admin) const fn side(by: RevokedBy) -> &'static str {
    match by {
        RevokedBy::Operator => "operator",
        RevokedBy::Client => "client",
    }
}

/// Returns the note that was stored with a revocation.
pub(super) fn note_of(revocation: &Revocation) -> Option<Map<String, Value>> {
    let about = revocation.about.as_deref()?;
    serde_json::from_str(about).ok()
}

/// Returns the other keys that were revoked together with this one: a token has two.
pub(super) fn siblings(revocation: &Revocation) -> Vec<RevocationKey> {
    let note = note_of(revocation).unwrap_or_default();
    let keys = note.get("keys").and_then(Value::as_array);
    let keys = keys.into_iter().flatten().filter_map(Value::as_str);
    keys.filter_map(|key| key.parse().ok()).collect()
}
