//! Reads one YAML file.
//!
//! A [`Document`] is one mapping whose keys are all names, each written once, with the position of every value. Any
//! other content is [`Unreadable`], which contains the findings of the run.

use super::{
    describe,
    marks::{Mark, Marks, Refused},
    section::Section,
};
use crate::settings::{ConfigPath, Findings, Segment};
use serde_yaml::{Mapping, Value};
use std::io::Read;
use std::path::Path;

/// Far more than 10,000 routes need. Limits what the gateway reads if the path is wrong.
const MAX_BYTES: usize = 4 << 20;

/// A configuration file that is one YAML mapping.
#[derive(Debug, Clone)]
pub struct Document {
    marks: Marks,
    root: Mapping,
}

/// A configuration file that cannot be used, and why.
#[derive(Debug)]
pub struct Unreadable {
    /// The known positions.
    pub marks: Marks,
    /// What is wrong.
    pub findings: Findings,
}

impl Document {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`Unreadable`] if it cannot be opened, exceeds 4 MiB, is not UTF-8 or is not a YAML mapping.
    pub fn read(path: &Path) -> Result<Self, Unreadable> {
        let file = path.display().to_string();
        let bytes = std::fs::File::open(path)
            .and_then(read_capped)
            .map_err(|error| {
                Unreadable::once(
                    &file,
                    START,
                    &format!("the file cannot be read: {error}"),
                    "name a file that exists and can be read, with --config",
                )
            })?;
        Self::of_bytes(&file, &bytes)
    }

    /// Parses `bytes`; `file` is the name of the file in findings.
    pub(super) fn of_bytes(file: &str, bytes: &[u8]) -> Result<Self, Unreadable> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::parse(file, text),
            // One byte above the limit is read, which may split a character: the error is the size, not the encoding.
            Err(_) if bytes.len() > MAX_BYTES => Err(too_large(file)),
            Err(error) => Err(not_utf8(file, bytes, error.valid_up_to())),
        }
    }

    /// Parses `text`; `file` is the name of the file in findings.
    ///
    /// # Errors
    /// [`Unreadable`] if it exceeds 4 MiB or is not a YAML mapping.
    pub fn parse(file: &str, text: &str) -> Result<Self, Unreadable> {
        if text.len() > MAX_BYTES {
            return Err(too_large(file));
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let marks = match Marks::of(file, text) {
            Ok(Some(marks)) => marks,
            Ok(None) => return Err(empty(file)),
            Err(refused) => return Err(Unreadable::refused(file, refused)),
        };
        let value: Value = match serde_yaml::from_str(text) {
            Ok(value) => value,
            Err(error) => return Err(syntax(file, &error)),
        };
        if value.is_null() {
            return Err(empty(file));
        }
        let Value::Mapping(root) = value else {
            return Err(Unreadable::once(
                file,
                marks.find_value(&ConfigPath::default()),
                &format!(
                    "expected a mapping of sections, found {}",
                    describe::describe(&value)
                ),
                "write sections such as `listeners:` and `routes:` at the left margin",
            ));
        };
        Self::with_named_keys(marks, root)
    }

    /// Returns the positions of all values, for findings.
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Returns the top level as it is written.
    pub(super) fn root(&self) -> &Mapping {
        &self.root
    }

    /// Reads the file's top level with `read`, then refuses every key that `read` did not read.
    pub fn sections<R>(
        &self,
        findings: &mut Findings,
        read: impl FnOnce(&mut Section<'_>) -> R,
    ) -> R {
        Section::read(&self.root, findings, read)
    }

    fn with_named_keys(marks: Marks, root: Mapping) -> Result<Self, Unreadable> {
        let mut findings = Findings::default();
        name_keys_of_mapping(&root, &mut findings);
        if findings.has_errors() {
            return Err(Unreadable { marks, findings });
        }
        Ok(Self { marks, root })
    }
}

impl Unreadable {
    fn once(file: &str, mark: Mark, what: &str, fix: &str) -> Self {
        let mut findings = Findings::default();
        findings.error(what, fix);
        Self {
            marks: Marks::only(file, mark),
            findings,
        }
    }

    fn refused(file: &str, refused: Refused) -> Self {
        let mut findings = Findings::default();
        match refused.why {
            Some(why) => findings.error_because(refused.what, why, refused.fix),
            None => findings.error(refused.what, refused.fix),
        }
        Self {
            marks: Marks::only(file, refused.mark),
            findings,
        }
    }
}

const START: Mark = Mark { line: 1, column: 1 };

pub(super) fn read_capped(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than permitted distinguishes a file that is too large from one that just fits.
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX) + 1;
    from.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn too_large(file: &str) -> Unreadable {
    Unreadable::once(
        file,
        START,
        "the file is larger than 4 MiB",
        "name the configuration file, or make it smaller",
    )
}

fn empty(file: &str) -> Unreadable {
    Unreadable::once(
        file,
        START,
        "the file is empty",
        "write at least `listeners`, `issuer`, one of `trusted_issuers` and one of `routes`",
    )
}

fn not_utf8(file: &str, bytes: &[u8], valid: usize) -> Unreadable {
    let before = String::from_utf8_lossy(bytes.get(..valid).unwrap_or_default());
    let mark = Mark {
        line: before.matches('\n').count() + 1,
        column: before
            .rsplit('\n')
            .next()
            .map_or(0, |line| line.chars().count())
            + 1,
    };
    Unreadable::once(
        file,
        mark,
        "a byte here is not valid UTF-8",
        "save the file in UTF-8",
    )
}

fn syntax(file: &str, error: &serde_yaml::Error) -> Unreadable {
    let mark = error.location().map_or(START, |at| Mark {
        line: at.line(),
        column: at.column(),
    });
    let text = error.to_string();
    // The finding begins with the position already.
    let what = text.split(" at line ").next().unwrap_or(&text);
    Unreadable::once(
        file,
        mark,
        &format!("invalid YAML: {what}"),
        "correct the syntax here or just above",
    )
}

/// Reports every key that YAML does not read as text, such as `404:` or `true:`.
fn name_keys(value: &Value, findings: &mut Findings) {
    match value {
        Value::Mapping(mapping) => name_keys_of_mapping(mapping, findings),
        Value::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                findings.within(index, |findings| name_keys(item, findings));
            }
        }
        Value::Tagged(tagged) => name_keys(&tagged.value, findings),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn name_keys_of_mapping(mapping: &Mapping, findings: &mut Findings) {
    for (key, value) in mapping {
        if let Value::String(name) = key {
            findings.within(Segment::Key(name.clone()), |findings| {
                name_keys(value, findings);
            });
        } else {
            let found = describe::describe(key);
            findings.within(Segment::Key(found.clone()), |findings| {
                findings.error(
                    format!("expected a name as key, found {found}"),
                    "put it in quotes if it is meant as a name",
                );
            });
        }
    }
}
