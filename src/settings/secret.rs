//! Secrets: named in the file, never written in it.

use super::{Building, exactly_one};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{fmt, path::PathBuf};
use zeroize::Zeroizing;

/// Where a secret is read from: `{ env: NAME }` or `{ file: PATH }`, never written in the configuration itself.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    rename = "Secret",
    transform = exactly_one(&["env", "file"]),
    extend("examples" = [{ "env": "ADMIN_TOKEN" }, { "file": "secrets/admin.token" }])
)]
pub struct SecretSettings {
    /// The name of an environment variable that holds it.
    env: Option<String>,
    /// A file that holds it; one line ending at its end does not count.
    file: Option<PathBuf>,
}

/// The bytes of a secret; wiped when dropped, never printed.
pub struct Secret(Zeroizing<Vec<u8>>);

impl SecretSettings {
    /// Reads the secret; one line ending at the end of a file does not count.
    pub fn build(&self, building: &mut Building<'_>) -> Option<Secret> {
        let read = match (&self.env, &self.file) {
            (Some(name), None) => std::env::var(name)
                .map(String::into_bytes)
                .map_err(|error| format!("environment variable {name}: {error}")),
            (None, Some(file)) => {
                let path = building.base.resolve(file);
                std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
            }
            _ => Err("expected exactly one of env and file".to_owned()),
        };
        match read {
            Ok(bytes) => Secret::non_empty(bytes).or_else(|| {
                building
                    .findings
                    .error("the secret is empty", "store a value in it");
                None
            }),
            Err(what) => {
                building.findings.error(
                    what,
                    "write { env: NAME } or { file: PATH } of a secret that can be read",
                );
                None
            }
        }
    }
}

impl Secret {
    fn non_empty(bytes: Vec<u8>) -> Option<Self> {
        let mut bytes = Zeroizing::new(bytes);
        if bytes.ends_with(b"\n") {
            bytes.pop();
        }
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
        (!bytes.is_empty()).then_some(Self(bytes))
    }

    /// The bytes, for the one place that sends or compares them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}
