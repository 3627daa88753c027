//! A key in a file. It is read if the file exists, and generated otherwise if the configuration permits it.
//!
//! The caller provides the functions that parse and generate keys of one kind. Errors are reported as findings.
//! Gateways that start at the same time end up with the same key: the second one reads the key of the first.

use super::encoding::base64url;
use crate::{
    clock::{Randomness, SystemRandomness},
    settings::{Building, Effects, warn_of_readers},
};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};
use zeroize::Zeroizing;

/// Advice to the operator for files of one kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Advice {
    /// What to do if the file does not exist.
    pub(super) absent: &'static str,
    /// What to do if the file cannot be read.
    pub(super) unreadable: &'static str,
    /// What other users who can read the file could do.
    pub(super) open_to_others: &'static str,
}

/// A new key, and the text of its file.
pub(super) struct Made<K> {
    pub(super) key: K,
    pub(super) text: Zeroizing<String>,
}

/// Returns the key in the file at `path`. If the file does not exist, it is generated with `generate`. Reports errors.
pub(super) fn read_or_make<K>(
    path: &Path,
    advice: Advice,
    read: impl Fn(&str, &mut Building<'_>) -> Option<K>,
    generate: Option<impl FnOnce() -> Result<Made<K>, String>>,
    building: &mut Building<'_>,
) -> Option<K> {
    let read = |text: &str, building: &mut Building<'_>| {
        warn_of_readers(path, advice.open_to_others, building);
        read(text, building)
    };
    match fs::read_to_string(path).map(Zeroizing::new) {
        Ok(text) => return read(&text, building),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(_) if building.effects == Effects::Imagined => {}
        Err(error) => {
            let what = format!("{}: {error}", path.display());
            building.findings.error(what, advice.unreadable);
            return None;
        }
    }
    let Some(generate) = generate else {
        let what = format!("{}: no such file", path.display());
        building.findings.error(what, advice.absent);
        return None;
    };
    let error = match make(path, generate, building.effects) {
        Ok(Some(key)) => return Some(key),
        // another gateway stored its key first, so that key is used
        Ok(None) => match fs::read_to_string(path).map(Zeroizing::new) {
            Ok(text) => return read(&text, building),
            Err(error) => error.to_string(),
        },
        Err(error) => error,
    };
    building.findings.error(
        format!(
            "{}: the key could not be generated: {error}",
            path.display()
        ),
        "let the gateway write in that folder, or create the key file yourself",
    );
    None
}

/// Generates a key and stores it if that is allowed. Returns `None` if another key was stored in the meantime.
fn make<K>(
    path: &Path,
    generate: impl FnOnce() -> Result<Made<K>, String>,
    effects: Effects,
) -> Result<Option<K>, String> {
    let made = generate()?;
    match effects {
        Effects::None | Effects::Imagined => Ok(Some(made.key)),
        Effects::Allowed => {
            let stored = store(&made.text, path).map_err(|error| error.to_string())?;
            Ok((stored == Stored::Now).then_some(made.key))
        }
    }
}

/// The result of storing a key.
#[derive(PartialEq, Eq)]
enum Stored {
    Now,
    WasThere,
}

/// Writes a complete file next to `path` and links it to `path`. `path` never contains half a key, and a link never replaces
/// an existing file.
fn store(text: &str, path: &Path) -> io::Result<Stored> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let mut random = [0; 12];
    SystemRandomness
        .fill(&mut random)
        .map_err(io::Error::other)?;
    let temporary = folder.join(format!(".key-{}.tmp", base64url(random)));
    let written =
        write_new(&temporary, text).and_then(|()| match fs::hard_link(&temporary, path) {
            Ok(()) => Ok(Stored::Now),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Stored::WasThere),
            Err(error) => Err(error),
        });
    // Best effort: a file that was never created cannot be removed, and the first error is more important.
    let _ = fs::remove_file(&temporary);
    if written.is_ok() {
        File::open(folder)?.sync_all()?;
    }
    written
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
