//! Secrets. The configuration names their source and never contains them.

use super::{Building, Effects, exactly_one, fingerprint};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    fmt,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The source of a secret: `{ env: NAME }` or `{ file: PATH }`. A secret is never written in the configuration
/// itself.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    rename = "Secret",
    transform = exactly_one(&["env", "file"]),
    extend("examples" = [{ "env": "ADMIN_TOKEN" }, { "file": "secrets/admin.token" }])
)]
pub struct SecretSettings {
    /// The name of an environment variable that contains the secret.
    env: Option<String>,
    /// A file that contains the secret in one line. A line break at the end is ignored.
    file: Option<PathBuf>,
}

// a variable of the running process does not change
fingerprint!(SecretSettings {
    fields: [env],
    files: [file],
});

/// The bytes of a secret; they are wiped from memory when dropped, and never printed.
pub struct Secret(Zeroizing<Vec<u8>>);

impl SecretSettings {
    /// Reads the secret, without one line break at its end. Other text that an editor may have added is reported as a
    /// mistake, because requests with the right secret would be refused.
    pub fn build(&self, building: &mut Building<'_>) -> Option<Secret> {
        let read = match (&self.env, &self.file) {
            (Some(name), None) if name.trim().is_empty() => {
                building.within("env", |b| {
                    b.findings.error(
                        "expected the name of an environment variable, found an empty text",
                        "write e.g. ADMIN_TOKEN",
                    );
                });
                return None;
            }
            (Some(name), None) => std::env::var(name)
                .map(String::into_bytes)
                .map_err(|error| format!("environment variable {name}: {error}")),
            (None, Some(file)) => {
                let path = building.base.resolve(file);
                warn_of_readers(
                    &path,
                    "anyone who can read this secret can use it",
                    building,
                );
                std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
            }
            _ => Err("expected exactly one of env and file".to_owned()),
        };
        match read {
            Ok(bytes) => {
                let secret = Secret::of(bytes);
                match secret.flaw() {
                    None => Some(secret),
                    Some(flaw) => {
                        flaw.report(building);
                        None
                    }
                }
            }
            Err(_) if building.effects == Effects::Imagined && self.is_one_place() => {
                Some(Secret(Zeroizing::new(IMAGINED.to_vec())))
            }
            Err(what) => {
                building.findings.error(
                    what,
                    "write { env: NAME } or { file: PATH } for a secret that can be read",
                );
                None
            }
        }
    }
}

impl SecretSettings {
    fn is_one_place(&self) -> bool {
        self.env.is_some() != self.file.is_some()
    }
}

/// Replaces a secret that cannot be read while a decision is explained: long enough for any use, and not secret.
const IMAGINED: &[u8] = &[b'x'; 64];

/// Something in or around a secret that is probably not meant to belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    Empty,
    ByteOrderMark,
    Utf16,
    SecondLine,
    Blanks,
    Control,
}

impl Flaw {
    fn report(self, building: &mut Building<'_>) {
        let (what, fix) = match self {
            Self::Empty => {
                building
                    .findings
                    .error("the secret is empty", "store a value in it");
                return;
            }
            Self::ByteOrderMark => (
                "the secret starts with a byte order mark",
                "save it as UTF-8 without BOM, e.g. with `printf %s`",
            ),
            Self::Utf16 => (
                "the secret is stored in UTF-16",
                "save it as UTF-8 without BOM, e.g. with `printf %s`",
            ),
            Self::SecondLine => (
                "the secret has more than one line",
                "store only the secret, in one line",
            ),
            Self::Blanks => (
                "the secret starts or ends with blanks",
                "remove the blanks around it",
            ),
            Self::Control => (
                "the secret contains a control character",
                "store it again, in one line of text",
            ),
        };
        let why = "it would be part of the secret, and no client presents it";
        building.findings.error_because(what, why, fix);
    }
}

/// Warns if users other than the owner can read the file at `path`.
pub fn warn_of_readers(path: &Path, why: &'static str, building: &mut Building<'_>) {
    if let Ok(metadata) = std::fs::metadata(path)
        && metadata.is_file()
        && metadata.permissions().mode() & 0o077 != 0
    {
        building.findings.warn(
            format!(
                "{} can be read by users other than its owner",
                path.display()
            ),
            why,
            format!("chmod 600 {}", path.display()),
        );
    }
}

impl Secret {
    fn of(bytes: Vec<u8>) -> Self {
        let mut bytes = Zeroizing::new(bytes);
        if bytes.ends_with(b"\n") {
            bytes.pop();
        }
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
        Self(bytes)
    }

