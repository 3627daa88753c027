//! Code that must not compile: a proof constructed outside the module of its check, a presented token where a credential is
//! required, a token in a place that prints it. Each file in `compile_fail/` is one attempt; the text file with the same name
//! contains the compiler's error.
//!
//! This file itself asserts that a type does not implement a trait, because the compiler's text for such an error lists all
//! other types with the trait.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use obo_gateway::{
    cache::ForwardCredential, exchange::IssuedToken, policy::PermittedExchange, route::Public,
    source::PresentedToken, token::RawToken, verify::SubjectToken,
};
use serde_json::Value;
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Compiles only if `$type` does not implement `$trait`: otherwise both implementations apply and `_` is ambiguous.
macro_rules! lacks {
    ($type:ty: $($trait:path),+ $(,)?) => {$({
        trait Unless<Which> {
            fn lacks() {}
        }
        struct Has;
        impl<T: ?Sized> Unless<()> for T {}
        impl<T: ?Sized + $trait> Unless<Has> for T {}
        <$type as Unless<_>>::lacks();
    })+};
}

/// Traits that construct a value without the module whose check it proves.
macro_rules! is_made_by_nobody_else {
    ($($type:ty),+ $(,)?) => {$(
        lacks!($type: Default, serde::de::DeserializeOwned, std::str::FromStr, From<String>, From<RawToken>,
            From<PresentedToken>, From<Vec<u8>>);
    )+};
}

#[test]
fn a_proof_has_no_default_and_is_read_from_no_text() {
    is_made_by_nobody_else!(
        SubjectToken,
        PermittedExchange,
        IssuedToken,
        ForwardCredential,
        Public
    );
    lacks!(ForwardCredential: From<SubjectToken>, From<PermittedExchange>, From<IssuedToken>);
}

/// A function that a proof does not have. If the proof had a public function of this name, that would be called instead.
struct Absent;

#[allow(clippy::new_ret_no_self, reason = "it is no constructor")]
trait MadeByName: Sized {
    fn new() -> Absent {
        Absent
    }
    fn mint() -> Absent {
        Absent
    }
    fn from_hit() -> Absent {
        Absent
    }
    fn from_fresh() -> Absent {
        Absent
    }
    fn unchecked() -> Absent {
        Absent
    }
}

impl<T> MadeByName for T {}

macro_rules! has_no_constructor {
    ($($type:ty),+ $(,)?) => {$(
        let (Absent, Absent) = (<$type>::new(), <$type>::mint());
        let (Absent, Absent) = (<$type>::from_hit(), <$type>::from_fresh());
        let Absent = <$type>::unchecked();
    )+};
}

#[test]
fn a_proof_has_no_public_constructor_by_a_usual_name() {
    has_no_constructor!(
        SubjectToken,
        PermittedExchange,
        IssuedToken,
        ForwardCredential,
        Public
    );
}

#[test]
fn a_proof_that_stands_for_one_decision_cannot_be_copied() {
    lacks!(SubjectToken: Clone);
    lacks!(PermittedExchange: Clone);
    lacks!(IssuedToken: Clone);
}

#[test]
fn a_token_is_not_printed_serialized_or_hashed() {
    lacks!(RawToken: std::fmt::Display, serde::Serialize, std::hash::Hash, AsRef<str>, AsRef<[u8]>);
    lacks!(PresentedToken: std::fmt::Display, serde::Serialize, std::hash::Hash, AsRef<str>, AsRef<[u8]>);
    lacks!(IssuedToken: std::fmt::Display, serde::Serialize);
    lacks!(ForwardCredential: std::fmt::Display, serde::Serialize);
}

#[test]
fn a_presented_token_becomes_no_header() {
    lacks!(http::HeaderValue: From<PresentedToken>, From<RawToken>);
    lacks!(PresentedToken: Into<http::HeaderValue>, Into<ForwardCredential>, TryInto<ForwardCredential>);
}

#[test]
fn proofs_cannot_be_forged() {
    let library = library();
    let wrong: Vec<String> = attempts()
        .iter()
        .filter_map(|attempt| {
            let expected = fs::read_to_string(attempt.with_extension("stderr")).unwrap();
            let said = compile(attempt, &library);
            (said != Err(expected)).then(|| match said {
                Ok(()) => format!("{} compiles", attempt.display()),
                Err(said) => format!("{} is refused otherwise:\n{said}", attempt.display()),
            })
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_the_attempts_are_compiled_with_compiles_what_is_right() {
    let directory = tempfile::tempdir().unwrap();
    let honest = directory.path().join("honest.rs");
    let text = "fn hand_on(it: obo_gateway::cache::ForwardCredential) { drop(it) }\nfn main() {}\n";
    fs::write(&honest, text).unwrap();
    assert_eq!(compile(&honest, &library()), Ok(()));
}

/// Returns the attempts as paths relative to the repository's root, as in their errors.
fn attempts() -> Vec<PathBuf> {
    let folder = Path::new("tests/compile_fail");
    let entries = fs::read_dir(Path::new(ROOT).join(folder)).unwrap();
    let names = entries.map(|entry| folder.join(entry.unwrap().file_name()));
    let mut files: Vec<_> = names
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .collect();
    files.sort();
    assert!(files.len() >= 8, "{files:?}");
    files
}

/// Returns the library that this program is linked with. It is already compiled, so cargo only reports its path.
fn library() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    // these variables would make cargo compile ring, and everything that depends on it, again
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&*name);
        }
    }
    let output = cargo
        .args(["build", "--lib", "--locked", "--offline", "--quiet"])
        .args(["--message-format", "json"])
        .args((!cfg!(debug_assertions)).then_some("--release"))
        .current_dir(ROOT)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success());
    let messages = output.stdout.split(|byte| *byte == b'\n');
    messages
        .filter_map(|message| serde_json::from_slice::<Value>(message).ok())
        .filter(|message| message["target"]["name"] == "obo_gateway")
        .flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default())
        .filter_map(|name| name.as_str().map(PathBuf::from))
        .find(|path| path.extension().is_some_and(|e| e == "rlib"))
        .unwrap()
}

/// Compiles one file against the library; returns the compiler's errors without the closing remarks.
fn compile(file: &Path, library: &Path) -> Result<(), String> {
    let out = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or("rustc".into()))
        .args([
            "--edition",
            "2024",
            "--emit",
            "metadata",
            "--color",
            "never",
        ])
        .args(["--cap-lints", "allow", "--out-dir"])
        .arg(out.path())
        .arg("-L")
        .arg(dependencies(library))
        .arg("--extern")
        .arg(format!("obo_gateway={}", library.display()))
        .arg(file)
        .current_dir(ROOT)
        .output()
        .unwrap();
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8(output.stderr).unwrap();
    let (errors, _) = said
        .split_once("\n\nerror: aborting")
        .unwrap_or((&said, ""));
    Err(format!("{errors}\n"))
}

/// Returns the option of rustc with the folder of the crates that the library was compiled against.
fn dependencies(library: &Path) -> OsString {
    let mut argument = OsString::from("dependency=");
    argument.push(library.with_file_name("deps"));
    argument
}
