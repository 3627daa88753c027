//! Refuses keys without a value.
//!
//! A template without values or a commented-out item leaves such keys. If an empty key counted as absent, it would
//! switch off what the key is meant to enable: `tls:` would be plain http. Therefore empty values are refused at any
//! depth, except where the documentation defines their meaning.

use crate::settings::{Findings, Segment, Severity};
use serde_yaml::{Mapping, Value};
use std::collections::HashSet;

/// The lists and mappings that may be empty, and what that means. None of them is one whose absence permits more.
const MAY_BE_EMPTY: [(&str, &str); 16] = [
    ("clients[].introspects", "it introspects no tokens"),
    ("clients[].resources", "no resource maps to an audience"),
    ("clients[].scope.allow", "it gets tokens without scope"),
    ("clients[].subjects_of", "only tokens of its own subjects"),
    (
        "clients[].impersonation.may_act_for",
        "no users to impersonate",
    ),
    ("routes[].cors.headers", "scripts set no field"),
    ("routes[].exchange.scope.allow", "the API uses no scopes"),
    ("routes[].exchange.scope.map.*", "the scope is dropped"),
    (
        "routes[].exchange.scope.operations[].scope",
        "the API uses no scopes",
    ),
    ("routes[].exchange.token.claims.copy", "no claim is copied"),
    ("routes[].request.cookies", "no cookie is forwarded"),
    ("routes[].request.headers.remove", "nothing is removed"),
    ("routes[].request.headers.set", "nothing is set"),
    (
        "routes[].response.pass_headers",
        "no further field is forwarded",
    ),
    (
        "routes[].response.relay_challenges",
        "no challenge is forwarded",
    ),
    (
        "store.redis.tls",
        "TLS, verified by the system's certificates",
    ),
];

const WHY: &str = "a template or a commented-out line may have left it empty, and without the key more is permitted";
/// Maximum number of findings about one item.
const MAX_SHOWN: usize = 100;

/// Reports the keys and items of `value` that are null, except those that already have a finding after `before`.
pub(super) fn refuse_nothing(value: &Value, before: usize, findings: &mut Findings) {
    let mut places = Vec::new();
    collect(value, &mut Vec::new(), &mut places, &|value, _| {
        value.is_null().then_some("nothing")
    });
    if places.is_empty() {
        return;
    }
    let known = Known::since(before, findings);
    let here = findings.path().segments().to_vec();
    for (place, _) in places {
        if !known.covers(&[here.as_slice(), place.as_slice()].concat()) {
            findings.within_path(&place, refuse_null);
        }
    }
}

