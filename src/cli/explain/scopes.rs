//! The decision on each scope.

use crate::telemetry::ScopeSteps;
use serde::Serialize;

/// One scope and the decision on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ScopeReport {
    /// Its name as the API knows it, or the original name if the map replaces it.
    pub(super) scope: String,
    /// What was decided.
    pub(super) fate: Fate,
    /// What decided it.
    pub(super) by: By,
    /// The names by which the map replaces it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) becomes: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fate {
    /// It is in the issued token, or would be if nothing else refused the request.
    Kept,
    Dropped,
    /// The map replaces it by other names.
    Replaced,
    /// It is requested or required, but the token does not grant it.
    NotHeld,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum By {
    /// What the presented token grants.
    Subject,
    /// The route's map.
    Map,
    /// The ceiling of the calling client.
    Client,
    /// The route's ceiling.
    Route,
    /// What the operation requests.
    Operation,
    /// What the route or the operation requires.
    Require,
}

/// Returns the decision on every scope that is granted, requested or required.
pub(super) fn fates(steps: &ScopeSteps) -> Vec<ScopeReport> {
    let report = |scope: &str, fate, by| ScopeReport {
        scope: scope.to_owned(),
        fate,
        by,
        becomes: Vec::new(),
    };
    let replaced = steps.replaced.iter().map(|(scope, by)| ScopeReport {
        becomes: by.iter().map(str::to_owned).collect(),
        ..report(scope, Fate::Replaced, By::Map)
    });
    let held = steps.mapped.iter().map(|scope| {
        if !steps.within_client.contains(scope) {
            report(scope, Fate::Dropped, By::Client)
        } else if !steps.allowed.contains(scope) {
            report(scope, Fate::Dropped, By::Route)
        } else if !steps.requested.contains(scope) {
            report(scope, Fate::Dropped, By::Operation)
        } else {
            report(scope, Fate::Kept, By::Subject)
        }
    });
    let wanted = steps.required.union(&steps.requested);
    let lacking = wanted.difference(&steps.mapped);
    let lacking = lacking.iter().map(|scope| {
        let by = match steps.required.contains(scope) {
            true => By::Require,
            false => By::Subject,
        };
        report(scope, Fate::NotHeld, by)
    });
    replaced.chain(held).chain(lacking).collect()
}

impl ScopeReport {
    /// Returns the decision as text.
    pub(super) fn words(&self) -> String {
        let words = match (self.fate, self.by) {
            (Fate::Kept, _) => "kept",
            (Fate::Replaced, _) if self.becomes.is_empty() => {
                "dropped by the map: it maps to nothing"
            }
            (Fate::Replaced, _) => {
                return format!("replaced by the map: {}", self.becomes.join(" "));
            }
            (Fate::NotHeld, By::Require) => "required but not granted",
            (Fate::NotHeld, _) => "requested but not granted",
            (Fate::Dropped, By::Client) => "dropped: above the client's ceiling",
            (Fate::Dropped, By::Operation) => "dropped: the operation does not request it",
            (Fate::Dropped, By::Subject | By::Map | By::Route | By::Require) => {
                "dropped: the route does not allow it"
            }
        };
        words.to_owned()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::token::ScopeSet;

    fn set(text: &str) -> ScopeSet {
        ScopeSet::parse(text).unwrap()
    }

    #[test]
    fn each_scope_has_one_fate_and_whoever_decided_it() {
        let steps = ScopeSteps {
            held: set("a b c d old"),
            replaced: vec![("old".to_owned(), set("new"))],
            mapped: set("a b c d new"),
            within_client: set("a b c new"),
            allowed: set("a b e new"),
            requested: set("a e new"),
            required: set("f"),
        };
        let fates: Vec<_> = fates(&steps)
            .into_iter()
            .map(|report| (report.scope, report.fate, report.by))
            .collect();
        let expected = [
            ("old", Fate::Replaced, By::Map),
            ("a", Fate::Kept, By::Subject),
            ("b", Fate::Dropped, By::Operation),
            ("c", Fate::Dropped, By::Route),
            ("d", Fate::Dropped, By::Client),
            ("new", Fate::Kept, By::Subject),
            ("e", Fate::NotHeld, By::Subject),
            ("f", Fate::NotHeld, By::Require),
        ];
        assert_eq!(
            fates,
            expected.map(|(scope, fate, by)| (scope.to_owned(), fate, by))
        );
    }
}
