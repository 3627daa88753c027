//! Shared types of the configuration: durations, sizes, secrets, TLS files, outbound URLs and findings.
//!
//! Plain serde values become values that are valid by construction. A settings struct is defined in the module that
//! uses it. Its `build` turns it into a component, and reports every mistake as a [`Finding`] instead of stopping at
//! the first. Its [`Fingerprint`] says what of it decides if a reload can keep the component. This module does not know
//! the file: `config` turns paths such as `routes[2].exchange.audience` into lines and columns.

mod address;
mod duration;
mod finding;
mod fingerprint;
mod list;
mod percentage;
mod public_url;
mod schema;
mod secret;
mod size;
mod text;
mod tls;
mod url;

pub use address::socket_address;
pub use duration::HumanDuration;
pub use finding::{ConfigPath, Finding, Findings, Segment, Severity};
pub(crate) use fingerprint::fingerprint;
pub use fingerprint::{Fingerprint, Fingerprinter, NamesFile};
pub use list::{list, written_list};
pub use percentage::Percentage;
pub use public_url::PublicUrl;
pub use schema::{exactly_one, listen_address, not_empty};
pub use secret::{Secret, SecretSettings, warn_of_readers};
pub use size::ByteSize;
pub use text::parse_text;
pub use tls::{ClientCertificates, ServerTlsSettings, UpstreamTlsSettings};
pub use url::{OutboundUrl, UrlError};

use std::path::{Path, PathBuf};

/// The folder that relative paths of one configuration file are relative to.
#[derive(Debug, Clone)]
pub struct BaseDir(PathBuf);

impl BaseDir {
    /// Returns the folder of the configuration file `file`.
    pub fn of_file(file: &Path) -> Self {
        Self(file.parent().unwrap_or_else(|| Path::new("")).to_path_buf())
    }

    /// Returns `path` if it is absolute, otherwise the path below this folder.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.0.join(path)
    }
}

/// Selects if building components may write to disk (generated keys, log files).
///
/// `check` builds everything and must not change anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effects {
    /// Creates the files that the configuration requires at the start.
    Allowed,
    /// Creates nothing.
    None,
    /// Creates nothing, and does not need secrets, logs and stores that cannot be read here. Used to explain a decision
    /// where no requests are served. Unusable values take their place.
    Imagined,
}

/// The parameters of every `build` of a settings struct.
#[derive(Debug)]
pub struct Building<'a> {
    /// The folder that relative paths are relative to.
    pub base: &'a BaseDir,
    /// Selects if files may be created.
    pub effects: Effects,
    /// Collects the mistakes.
    pub findings: &'a mut Findings,
}

impl Building<'_> {
    /// Runs `build` and places every finding that it reports below `segment`.
    pub fn within<T>(
        &mut self,
        segment: impl Into<Segment>,
        build: impl FnOnce(&mut Building<'_>) -> T,
    ) -> T {
        let (base, effects) = (self.base, self.effects);
        self.findings.within(segment, |findings| {
            build(&mut Building {
                base,
                effects,
                findings,
            })
        })
    }
}
