//! The file of a signing key, read at start, or generated at the first start if configured.

use super::{
    Algorithm, RsaHint, SigningKey,
    kept_file::{Advice, Made, read_or_make},
};
use crate::settings::{Building, Effects};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A signing key, for example `{ file: keys/signing.pem, generate: ES256 }`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyFileSettings {
    /// A PEM file with a private key: EC P-256 or P-384, Ed25519, or RSA with at least 2048 bits.
    pub file: PathBuf,
    /// The type of key to generate if the file does not exist: ES256, ES384, EdDSA, RS256 or PS256. The new file is
    /// readable only by its owner. Without it, a missing file is an error. For an existing RSA key, `RS256` or
    /// `PS256` selects its algorithm; the default is RS256.
    #[schemars(transform = generated)]
    #[serde(default, deserialize_with = "generatable")]
    pub generate: Option<Algorithm>,
}

impl KeyFileSettings {
    /// Reads the key, or generates it. Gateways that start at the same time end up with the same key: the second one
    /// reads the key of the first.
    pub fn build(self, building: &mut Building<'_>) -> Option<SigningKey> {
        if self.generate.is_some_and(|alg| !GENERATED.contains(&alg)) {
            building.within("generate", |building| {
                let names = GENERATED.map(Algorithm::as_str).join(", ");
                let what =
                    format!("no key is generated for this algorithm: expected one of {names}");
                building.findings.error(what, "write one of these");
            });
            return None;
        }
        let path = building.base.resolve(&self.file);
        // `explain` uses a temporary key if the gateway's key is not available
        let imagined = (building.effects == Effects::Imagined).then_some(Algorithm::ES256);
        let generate = self.generate.or(imagined).map(|alg| {
            move || {
                let made = SigningKey::generate(alg).map_err(|error| error.to_string())?;
                let text = Zeroizing::new(made.pem.expose().to_owned());
                Ok(Made {
                    key: made.key,
                    text,
                })
            }
        });
        let read = |pem: &str, building: &mut Building<'_>| self.read(&path, pem, building);
        read_or_make(&path, ADVICE, read, generate, building)
    }

    fn read(&self, path: &Path, pem: &str, building: &mut Building<'_>) -> Option<SigningKey> {
        let rsa = self.generate.map(RsaHint::of).unwrap_or_default();
        match SigningKey::from_pem(pem, rsa) {
            Ok(key) => {
                if let Some(alg) = self.generate.filter(|alg| *alg != key.alg()) {
                    building.findings.warn(
                        format!("{} contains a key for {}, not {alg}", path.display(), key.alg()),
                        "an existing file is used as it is; `generate` applies only if the file does not exist",
                        "remove `generate`, or name another file",
                    );
                }
                Some(key)
            }
            Err(error) => {
                building.findings.error(
                    format!("{}: {error}", path.display()),
                    "name a PEM file with a private key: EC P-256 or P-384, Ed25519, or RSA of 2048 bits or more",
                );
                None
            }
        }
    }
}

const ADVICE: Advice = Advice {
    absent: "name an existing PEM file, or add `generate: ES256` to create it at the first start",
    unreadable: "name a PEM file that the gateway can read",
    open_to_others: "anyone who can read this key can issue tokens as the gateway",
};

/// The algorithms for which a key can be generated.
const GENERATED: [Algorithm; 5] = [
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
    Algorithm::RS256,
    Algorithm::PS256,
];

/// Parses one of these algorithms. Other algorithms are not suggested in errors.
fn generatable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Algorithm>, D::Error> {
    const NAMES: [&str; 5] = ["ES256", "ES384", "EdDSA", "RS256", "PS256"];
    let name = String::deserialize(deserializer)?;
    let named = GENERATED.into_iter().find(|alg| alg.as_str() == name);
    named
        .map(Some)
        .ok_or_else(|| de::Error::unknown_variant(&name, &NAMES))
}

