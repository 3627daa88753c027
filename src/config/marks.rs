//! Maps a path in the configuration to a line and a column.
//!
//! Every path has a position; that of a path which does not exist is the position of its nearest existing parent.
//!
//! The text is scanned before it is parsed. The scan refuses everything that a configuration must not contain: invalid
//! syntax, a second document, duplicate keys, anchors, aliases, merge keys, tags, and excessive nesting or size. It needs
//! bounded resources for any text. A text that passes cannot make the parser expand or recurse without limit.

use crate::settings::{ConfigPath, Segment};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use std::{borrow::Cow, collections::HashMap};

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
    root: Box<Position>,
}

/// The positions of a value and of the key before it.
#[derive(Debug, Clone)]
pub(super) struct Position {
    pub(super) key: Option<Mark>,
    pub(super) value: Mark,
    pub(super) inside: Inside,
}

/// The contents of a value.
#[derive(Debug, Clone)]
pub(super) enum Inside {
    Scalar,
    List(Vec<Position>),
    Mapping(HashMap<String, Position>),
}

impl Marks {
    /// Reads the positions of everything in `text`. Returns `None` if it is empty.
    pub(super) fn of(file: &str, text: &str) -> Result<Option<Self>, Refused> {
        let root = places(text)?;
        Ok(root.map(|root| Self {
            file: file.to_owned(),
            root: Box::new(root),
        }))
    }

    /// Returns the marks of a file of which only one position is known.
    pub(super) fn only(file: &str, value: Mark) -> Self {
        let root = Position {
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

    fn nearest(&self, path: &ConfigPath) -> &Position {
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

impl Position {
    fn step(&self, segment: &Segment) -> Option<&Self> {
        match (&self.inside, segment) {
            (Inside::List(items), Segment::Index(index)) => items.get(*index),
            (Inside::Mapping(entries), Segment::Key(key)) => entries.get(key),
            (Inside::Scalar | Inside::List(_) | Inside::Mapping(_), _) => None,
        }
    }
}

/// Deeper than any configuration, and small enough for any stack.
const MAX_DEPTH: usize = 64;
/// Limits the memory for a file within the size limit; 10,000 complete routes need less.
const MAX_VALUES: usize = 1_000_000;

/// A construct that a configuration must not contain.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) mark: Mark,
    pub(super) what: String,
    pub(super) why: Option<&'static str>,
    pub(super) fix: String,
}

/// Returns the positions of everything in `text`, or `None` if it is empty.
fn places(text: &str) -> Result<Option<Position>, Refused> {
    Scan::new(text).document()
}

impl Refused {
    fn at(span: Span, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            mark: mark(span.start),
            what: what.into(),
            why: None,
            fix: fix.into(),
        }
    }

    fn because(mut self, why: &'static str) -> Self {
        self.why = Some(why);
        self
    }
}

impl From<ScanError> for Refused {
    fn from(error: ScanError) -> Self {
        Self {
            mark: mark(*error.marker()),
            what: format!("invalid YAML: {}", error.info()),
            why: None,
            fix: "correct the syntax here or just above".to_owned(),
        }
    }
}

fn mark(marker: Marker) -> Mark {
    Mark {
        line: marker.line().max(1),
        column: marker.col() + 1,
    }
}

struct Scan<'t> {
    parser: Parser<'t, StrInput<'t>>,
    values: usize,
    last: Span,
}

impl<'t> Scan<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            parser: Parser::new_from_str(text),
            values: 0,
            last: Span::default(),
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Refused> {
        match self.parser.next_event() {
            Some(next) => {
                let (event, span) = next?;
                self.last = span;
                Ok((event, span))
            }
            None => Ok((Event::StreamEnd, self.last)),
        }
    }