/// Reports the blank texts and the empty collections of the file, except those that already have a finding and those in
/// [`MAY_BE_EMPTY`].
pub(super) fn refuse_blank(root: &Mapping, findings: &mut Findings) {
    let mut places = Vec::new();
    let is_empty = |value: &Value, place: &[Segment]| match value {
        Value::String(text) if text.trim().is_empty() => Some("an empty text"),
        Value::Sequence(items) if items.is_empty() && !may_be_empty(place) => Some("an empty list"),
        Value::Mapping(mapping) if mapping.is_empty() && !may_be_empty(place) => {
            Some("a mapping without keys")
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Sequence(_)
        | Value::Mapping(_)
        | Value::Tagged(_) => None,
    };
    for (key, value) in root {
        let key = key.as_str().map(Segment::from);
        collect(
            value,
            &mut key.into_iter().collect(),
            &mut places,
            &is_empty,
        );
    }
    if places.is_empty() {
        return;
    }
    let known = Known::since(0, findings);
    for (place, found) in places {
        if !known.covers(&place) {
            findings.within_path(&place, |findings| refuse(found, findings));
        }
    }
}

/// Reports every lone `*` where patterns are not supported: `methods: ['*']` would permit only a method named `*`.
pub(super) fn refuse_stars(root: &Mapping, findings: &mut Findings) {
    let mut places = Vec::new();
    let is_star = |value: &Value, place: &[Segment]| {
        let is_free = || STARS.iter().any(|pattern| matches(pattern, place));
        (value.as_str().is_some_and(|text| text.trim() == "*") && !is_free()).then_some("*")
    };
    for (key, value) in root {
        let key = key.as_str().map(Segment::from);
        collect(value, &mut key.into_iter().collect(), &mut places, &is_star);
    }
    if places.is_empty() {
        return;
    }
    let known = Known::since(0, findings);
    for (place, _) in places {
        if !known.covers(&place) {
            findings.within_path(&place, |findings| {
                findings.error_because(
                    "\"*\" is not a wildcard here",
                    "it would be compared literally, and match nothing",
                    "list each value; to mean all values, remove the key if it is optional",
                );
            });
        }
    }
}

/// Where `*` is permitted: every origin, a scope with that name, and values that the operator chooses.
const STARS: [&str; 12] = [
    "clients[].scope.allow[]",
    "routes[].cors.origins[]",
    "routes[].exchange.scope.allow[]",
    "routes[].exchange.scope.map.*[]",
    "routes[].exchange.scope.operations[].require[]",
    "routes[].exchange.scope.operations[].scope[]",
    "routes[].exchange.scope.require[]",
    "routes[].exchange.token.claims.set.*",
    "routes[].exchange.token.claims.set.*[]",
    "routes[].request.headers.set[].value",
    "trusted_issuers[].required_claims.*",
    "trusted_issuers[].roles.grants[].scope[]",
];

/// Reports that the current key has no value.
pub(super) fn refuse_null(findings: &mut Findings) {
    refuse("nothing", findings);
}

fn refuse(found: &str, findings: &mut Findings) {
    findings.error_because(
        format!("expected a value, found {found}"),
        WHY,
        "write a value, or remove the key",
    );
}

fn may_be_empty(place: &[Segment]) -> bool {
    MAY_BE_EMPTY
        .iter()
        .any(|(written, _)| matches(written, place))
}

/// Returns `true` if `place` matches `pattern`, in which `[]` is any item and `*` any key.
fn matches(pattern: &str, place: &[Segment]) -> bool {
    let mut steps = pattern
        .split('.')
        .flat_map(|step| match step.strip_suffix("[]") {
            Some(key) => vec![key, "[]"],
            None => vec![step],
        });
    let fits = place.iter().all(|segment| match (segment, steps.next()) {
        (Segment::Index(_), Some("[]")) | (Segment::Key(_), Some("*")) => true,
        (Segment::Key(key), Some(step)) => key == step,
        (Segment::Index(_), Some(_)) | (_, None) => false,
    });
    fits && steps.next().is_none()
}

/// Collects the places for which `is_empty` returns a description, together with this description.
fn collect(
    value: &Value,
    place: &mut Vec<Segment>,
    places: &mut Vec<(Vec<Segment>, &'static str)>,
    is_empty: &impl Fn(&Value, &[Segment]) -> Option<&'static str>,
) {
    if places.len() == MAX_SHOWN {
        return;
    }
    if let Some(found) = is_empty(value, place) {
        places.push((place.clone(), found));
        return;
    }
    let mut step = |segment: Segment, value: &Value| {
        place.push(segment);
        collect(value, place, places, is_empty);
        place.pop();
    };
    match value {
        Value::Mapping(mapping) => {
            for (key, value) in mapping {
                if let Some(key) = key.as_str() {
                    step(Segment::from(key), value);
                }
            }
        }
        Value::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                step(Segment::Index(index), item);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Tagged(_) => {}
    }
}

/// The places that have findings.
struct Known {
    places: HashSet<Vec<Segment>>,
    /// These places and all their parents.
    above: HashSet<Vec<Segment>>,
}

impl Known {
    fn since(before: usize, findings: &Findings) -> Self {
        let mut known = Self {
            places: HashSet::new(),
            above: HashSet::new(),
        };
        let errors = findings.since(before).iter();
        for finding in errors.filter(|finding| finding.severity == Severity::Error) {
            let place = finding.path.segments();
            known.places.insert(place.to_vec());
            for length in 0..=place.len() {
                known
                    .above
                    .insert(place.get(..length).unwrap_or_default().to_vec());
            }
        }
        known
    }

    /// Returns `true` if `place`, one of its parents or something inside it has a finding.
    fn covers(&self, place: &[Segment]) -> bool {
        let within = |length| {
            let above: &[Segment] = place.get(..length).unwrap_or_default();
            self.places.contains(above)
        };
        self.above.contains(place) || (1..place.len()).any(within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(steps: &[&str]) -> Vec<Segment> {
        let segment = |step: &&str| match step.parse::<usize>() {
            Ok(index) => Segment::Index(index),
            Err(_) => Segment::Key((*step).to_owned()),
        };
        steps.iter().map(segment).collect()
    }

    #[test]
    fn a_pattern_stands_for_any_item_and_any_key_and_for_whole_places() {
        let allow = "routes[].exchange.scope.allow";
        assert!(matches(
            allow,
            &place(&["routes", "7", "exchange", "scope", "allow"])
        ));
        assert!(!matches(
            allow,
            &place(&["routes", "7", "exchange", "scope"])
        ));
        assert!(!matches(
            allow,
            &place(&["routes", "7", "exchange", "scope", "allow", "0"])
        ));
        assert!(!matches(
            allow,
            &place(&["routes", "exchange", "scope", "allow"])
        ));
        let map = "routes[].exchange.scope.map.*";
        assert!(matches(
            map,
            &place(&["routes", "0", "exchange", "scope", "map", "a.b"])
        ));
    }
}
