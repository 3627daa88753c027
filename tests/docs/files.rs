//! The files of this repository.

use serde_json::Value;
use std::path::{Path, PathBuf};

/// A path below the repository's root.
pub(super) fn path(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

/// The text of a file below the repository's root.
pub(super) fn text(below: &str) -> String {
    let path = path(below);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the content of a YAML file, or an error if it is not YAML or contains keys or documents that JSON cannot express.
pub(super) fn yaml(path: &Path) -> Result<Value, serde_yaml::Error> {
    serde_yaml::from_str(&std::fs::read_to_string(path).unwrap())
}

/// The YAML files of a folder, in order.
pub(super) fn fixtures(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path(folder)).unwrap();
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{folder}");
    files
}

/// Returns the configurations in the documentation: the repository's own and that of every example.
pub(super) fn shown() -> Vec<PathBuf> {
    let examples = std::fs::read_dir(path("examples")).unwrap();
    let mut files: Vec<_> = examples
        .map(|entry| entry.unwrap().path().join("gateway.yaml"))
        .filter(|file| file.exists())
        .collect();
    assert!(files.len() > 1);
    files.push(path("gateway.yaml"));
    files.sort();
    files
}
