//! From `gateway.yaml` to values, and from mistakes to lines that say how to mend them.
//!
//! What enters is a file; what leaves is a [`Document`] whose sections are read one by one through a [`Section`],
//! or [`Findings`](crate::settings::Findings) that [`render`] prints with file, line, column, path, what, why and
//! how to mend. Guaranteed: no input panics; a key that nobody reads is refused; a key is written once; every value
//! stands in exactly one place (anchors, aliases, merge keys and tags are refused), so that each finding can point
//! at it; a key that is written has a value. A file that cannot be read as YAML yields exactly one finding; otherwise one run
//! reports every finding about the shape, and about the meaning of every item whose shape is right.

mod compose;
mod document;
mod empty;
mod file;
mod marks;
mod mistake;
mod mistakes;
mod overridden;
mod reference;
mod report;
mod scan;
mod schema;
mod section;
mod shape;
mod suggest;

pub use compose::{
    Configuration, ListenerTerms, Memory, Running, Surroundings, compose, compose_after,
    log_settings,
};
pub use document::{Document, Unreadable};
pub use file::ConfigFile;
pub use marks::{Mark, Marks};
pub use overridden::{OverrideError, overridden};
pub use reference::reference;
pub use report::{Paint, render};
pub use schema::schema;
pub use section::Section;
