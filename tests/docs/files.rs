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

/// Compares a generated file with the one in the repository. Writes it instead if `UPDATE_DOCS` is set.
pub(super) fn generated(below: &str, content: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path(below), content).unwrap();
    }
    assert!(
        text(below) == content,
        "{below} is out of date: `just docs`"
    );
}

/// Every Markdown page of the repository, in order.
pub(super) fn pages() -> Vec<String> {
    let mut pages = Vec::new();
    collect(&path(""), "md", &mut pages);
    pages.sort();
    for expected in ["README.md", "docs/logs.md", "examples/shortest/README.md"] {
        assert!(pages.iter().any(|page| page == expected), "{expected}");
    }
    pages
}

/// Adds the files below `folder` with this extension. Leaves out hidden folders, dependencies and build output.
pub(super) fn collect(folder: &Path, extension: &str, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap().path();
        let name = entry.file_name().unwrap().to_string_lossy();
        if entry.is_dir() {
            let foreign = ["vendor", "node_modules"].contains(&&*name)
                || ["CACHEDIR.TAG", "pyvenv.cfg"]
                    .iter()
                    .any(|mark| entry.join(mark).exists());
            if !foreign && !name.starts_with('.') {
                collect(&entry, extension, files);
            }
        } else if entry.extension().is_some_and(|found| found == extension) {
            let below = entry.strip_prefix(path("")).unwrap();
            files.push(below.to_string_lossy().into_owned());
        }
    }
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