    /// Returns the first flaw. Random bytes that are not text have none.
    fn flaw(&self) -> Option<Flaw> {
        if self.0.is_empty() {
            return Some(Flaw::Empty);
        }
        if is_utf16(&self.0) {
            return Some(Flaw::Utf16);
        }
        let text = std::str::from_utf8(&self.0).ok()?;
        let is_blank = |c: char| c.is_whitespace() || matches!(c, '\u{200b}' | '\u{feff}');
        if text.starts_with('\u{feff}') {
            Some(Flaw::ByteOrderMark)
        } else if text.contains(['\n', '\r']) {
            Some(Flaw::SecondLine)
        } else if text.starts_with(is_blank) || text.ends_with(is_blank) {
            Some(Flaw::Blanks)
        } else if text.contains(char::is_control) {
            Some(Flaw::Control)
        } else {
            None
        }
    }

    /// Returns the bytes, for the one place that sends or compares them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// Returns `true` for ASCII text in UTF-16 with a byte order mark, as written by Notepad and PowerShell.
fn is_utf16(bytes: &[u8]) -> bool {
    let (marks, text) = bytes.split_at_checked(2).unwrap_or_default();
    let high = match marks {
        [0xff, 0xfe] => 1,
        [0xfe, 0xff] => 0,
        _ => return false,
    };
    let zero = |pair: &[u8]| pair.get(high).is_some_and(|byte| *byte == 0);
    !text.is_empty() && text.chunks_exact(2).all(zero)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{BaseDir, Effects, Finding, Findings};

    fn read(content: &[u8], mode: u32) -> (Option<Vec<u8>>, Vec<Finding>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let settings = SecretSettings {
            env: None,
            file: Some("secret".into()),
        };
        let base = BaseDir::of_file(&folder.path().join("gateway.yaml"));
        let mut findings = Findings::default();
        let secret = settings.build(&mut Building {
            base: &base,
            effects: Effects::None,
            findings: &mut findings,
        });
        let bytes = secret.map(|secret| secret.expose().to_vec());
        (bytes, findings.into_vec())
    }

    #[test]
    fn one_line_ending_is_no_part_of_the_secret() {
        for content in ["s3cret", "s3cret\n", "s3cret\r\n"] {
            assert_eq!(
                read(content.as_bytes(), 0o600),
                (Some(b"s3cret".to_vec()), vec![])
            );
        }
    }

    #[test]
    fn what_an_editor_or_a_hurried_hand_leaves_is_a_finding() {
        for (content, expected) in [
            (b"\xef\xbb\xbfs3cret".as_slice(), "byte order mark"),
            (b"\xef\xbb\xbfs3cret\r\n", "byte order mark"),
            (b"\xff\xfes\x003\0c\0", "UTF-16"),
            (b"\xfe\xff\0s\x003\0c\0\n", "UTF-16"),
            (b"s3cret  \n", "blanks"),
            (b" s3cret", "blanks"),
            (b"s3cret\t", "blanks"),
            ("s3cret\u{a0}".as_bytes(), "blanks"),
            ("s3cret\u{200b}".as_bytes(), "blanks"),
            (b"s3cret\nnote\n", "more than one line"),
            (b"s3cret\n\n", "more than one line"),
            (b"\ns3cret", "more than one line"),
            (b"s3cret\rnote", "more than one line"),
            (b"s3cret\0", "control character"),
            (b"s3\x1bcret", "control character"),
            (b"", "empty"),
            (b"\n", "empty"),
        ] {
            let (secret, findings) = read(content, 0o600);
            assert!(secret.is_none(), "{content:?}");
            assert_eq!(findings.len(), 1);
            assert!(
                findings[0].what.contains(expected),
                "{content:?}: {}",
                findings[0].what
            );
            assert!(!findings[0].what.contains("s3cret"));
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_a_secret_as_they_are() {
        let random = b"\x9f \n\xff\0\x80\r ".as_slice();
        assert_eq!(read(random, 0o600), (Some(random.to_vec()), vec![]));
    }

    #[test]
    fn a_secret_that_others_can_read_is_warned_about() {
        for mode in [0o644, 0o640, 0o604, 0o620] {
            let (secret, findings) = read(b"s3cret", mode);
            assert!(secret.is_some());
            assert_eq!(findings.len(), 1, "{mode:o}");
            assert!(findings[0].fix.starts_with("chmod 600 "));
        }
        assert_eq!(read(b"s3cret", 0o400).1, []);
    }
}
