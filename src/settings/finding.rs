//! Findings: what is wrong in a configuration, where, why, and how to fix it.

use std::fmt;

/// Decides if a finding prevents the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration is valid but risky or ineffective. The finding is reported, and the gateway starts.
    Warning,
    /// The gateway refuses to start.
    Error,
}

/// One step of a path in the configuration: a key of a mapping or a position in a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// A key of a mapping.
    Key(String),
    /// A position in a list, from 0.
    Index(usize),
}

impl From<&str> for Segment {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Segment {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// The path of a value in the configuration, e.g. `routes[2].exchange.audience`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ConfigPath(Vec<Segment>);

impl ConfigPath {
    /// Returns the steps, outermost first.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Returns this path with one more step.
    #[must_use]
    pub fn join(&self, segment: impl Into<Segment>) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment.into());
        Self(segments)
    }

    /// Returns the parent path; the parent of the root is the root.
    #[must_use]
    pub fn parent(&self) -> Self {
        let kept = self.0.len().saturating_sub(1);
        Self(self.0.iter().take(kept).cloned().collect())
    }

    /// Returns `true` if this is the path of the whole document.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for ConfigPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if position == 0 => write!(f, "{key}")?,
                Segment::Key(key) => write!(f, ".{key}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// One mistake, or one warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Decides if the finding prevents the start.
    pub severity: Severity,
    /// The path of the value.
    pub path: ConfigPath,
    /// What was expected and found, e.g. `expected a name, found ""`.
    pub what: String,
    /// The reason for the rule, unless it is obvious.
    pub why: Option<String>,
    /// How to fix it.
    pub fix: String,
}

/// The findings of one run, in the order in which they were reported.
#[derive(Debug, Default)]
pub struct Findings {
    at: ConfigPath,
    found: Vec<Finding>,
    /// The number of errors about something that is unavailable now.
    unavailable: usize,
}

impl Findings {
    /// Runs `look` and places every finding below `segment`.
    pub fn within<T>(
        &mut self,
        segment: impl Into<Segment>,
        look: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.at.0.push(segment.into());
        let result = look(self);
        self.at.0.pop();
        result
    }

    /// Runs `report` and places every finding below `path`.
    pub fn within_path(&mut self, path: &[Segment], report: impl FnOnce(&mut Self)) {
        let depth = self.at.0.len();
        self.at.0.extend_from_slice(path);
        report(self);
        self.at.0.truncate(depth);
    }

    /// Reports a mistake at the current path.
    pub fn error(&mut self, what: impl Into<String>, fix: impl Into<String>) {
        self.push(Severity::Error, what.into(), None, fix.into());
    }

    /// Reports a mistake at the current path, with the reason for the rule.
    pub fn error_because(
        &mut self,
        what: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.push(Severity::Error, what.into(), Some(why.into()), fix.into());
    }

    /// Reports that something the configuration names is unavailable now: the file is correct, and another attempt may
    /// succeed.
    pub fn unavailable(
        &mut self,
        what: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.unavailable += 1;
        self.error_because(what, why, fix);
    }

    /// Returns `true` if all errors are about something that is unavailable now.
    pub fn only_unavailable(&self) -> bool {
        self.unavailable > 0 && self.errors() == self.unavailable
    }

    /// Reports a warning at the current path.
    pub fn warn(
        &mut self,
        what: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.push(Severity::Warning, what.into(), Some(why.into()), fix.into());
    }

    /// Returns the one of `choices` that is written; each is a key and `true` if it is written. Any number other than
    /// one is reported.
    ///
    /// Choices are structs of options with this check instead of enums, because the error messages of enums name no
    /// key.
    pub fn exactly_one(&mut self, choices: &[(&'static str, bool)]) -> Option<&'static str> {
        let written: Vec<_> = choices
            .iter()
            .filter_map(|(key, written)| written.then_some(*key))
            .collect();
        if let [one] = written.as_slice() {
            return Some(one);
        }
        let all: Vec<_> = choices.iter().map(|(key, _)| *key).collect();
        let all = all.join(", ");
        let found = match written.as_slice() {
            [] => "none of them".to_owned(),
            several => several.join(" and "),
        };
        self.error(
            format!("expected exactly one of {all}, found {found}"),
            format!("write one of {all}"),
        );
        None
    }

    /// Returns the path of the next finding.
    pub fn path(&self) -> &ConfigPath {
        &self.at
    }

    /// Returns `true` if any finding prevents the start.
    pub fn has_errors(&self) -> bool {
        self.found.iter().any(|f| f.severity == Severity::Error)
    }

    /// Returns the number of mistakes so far, so that a caller can see if a step has added any.
    pub fn errors(&self) -> usize {
        let is_error = |finding: &&Finding| finding.severity == Severity::Error;
        self.found.iter().filter(is_error).count()
    }

    /// Returns the number of findings so far.
    pub fn count(&self) -> usize {
        self.found.len()
    }

    /// Returns the findings after the first `before`.
    pub fn since(&self, before: usize) -> &[Finding] {
        self.found.get(before..).unwrap_or_default()
    }

    /// Returns the findings, in the order in which they were reported.
    pub fn into_vec(self) -> Vec<Finding> {
        self.found
    }

    fn push(&mut self, severity: Severity, what: String, why: Option<String>, fix: String) {
        self.found.push(Finding {
            severity,
            path: self.at.clone(),
            what,
            why,
            fix,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_names_its_place_the_way_people_write_it() {
        let mut findings = Findings::default();
        findings.within("routes", |f| {
            f.within(2, |f| {
                f.within("exchange", |f| {
                    f.within("audience", |f| f.error("expected a name", "write one"))
                })
            })
        });
        let found = findings.into_vec();
        assert_eq!(found[0].path.to_string(), "routes[2].exchange.audience");
        assert_eq!(found[0].path.parent().to_string(), "routes[2].exchange");
    }

    #[test]
    fn a_choice_is_made_once() {
        let mut findings = Findings::default();
        assert_eq!(
            findings.exactly_one(&[("env", false), ("file", true)]),
            Some("file")
        );
        assert_eq!(findings.errors(), 0);
        findings.exactly_one(&[("env", true), ("file", true)]);
        findings.exactly_one(&[("env", false), ("file", false)]);
        let found = findings.into_vec();
        assert_eq!(
            found[0].what,
            "expected exactly one of env, file, found env and file"
        );
        assert_eq!(
            found[1].what,
            "expected exactly one of env, file, found none of them"
        );
    }

    #[test]
    fn a_warning_alone_does_not_stop_a_start() {
        let mut findings = Findings::default();
        findings.warn("a", "b", "c");
        assert!(!findings.has_errors());
        findings.error("d", "e");
        assert!(findings.has_errors());
    }
}
