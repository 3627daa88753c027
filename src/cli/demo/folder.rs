//! A folder that only this user can read. It is removed at the end of the demo.

use crate::clock::Randomness;
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// A folder in the system's temporary folder. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Creates a new folder.
    pub(super) fn new(randomness: &dyn Randomness) -> io::Result<Self> {
        let mut random = [0; 4];
        randomness.fill(&mut random).map_err(io::Error::other)?;
        let name = format!("obo-demo-{:08x}", u32::from_be_bytes(random));
        let path = std::env::temp_dir().join(name);
        // fails if it exists, so it cannot contain files of another user
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a new file that only this user can read.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> io::Result<PathBuf> {
        let path = self.0.join(name);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?
            .write_all(content)?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // a folder that cannot be removed is left to the system's clean-up
        let _ = fs::remove_dir_all(&self.0);
    }
}
