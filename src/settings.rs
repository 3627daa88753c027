//! The shared shapes of the configuration: durations, sizes, secrets, TLS files, outbound URLs and findings.
//!
//! What enters are plain serde values; what leaves are values that are valid by construction. A settings struct
//! lives in the module that obeys it and is turned into a component by its `build`, which reports every mistake it
//! sees as a [`Finding`] instead of stopping at the first. Nothing here knows the file the values came from: paths
//! such as `routes[2].exchange.audience` become lines and columns in `config`.

mod address;
mod duration;
mod finding;
mod list;
mod percentage;
mod public_url;
mod schema;
mod secret;
mod size;
mod tls;
mod url;

pub use address::socket_address;
pub use duration::HumanDuration;
pub use finding::{ConfigPath, Finding, Findings, Segment, Severity};
pub use list::{list, written_list};
pub use percentage::Percentage;
pub use public_url::PublicUrl;
pub use schema::{exactly_one, listen_address, not_empty};
pub use secret::{Secret, SecretSettings, warn_of_readers};
pub use size::ByteSize;
pub use tls::{ClientCertificates, ServerTlsSettings, UpstreamTlsSettings};
pub use url::{OutboundUrl, UrlError};

use std::path::{Path, PathBuf};

/// The folder that relative paths of one configuration file are relative to.
#[derive(Debug, Clone)]
pub struct BaseDir(PathBuf);

impl BaseDir {
    /// The folder of `file`, the YAML file that was given.
    pub fn of_file(file: &Path) -> Self {
        Self(file.parent().unwrap_or_else(|| Path::new("")).to_path_buf())
    }

    /// `path` itself when it is absolute, else below this folder.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.0.join(path)
    }
}

/// Whether building components may write to disk (generated keys, log files).
///
/// `check` builds everything and must leave no trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effects {
    /// Create what the configuration says is created at start.
    Allowed,
    /// Look, but create nothing.
    None,
    /// Create nothing, and do without secrets, logs and stores that cannot be read here: a decision is explained where
    /// no request is served. Their place is taken by something that nobody can use.
    Imagined,
}

/// What every `build` of a settings struct is given.
#[derive(Debug)]
pub struct Building<'a> {
    /// Where relative paths start.
    pub base: &'a BaseDir,
    /// Whether files may be created.
    pub effects: Effects,
    /// Where mistakes are reported.
    pub findings: &'a mut Findings,
}

impl Building<'_> {
    /// Runs `build` with every finding it reports placed below `segment`.
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
