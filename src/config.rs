//! Reads `gateway.yaml` and builds the components of the gateway from it, or reports every mistake.
//!
//! A file becomes a [`Document`], whose sections are read key by key through a [`Section`]. Mistakes become
//! [`Findings`](crate::settings::Findings), which the commands print with file, line, column,
//! path, what, why and fix.
//!
//! No input causes a panic. Unknown and duplicate keys, keys without a value, anchors, aliases, merge keys and tags are
//! refused, so every value is in exactly one place and each finding can point to it. A file that is not YAML has one
//! finding. Otherwise one run reports every mistake in the shape of the file, and every mistake in the meaning of the
//! items whose shape is right.

mod compose;
mod describe;
mod document;
mod empty;
mod file;
mod marks;
mod mistake;
mod mistakes;
mod overridden;
mod schema;
mod section;
mod shape;
mod suggest;
mod top_level;

pub use compose::{
    Configuration, ListenerTerms, Memory, Running, Surroundings, compose, compose_after,
    log_settings,
};
pub use document::{Document, Unreadable};
pub use file::ConfigFile;
pub use marks::{Mark, Marks};
pub use overridden::{OverrideError, overridden};
pub use schema::schema;
pub use section::Section;
