//! Where everything stands, so that a path becomes a line and a column.
//!
//! What enters are the places that the [scan](super::scan) met; what leaves is the [`Mark`] of any path. Guaranteed:
//! every path has one, that of the nearest parent where the path itself does not exist.

use super::scan::{self, Refused};
use crate::settings::{ConfigPath, Segment};
use std::collections::HashMap;

/// A place in the file; lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// The file's name and the place of everything in it.
#[derive(Debug, Clone)]
pub struct Marks {
    file: String,
    root: Box<Place>,
}

/// Where a value and the key before it stand.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) key: Option<Mark>,
    pub(super) value: Mark,
    pub(super) inside: Inside,
}

/// What a value holds.
#[derive(Debug, Clone)]
pub(super) enum Inside {
    Scalar,
    List(Vec<Place>),
    Mapping(HashMap<String, Place>),
}

impl Marks {
    /// Reads the places of everything in `text`; `None` where it holds nothing at all.
    pub(super) fn of(file: &str, text: &str) -> Result<Option<Self>, Refused> {
        let root = scan::places(text)?;
        Ok(root.map(|root| Self {
            file: file.to_owned(),
            root: Box::new(root),
        }))
    }

    /// A file of which only one place is known.
    pub(super) fn only(file: &str, value: Mark) -> Self {
        let root = Place {
            key: None,
            value,
            inside: Inside::Scalar,
        };
        Self {
            file: file.to_owned(),
            root: Box::new(root),
        }
    }

    /// The file's name, as it was given.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Where `path` stands: its key, or the value where a list or the file itself holds it. A path that does not
    /// exist (a key that is missing) is placed at the nearest parent that does.
    pub fn find(&self, path: &ConfigPath) -> Mark {
        let place = self.nearest(path);
        place.key.unwrap_or(place.value)
    }

    /// Where the value at `path` starts, or that of the nearest parent that exists.
    pub fn find_value(&self, path: &ConfigPath) -> Mark {
        self.nearest(path).value
    }

    fn nearest(&self, path: &ConfigPath) -> &Place {
        let mut place = self.root.as_ref();
        for segment in path.segments() {
            let Some(inner) = place.step(segment) else {
                break;
            };
            place = inner;
        }
        place
    }
}

impl Place {
    fn step(&self, segment: &Segment) -> Option<&Self> {
        match (&self.inside, segment) {
            (Inside::List(items), Segment::Index(index)) => items.get(*index),
            (Inside::Mapping(entries), Segment::Key(key)) => entries.get(key),
            (Inside::Scalar | Inside::List(_) | Inside::Mapping(_), _) => None,
        }
    }
}
