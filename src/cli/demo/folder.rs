//! A folder that only this user can read, and that is gone when the demonstration is.

use crate::clock::Randomness;
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// A folder below the system's temporary one. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes a new one.
    pub(super) fn new(randomness: &dyn Randomness) -> io::Result<Self> {
        let mut random = [0; 4];
        randomness.fill(&mut random).map_err(io::Error::other)?;
        let name = format!("obo-demo-{:08x}", u32::from_be_bytes(random));
        let path = std::env::temp_dir().join(name);
        // fails where it exists: nobody can have put anything into it before
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a new file, readable by this user alone.
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
        // what cannot be removed is the system's to clean up
        let _ = fs::remove_dir_all(&self.0);
    }
}
