//! Maps a path in the configuration to a line and a column.
//!
//! The positions come from the [scan](super::scan). Every path has a position; that of a path which does not exist is
//! the position of its nearest existing parent.

use super::scan::{self, Refused};
use crate::settings::{ConfigPath, Segment};
use std::collections::HashMap;

/// A position in the file. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// The file's name and the positions of everything in it.
#[derive(Debug, Clone)]
pub struct Marks {
    file: String,
    root: Box<Place>,
}

/// The positions of a value and of the key before it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) key: Option<Mark>,
    pub(super) value: Mark,
    pub(super) inside: Inside,
}

/// The contents of a value.
#[derive(Debug, Clone)]
pub(super) enum Inside {
    Scalar,
    List(Vec<Place>),
    Mapping(HashMap<String, Place>),
}

impl Marks {
    /// Reads the positions of everything in `text`. Returns `None` if it is empty.
    pub(super) fn of(file: &str, text: &str) -> Result<Option<Self>, Refused> {
        let root = scan::places(text)?;
        Ok(root.map(|root| Self {
            file: file.to_owned(),
            root: Box::new(root),
        }))
    }

    /// Returns the marks of a file of which only one position is known.
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

    /// Returns the file's name as it was given.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Returns the position of `path`: of its key, or of the value if it is a list item or the whole file. A path that
    /// does not exist (such as a missing key) has the position of its nearest existing parent.
    pub fn find(&self, path: &ConfigPath) -> Mark {
        let place = self.nearest(path);
        place.key.unwrap_or(place.value)
    }

    /// Returns the position of the value at `path`, or of its nearest existing parent.
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
