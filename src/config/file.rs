//! The source of the configuration: a file or standard input.

use super::{
    Document,
    document::{Unreadable, read_capped},
};
use crate::settings::BaseDir;
use std::{
    fmt,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

/// The configuration that a command uses.
#[derive(Debug, Clone)]
pub enum ConfigFile {
    /// A file. It is read again at each reload.
    Path(PathBuf),
    /// The text of standard input, which can be read only once. Relative paths in it are relative to the working
    /// directory.
    StandardInput(Arc<[u8]>),
}

/// The name of standard input in findings.
const STANDARD_INPUT: &str = "standard input";

impl ConfigFile {
    /// Returns the file at `path`. For `-`, reads `stdin` to its end, or until it exceeds the size limit of a
    /// configuration.
    ///
    /// # Errors
    /// `stdin` cannot be read. A file is not opened here.
    pub fn of_argument(path: &Path, stdin: impl Read) -> io::Result<Self> {
        if Self::is_standard_input(path) {
            return Ok(Self::StandardInput(read_capped(stdin)?.into()));
        }
        Ok(Self::Path(path.to_owned()))
    }

    /// Returns `true` if `path` means standard input.
    pub fn is_standard_input(path: &Path) -> bool {
        path == Path::new("-")
    }

    /// Reads the configuration.
    ///
    /// # Errors
    /// The same as [`Document::read`].
    pub fn read(&self) -> Result<Document, Unreadable> {
        match self {
            Self::Path(path) => Document::read(path),
            Self::StandardInput(bytes) => Document::of_bytes(STANDARD_INPUT, bytes),
        }
    }

    /// Returns the folder that relative paths are relative to.
    pub fn base(&self) -> BaseDir {
        match self {
            Self::Path(path) => BaseDir::of_file(path),
            Self::StandardInput(_) => BaseDir::of_file(Path::new("")),
        }
    }
}

impl From<&Path> for ConfigFile {
    fn from(path: &Path) -> Self {
        Self::Path(path.to_owned())
    }
}

impl From<&PathBuf> for ConfigFile {
    fn from(path: &PathBuf) -> Self {
        Self::Path(path.clone())
    }
}

impl fmt::Display for ConfigFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::StandardInput(_) => f.write_str(STANDARD_INPUT),
        }
    }
}