/// Restricts the schema to these algorithms.
fn generated(schema: &mut Schema) {
    let choices = GENERATED.map(|algorithm| Value::from(algorithm.as_str()));
    schema.remove("anyOf");
    schema.insert("enum".to_owned(), Value::from(choices.to_vec()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{BaseDir, Effects, Findings, Severity};
    use std::{fs, os::unix::fs::PermissionsExt, thread};
    use tempfile::TempDir;

    fn build(
        folder: &TempDir,
        generate: Option<Algorithm>,
        effects: Effects,
    ) -> (Option<String>, Vec<(Severity, String)>) {
        let mut findings = Findings::default();
        let base = BaseDir::of_file(&folder.path().join("gateway.yaml"));
        let settings = KeyFileSettings {
            file: "keys/a.pem".into(),
            generate,
        };
        let key = settings.build(&mut Building {
            base: &base,
            effects,
            findings: &mut findings,
        });
        let found = findings
            .into_vec()
            .into_iter()
            .map(|f| (f.severity, f.what));
        (key.map(|key| key.kid().to_owned()), found.collect())
    }

    fn file(folder: &TempDir) -> PathBuf {
        folder.path().join("keys/a.pem")
    }

    #[test]
    fn an_absent_key_is_made_once_for_its_owner_alone() {
        let folder = TempDir::new().unwrap();
        let (first, found) = build(&folder, Some(Algorithm::ES256), Effects::Allowed);
        assert_eq!(found, []);
        let mode = fs::metadata(file(&folder)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let (second, _) = build(&folder, Some(Algorithm::ES256), Effects::Allowed);
        assert!(first.is_some());
        assert_eq!(first, second);
        assert_eq!(fs::read_dir(folder.path().join("keys")).unwrap().count(), 1);
    }

    #[test]
    fn without_effects_nothing_is_written() {
        let folder = TempDir::new().unwrap();
        let (key, found) = build(&folder, Some(Algorithm::EdDSA), Effects::None);
        assert!(key.is_some());
        assert_eq!(found, []);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn gateways_that_start_at_once_end_with_one_key() {
        let folder = TempDir::new().unwrap();
        let kids: Vec<_> = thread::scope(|scope| {
            let starts: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| build(&folder, Some(Algorithm::EdDSA), Effects::Allowed).0))
                .collect();
            starts
                .into_iter()
                .map(|start| start.join().unwrap())
                .collect()
        });
        assert!(kids[0].is_some());
        assert!(kids.iter().all(|kid| *kid == kids[0]));
    }

    #[test]
    fn an_absent_or_unreadable_key_is_a_finding_that_names_the_file() {
        let folder = TempDir::new().unwrap();
        let (key, found) = build(&folder, None, Effects::Allowed);
        assert!(key.is_none());
        assert!(found[0].1.contains("keys/a.pem: no such file"));
        fs::create_dir(folder.path().join("keys")).unwrap();
        fs::write(file(&folder), "garbage").unwrap();
        fs::set_permissions(file(&folder), fs::Permissions::from_mode(0o600)).unwrap();
        let (key, found) = build(&folder, Some(Algorithm::ES256), Effects::Allowed);
        assert!(key.is_none());
        assert!(found[0].1.contains("expected a PEM file"), "{found:?}");
        assert_eq!(fs::read_to_string(file(&folder)).unwrap(), "garbage");
    }

    #[test]
    fn a_key_that_others_can_read_and_a_key_of_another_kind_are_warnings() {
        let folder = TempDir::new().unwrap();
        build(&folder, Some(Algorithm::ES256), Effects::Allowed);
        fs::set_permissions(file(&folder), fs::Permissions::from_mode(0o644)).unwrap();
        let (key, found) = build(&folder, Some(Algorithm::EdDSA), Effects::Allowed);
        assert!(key.is_some());
        let severities: Vec<_> = found.iter().map(|f| f.0).collect();
        assert_eq!(severities, [Severity::Warning, Severity::Warning]);
    }

    #[test]
    fn an_algorithm_that_no_key_is_made_for_is_a_finding() {
        let folder = TempDir::new().unwrap();
        let (key, found) = build(&folder, Some(Algorithm::RS512), Effects::Allowed);
        assert!(key.is_none());
        assert!(found[0].1.contains("ES256, ES384, EdDSA, RS256, PS256"));
    }
}
