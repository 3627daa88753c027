//! Reads one mapping of the file, key by key.
//!
//! A key that the caller did not read is refused when the section ends, in any case. Each mistake in the shape of a
//! value is one finding, at the exact key if serde reports it.

use super::{describe, empty, shape, suggest};
use crate::settings::{Findings, Segment};
use serde::de::DeserializeOwned;
use serde_yaml::{Mapping, Value};

/// A mapping that is being read; it ends when the closure that reads it returns.
///
/// A key is known once it was read, so a closure reads all its keys, even if the first one has an error.
///
/// ```
/// use obo_gateway::{config::Document, settings::{Findings, HumanDuration}};
///
/// let document = Document::parse("gateway.yaml", "shutdown: { grace: 30s }\nrotues: []\n")
///     .expect("a YAML mapping");
/// let mut findings = Findings::default();
/// let grace: Option<HumanDuration> = document.sections(&mut findings, |top| {
///     let _routes = top.list::<String>("routes");
///     top.section("shutdown", |shutdown| shutdown.take("grace")).flatten()
/// });
/// assert_eq!(grace, Some(HumanDuration::from_secs(30)));
/// assert_eq!(findings.into_vec()[0].what, "unknown key");
/// ```
#[derive(Debug)]
pub struct Section<'a> {
    mapping: &'a Mapping,
    findings: &'a mut Findings,
    known: Vec<&'static str>,
    /// Required keys that were read and are absent.
    missing: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// Reads `mapping` with `read`, then refuses every key that `read` did not read.
    pub(super) fn read<R>(
        mapping: &'a Mapping,
        findings: &'a mut Findings,
        read: impl FnOnce(&mut Section<'_>) -> R,
    ) -> R {
        let mut section = Section {
            mapping,
            findings,
            known: Vec::new(),
            missing: Vec::new(),
        };
        let result = read(&mut section);
        section.refuse_unknown();
        result
    }

    /// Returns the value of `key`; `None` if it is absent or empty, or has the wrong shape (which is then reported).
    pub fn take<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<T> {
        let value = self.value(key)?;
        self.findings
            .within(key, |findings| shape::read(value, findings))
    }

    /// Returns the value of `key`, or the default if it is absent. A value with the wrong shape is reported and also
    /// replaced by the default, so that reading can continue; the reported error prevents the start.
    pub fn take_or_default<T: DeserializeOwned + Default>(&mut self, key: &'static str) -> T {
        self.take(key).unwrap_or_default()
    }

    /// Returns the value of `key`, which is required.
    pub fn required<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<T> {
        self.must_have(key)?;
        self.take(key)
    }

    /// Returns the items of the list `key` that have the right shape, each with its position. Every mistake in the other
    /// items is reported. Returns an empty list if the key is absent.
    pub fn list<T: DeserializeOwned>(&mut self, key: &'static str) -> Vec<(usize, T)> {
        let items = self.items(key);
        self.findings.within(key, |findings| {
            let read = |(index, item)| {
                let value = findings.within(index, |findings| shape::read(item, findings))?;
                Some((index, value))
            };
            items.iter().enumerate().filter_map(read).collect()
        })
    }

    /// Returns the items of the list `key`, which needs at least one.
    pub fn required_list<T: DeserializeOwned>(&mut self, key: &'static str) -> Vec<(usize, T)> {
        if self.must_have(key).is_some()
            && matches!(self.value(key), Some(Value::Sequence(items)) if items.is_empty())
        {
            self.findings.within(key, |findings| {
                findings.error("the list is empty", "write at least one item");
            });
        }
        self.list(key)
    }

    /// Reads the mapping `key` key by key; returns `None` if it is absent or not a mapping (which is then reported).
    pub fn section<R>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'_>) -> R,
    ) -> Option<R> {
        let value = self.value(key)?;
        self.findings
            .within(key, |findings| descend(value, findings, read))
    }

    /// Reads every item of the list `key` key by key, where [`list`](Self::list) reads whole items.
    pub fn each<R>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(usize, &mut Section<'_>) -> R,
    ) -> Vec<R> {
        let items = self.items(key);
        self.findings.within(key, |findings| {
            let read = |(index, item)| {
                findings.within(index, |findings| {
                    descend(item, findings, |section| read(index, section))
                })
            };
            items.iter().enumerate().filter_map(read).collect()
        })
    }

    /// Returns `true` if the value of `key` is uncertain: the key has no value, or it is misspelt. Must be called after
    /// all keys of the section were read.
    pub fn is_doubtful(&self, key: &'static str) -> bool {
        let free = |written: &&str| !self.known.contains(written);
        match self.mapping.get(key) {
            Some(value) => value.is_null(),
            None => (self
                .mapping
                .keys()
                .filter_map(Value::as_str)
                .filter(free)
                .take(MAX_SLIPS))
            .any(|written| suggest::nearest(written, &self.known) == Some(key)),
        }
    }

    /// Returns the findings of this section.
    pub fn findings(&mut self) -> &mut Findings {
        self.findings
    }

    /// Returns the value of `key`, which is known from now on. A key without a value (`cache:`) is reported.
    fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        let is_new = !self.known.contains(&key);
        if is_new {
            self.known.push(key);
        }
        let value = self.mapping.get(key)?;
        if value.is_null() {
            if is_new {
                self.findings.within(key, empty::refuse_null);
            }
            return None;
        }
        Some(value)
    }

    fn must_have(&mut self, key: &'static str) -> Option<&'a Value> {
        if self.mapping.get(key).is_none_or(Value::is_null) && !self.known.contains(&key) {
            self.known.push(key);
            self.missing.push(key);
        }
        self.value(key)
    }

    fn items(&mut self, key: &'static str) -> &'a [Value] {
        match self.value(key) {
            None => &[],
            Some(Value::Sequence(items)) => items,
            Some(other) => {
                self.findings.within(key, |findings| {
                    findings.error(
                        format!("expected a list, found {}", describe::describe(other)),
                        "write it as a list: one line that starts with `- ` for each item",
                    );
                });
                &[]
            }
        }
    }

    fn refuse_unknown(self) {
        let mut meant = Vec::new();
        for key in self.mapping.keys().filter_map(Value::as_str) {
            if !self.known.contains(&key) {
                let segment = Segment::Key(key.to_owned());
                let found = self.findings.within(segment, |findings| {
                    suggest::unknown(key, &self.known, self.mapping, findings)
                });
                meant.extend(found);
            }
        }
        for key in self.missing {
            if !meant.contains(&key) {
                self.findings
                    .within(key, |findings| describe::missing(key, findings));
            }
        }
    }
}

/// With more unknown keys than this, they are not spelling mistakes.
const MAX_SLIPS: usize = 64;

fn descend<R>(
    value: &Value,
    findings: &mut Findings,
    read: impl FnOnce(&mut Section<'_>) -> R,
) -> Option<R> {
    let Value::Mapping(mapping) = value else {
        findings.error(
            format!("expected a mapping, found {}", describe::kind(value)),
            "write it as `key: value` lines, indented",
        );
        return None;
    };
    Some(Section::read(mapping, findings, read))
}