    fn document(&mut self) -> Result<Option<Position>, Refused> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(root),
                Event::DocumentStart(_) if root.is_some() => {
                    return Err(Refused::at(
                        span,
                        "a second YAML document starts here",
                        "keep one document in the file: remove this `---` and what follows",
                    ));
                }
                Event::DocumentStart(_) => {
                    let (event, span) = self.next()?;
                    root = Some(self.value(event, span, 0)?);
                }
                // The frame around a document; its contents are consumed above.
                Event::StreamStart
                | Event::DocumentEnd
                | Event::Nothing
                | Event::Alias(_)
                | Event::Scalar(..)
                | Event::SequenceStart(..)
                | Event::SequenceEnd
                | Event::MappingStart(..)
                | Event::MappingEnd => {}
            }
        }
    }

    fn value(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Position, Refused> {
        self.values += 1;
        if depth > MAX_DEPTH || self.values > MAX_VALUES {
            return Err(Refused::at(
                span,
                format!("more than {MAX_DEPTH} levels or {MAX_VALUES} values"),
                "split or flatten this part",
            ));
        }
        let inside = match event {
            Event::Scalar(_, _, anchor, tag) => {
                plain(span, anchor, tag.as_ref())?;
                Inside::Scalar
            }
            Event::SequenceStart(anchor, tag) => {
                plain(span, anchor, tag.as_ref())?;
                Inside::List(self.list(depth)?)
            }
            Event::MappingStart(anchor, tag) => {
                plain(span, anchor, tag.as_ref())?;
                Inside::Mapping(self.mapping(depth)?)
            }
            Event::Alias(_) => return Err(no_anchor(span)),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => {
                return Err(Refused::at(span, "invalid YAML", "write a value here"));
            }
        };
        Ok(Position {
            key: None,
            value: mark(span.start),
            inside,
        })
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Position>, Refused> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(items);
            }
            items.push(self.value(event, span, depth + 1)?);
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<HashMap<String, Position>, Refused> {
        let mut entries = HashMap::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(entries);
            }
            let key = key(event, span)?;
            if let Some(first) = entries.get(&key) {
                return Err(twice(span, &key, first));
            }
            let (event, value_span) = self.next()?;
            let mut place = self.value(event, value_span, depth + 1)?;
            place.key = Some(mark(span.start));
            entries.insert(key, place);
        }
    }
}

fn key(event: Event<'_>, span: Span) -> Result<String, Refused> {
    match event {
        Event::Scalar(text, style, anchor, tag) => {
            plain(span, anchor, tag.as_ref())?;
            if text == "<<" && style == ScalarStyle::Plain {
                return Err(no_anchor(span));
            }
            Ok(text.into_owned())
        }
        Event::Alias(_) => Err(no_anchor(span)),
        Event::Nothing
        | Event::StreamStart
        | Event::StreamEnd
        | Event::DocumentStart(_)
        | Event::DocumentEnd
        | Event::SequenceStart(..)
        | Event::SequenceEnd
        | Event::MappingStart(..)
        | Event::MappingEnd => Err(Refused::at(
            span,
            "expected a name as key, found a list or a mapping",
            "write `name: value`; a value that starts with [ or { needs a key or quotes",
        )),
    }
}

fn plain(span: Span, anchor: usize, tag: Option<&Cow<'_, Tag>>) -> Result<(), Refused> {
    if anchor != 0 {
        return Err(no_anchor(span));
    }
    tag.map_or(Ok(()), |_| {
        Err(Refused::at(
            span,
            "YAML tags are not supported",
            "remove the tag (`!…`), or put the text in quotes if it starts with `!`",
        ))
    })
}

fn no_anchor(span: Span) -> Refused {
    Refused::at(
        span,
        "YAML anchors, aliases and merge keys are not supported",
        "write the value out, or put the text in quotes if it starts with `&` or `*`",
    )
    .because("each value must be in exactly one place, for review and for findings about it")
}

fn twice(span: Span, key: &str, first: &Position) -> Refused {
    let line = first.key.unwrap_or(first.value).line;
    Refused::at(
        span,
        format!("{key:?} is written twice, first in line {line}"),
        "keep one of them",
    )
}
