//! The file of a sealing key, read at start, or generated at the first start if configured.

use super::{
    SealingKey,
    kept_file::{Advice, Made, read_or_make},
};
use crate::settings::{Building, Effects, fingerprint};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// An encryption key, for example `{ file: keys/opaque-1.key, generate: true }`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SealingKeyFileSettings {
    /// A file with 32 random bytes as one line of base64, for example from `openssl rand -base64 32`.
    pub file: PathBuf,
    /// Generates a key if the file does not exist. The new file is readable only by its owner. Without it, a missing
    /// file is an error.
    #[serde(default)]
    pub generate: bool,
}

fingerprint!(SealingKeyFileSettings {
    fields: [generate],
    files: [file],
});

impl SealingKeyFileSettings {
    /// Reads the key, or generates it. Gateways that start at the same time end up with the same key: the second one
    /// reads the key of the first.
    pub fn build(&self, building: &mut Building<'_>) -> Option<SealingKey> {
        let path = building.base.resolve(&self.file);
        let imagined = building.effects == Effects::Imagined;
        let generate = (self.generate || imagined).then_some(|| {
            let made = SealingKey::generate().map_err(|error| error.to_string())?;
            Ok(Made {
                key: made.key,
                text: made.text,
            })
        });
        let read = |text: &str, building: &mut Building<'_>| read(&path, text, building);
        read_or_make(&path, ADVICE, read, generate, building)
    }
}

const ADVICE: Advice = Advice {
    absent: "name an existing key file, or add `generate: true` to create it at the first start",
    unreadable: "name a key file that the gateway can read",
    open_to_others: "anyone who can read this key can read and issue opaque tokens as the gateway",
};

fn read(path: &Path, text: &str, building: &mut Building<'_>) -> Option<SealingKey> {
    match SealingKey::from_text(text) {
        Ok(key) => Some(key),
        Err(error) => {
            building.findings.error(
                format!("{}: {error}", path.display()),
                "store random bytes in it, e.g. from `openssl rand -base64 32`",
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{BaseDir, Effects, Findings, Severity};
    use std::{fs, os::unix::fs::PermissionsExt, thread};
    use tempfile::TempDir;

    fn build(
        folder: &TempDir,
        generate: bool,
        effects: Effects,
    ) -> (Option<[u8; 8]>, Vec<(Severity, String)>) {
        let mut findings = Findings::default();
        let base = BaseDir::of_file(&folder.path().join("gateway.yaml"));
        let settings = SealingKeyFileSettings {
            file: "keys/a.key".into(),
            generate,
        };
        let key = settings.build(&mut Building {
            base: &base,
            effects,
            findings: &mut findings,
        });
        let found = findings.into_vec().into_iter();
        let found = found.map(|f| (f.severity, f.what)).collect();
        (key.map(|key| *key.id()), found)
    }

    fn file(folder: &TempDir) -> PathBuf {
        folder.path().join("keys/a.key")
    }

    #[test]
    fn an_absent_key_is_made_once_for_its_owner_alone() {
        let folder = TempDir::new().unwrap();
        let kids: Vec<_> = thread::scope(|scope| {
            let starts: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| build(&folder, true, Effects::Allowed)))
                .collect();
            let ended = starts.into_iter().map(|start| start.join().unwrap());
            ended.collect()
        });
        assert!(kids[0].0.is_some());
        assert!(kids.iter().all(|kid| *kid == kids[0]), "{kids:?}");
        let mode = fs::metadata(file(&folder)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(build(&folder, true, Effects::Allowed), kids[0]);
    }

    #[test]
    fn without_effects_nothing_is_written() {
        let folder = TempDir::new().unwrap();
        let (key, found) = build(&folder, true, Effects::None);
        assert!(key.is_some());
        assert_eq!(found, []);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_absent_or_unreadable_key_is_a_finding_that_names_the_file() {
        let folder = TempDir::new().unwrap();
        let (key, found) = build(&folder, false, Effects::Allowed);
        assert!(key.is_none());
        assert!(found[0].1.contains("keys/a.key: no such file"));
        fs::create_dir(folder.path().join("keys")).unwrap();
        fs::write(file(&folder), "garbage").unwrap();
        fs::set_permissions(file(&folder), fs::Permissions::from_mode(0o600)).unwrap();
        let (key, found) = build(&folder, true, Effects::Allowed);
        assert!(key.is_none());
        assert!(found[0].1.contains("expected 32 bytes"), "{found:?}");
        assert_eq!(fs::read_to_string(file(&folder)).unwrap(), "garbage");
    }

    #[test]
    fn a_key_that_others_can_read_is_a_warning() {
        let folder = TempDir::new().unwrap();
        build(&folder, true, Effects::Allowed);
        fs::set_permissions(file(&folder), fs::Permissions::from_mode(0o640)).unwrap();
        let (key, found) = build(&folder, false, Effects::Allowed);
        assert!(key.is_some());
        let severities: Vec<_> = found.iter().map(|f| f.0).collect();
        assert_eq!(severities, [Severity::Warning]);
    }
}
