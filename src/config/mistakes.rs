//! Reports every mistake that prevents a value from being read as the expected type.
//!
//! serde stops at the first mistake. Therefore each mistake is reported and removed, and the rest is read again, until
//! it can be read. The result is findings, never a value. There are at most [`MAX_MISTAKES`] attempts. A misspelt key
//! is not also reported as missing. A fix that shows a value shows only one that can be read.

use super::{
    describe::{describe, missing, shown},
    empty::refuse_null,
    mistake::{Mistake, expectation},
    suggest::unknown,
};
use crate::settings::{Findings, Segment};
use serde::de::DeserializeOwned;
use serde_path_to_error as located;
use serde_yaml::{Mapping, Value};

/// Maximum number of findings about one item.
const MAX_MISTAKES: usize = 100;

/// A value that is read repeatedly, with fewer mistakes each time.
pub(super) struct Mistakes<'v> {
    written: &'v Value,
    rest: Value,
    /// What was removed, and what was meant by it, as it is written in the file.
    taken: Vec<Vec<Segment>>,
    /// The number of items that were removed from the front of a list.
    skipped: Vec<(Vec<Segment>, usize)>,
}

impl<'v> Mistakes<'v> {
    /// Takes `value`, which cannot be read.
    pub(super) fn of(value: &'v Value) -> Self {
        Self {
            written: value,
            rest: value.clone(),
            taken: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// Reports why the value cannot be read as a `T`.
    pub(super) fn report<T: DeserializeOwned>(mut self, findings: &mut Findings) {
        for _ in 0..MAX_MISTAKES {
            let Err(error) = located::deserialize::<_, T>(&self.rest) else {
                return;
            };
            let mistake = Mistake::parse(&error.inner().to_string());
            let mut path = segments(error.path());
            path.extend(mistake.inner_key(path.last()));
            if matches!(mistake, Mistake::MissingKey(_)) && self.is_in_nothing(&path) {
                path.pop();
                findings.within_path(&self.in_file(&path), refuse_null);
                if !self.take_away(path) {
                    return;
                }
                continue;
            }
            let place = self.in_file(&path);
            let follows = matches!(mistake, Mistake::MissingKey(_)) && self.taken.contains(&place);
            if !follows {
                let remedy = self.remedy::<T>(&mistake, &path);
                findings.within_path(&place, |findings| {
                    self.report_one(mistake, &place, remedy, findings);
                });
            }
            if !self.take_away(path) {
                return;
            }
        }
    }

    /// Returns `true` if the key at `path` is missing because its mapping is null, which serde reads as an empty
    /// mapping.
    fn is_in_nothing(&self, path: &[Segment]) -> bool {
        let parent = path.split_last().map(|(_, parent)| parent);
        parent
            .and_then(|parent| at(&self.rest, parent))
            .is_some_and(Value::is_null)
    }

    fn report_one(
        &mut self,
        mistake: Mistake,
        place: &[Segment],
        remedy: Option<String>,
        findings: &mut Findings,
    ) {
        match mistake {
            Mistake::UnknownKey { key, known } => {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let (Some((_, parent)), nothing) = (place.split_last(), Mapping::new()) else {
                    return;
                };
                let beside = at(self.written, parent).and_then(Value::as_mapping);
                let meant = unknown(&key, &known, beside.unwrap_or(&nothing), findings);
                if let Some(meant) = meant {
                    let meant = Segment::Key(meant.to_owned());
                    self.taken.push([parent, &[meant]].concat());
                }
            }
            Mistake::MissingKey(key) => missing(&key, findings),
            Mistake::UnknownChoice { found, known } => {
                let known = known.join(", ");
                let found = shown(&format!("{found:?}"));
                findings.error(
                    format!("expected one of {known}, found {found}"),
                    format!("write one of {known}"),
                );
            }
            Mistake::WrittenSecret { found } => findings.error_because(
                format!("expected a mapping, found {found}"),
                "secrets must not be written in this file",
                "write { env: NAME } or { file: PATH }, the source of the secret",
            ),
            Mistake::Unexpected { found, expected } => {
                let remedy = remedy.unwrap_or_else(|| plain_remedy(&expected, &found));
                findings.error(format!("expected {expected}, found {found}"), remedy);
            }
            Mistake::Other { what, fix } => {
                let fix = fix.or(remedy).unwrap_or_else(|| match expectation(&what) {
                    Some(expected) => format!("write {expected}"),
                    None => "change the value".to_owned(),
                });
                findings.error(what, fix);
            }
        }
    }

    /// Returns a fix that shows the value which was probably meant, if it can be read in place of the written one.
    fn remedy<T: DeserializeOwned>(&self, mistake: &Mistake, path: &[Segment]) -> Option<String> {
        if !matches!(mistake, Mistake::Unexpected { .. } | Mistake::Other { .. }) {
            return None;
        }
        let candidate = |value: Value, text: String| self.fits::<T>(path, value).then_some(text);
        match at(&self.rest, path)? {
            Value::String(text) => {
                let names: Vec<&str> = names(text).collect();
                let items = names.iter().map(|name| Value::from(*name)).collect();
                let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
                candidate(
                    Value::Sequence(items),
                    shown(&format!("write it as a list: [{}]", quoted.join(", "))),
                )
            }
            scalar @ (Value::Number(_) | Value::Bool(_)) => {
                let text = describe(scalar);
                candidate(
                    Value::from(text.as_str()),
                    format!("put it in quotes: \"{text}\""),
                )
                .or_else(|| {
                    let list = Value::Sequence(vec![scalar.clone()]);
                    candidate(list, format!("write it as a list: [{text}]"))
                })
            }
            mapping @ Value::Mapping(_) => {
                let list = Value::Sequence(vec![mapping.clone()]);
                candidate(list, "put `- ` in front of each item".to_owned())
            }
            Value::Sequence(items) => {
                let [first, others @ ..] = items.as_slice() else {
                    return None;
                };
                let remedy = if first.is_mapping() {
                    "write it without `- ` and without brackets".to_owned()
                } else if others.is_empty() {
                    format!("write it without brackets: {}", describe(first))
                } else {
                    "write one of the values: this key is not a list".to_owned()
                };
                candidate(first.clone(), remedy)
            }
            Value::Null | Value::Tagged(_) => None,
        }
    }

    /// Returns `true` if `path` has no mistake when it contains `value`.
    fn fits<T: DeserializeOwned>(&self, path: &[Segment], value: Value) -> bool {
        let mut changed = self.rest.clone();
        let Some(place) = at_mut(&mut changed, path) else {
            return false;
        };
        *place = value;
        match located::deserialize::<_, T>(&changed) {
            Ok(_) => true,
            Err(error) => !segments(error.path()).starts_with(path),
        }
    }

    /// Removes the mistake at `path` from the rest: the key, the items of the list up to this one, or, if something is
    /// missing, its parent. Returns `false` if nothing would be left.
    fn take_away(&mut self, mut path: Vec<Segment>) -> bool {
        while let Some(last) = path.pop() {
            match (last, at_mut(&mut self.rest, &path)) {
                (Segment::Key(key), Some(Value::Mapping(mapping))) => {
                    if mapping.remove(&key).is_some() {
                        path.push(Segment::Key(key));
                        let place = self.in_file(&path);
                        self.taken.push(place);
                        return true;
                    }
                }
                (Segment::Index(index), Some(Value::Sequence(items))) if index < items.len() => {
                    items.drain(..=index);
                    self.skipped
                        .retain(|(list, _)| list == &path || !list.starts_with(&path));
                    self.skipped.push((path, index + 1));
                    return true;
                }
                (Segment::Key(_) | Segment::Index(_), _) => {}
            }
        }
        false
    }

    /// Returns the place in the file of `path` in the rest.
    fn in_file(&self, path: &[Segment]) -> Vec<Segment> {
        let place = path.iter().enumerate().map(|(depth, segment)| {
            let Segment::Index(index) = segment else {
                return segment.clone();
            };
            let list = path.get(..depth).unwrap_or_default();
            let before = self.skipped.iter().filter(|(at, _)| at == list);
            Segment::Index(index + before.map(|(_, count)| count).sum::<usize>())
        });
        place.collect()
    }
}

/// Returns the names in a text that was written instead of a list: `a b`, `a, b`.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', ',', '\t', '\n'])
        .filter(|name| !name.is_empty())
}

/// Returns the fix if no value can be shown.
fn plain_remedy(expected: &str, found: &str) -> String {
    match expected {
        "a mapping" => "write it as `key: value` lines, indented, or as { key: value }".to_owned(),
        "a list" if found == "nothing" => "write the list, or remove the key".to_owned(),
        "a list" => "write it as a list: one line that starts with `- ` for each item".to_owned(),
        _ => format!("write {expected}"),
    }
}

fn segments(path: &located::Path) -> Vec<Segment> {
    path.iter()
        .filter_map(|segment| match segment {
            located::Segment::Seq { index } => Some(Segment::Index(*index)),
            located::Segment::Map { key } => Some(Segment::Key(key.clone())),
            // The name of a variant is not part of a path in the file; an unknown step cannot be named.
            located::Segment::Enum { .. } | located::Segment::Unknown => None,
        })
        .collect()
}

fn at<'v>(value: &'v Value, path: &[Segment]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, step| match step {
        Segment::Key(key) => value.as_mapping()?.get(key),
        Segment::Index(index) => value.as_sequence()?.get(*index),
    })
}

fn at_mut<'v>(value: &'v mut Value, path: &[Segment]) -> Option<&'v mut Value> {
    path.iter().try_fold(value, |value, step| match step {
        Segment::Key(key) => value.as_mapping_mut()?.get_mut(key),
        Segment::Index(index) => value.as_sequence_mut()?.get_mut(*index),
    })
}
