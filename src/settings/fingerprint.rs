//! Fingerprints of settings, by which a reload finds out what has not changed.
//!
//! Cached exchanges, keys, connections and stores remain in use over a reload if the settings that they were made with
//! have the same fingerprint. So each settings type says, beside its definition, what of it has an effect on them. The
//! macro [`fingerprint!`] makes every field a decision: a field that it does not name does not compile.

use super::BaseDir;
use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// A setting that has an effect on what is made with it: tokens, keys, connections, a store.
pub trait Fingerprint {
    /// Adds everything about the setting that has such an effect, including the contents of files that it names.
    fn add_to(&self, fingerprint: &mut Fingerprinter<'_>);
}

/// Passes on what belongs to a fingerprint. The receiver makes a one-way digest of it: it can contain secrets.
pub struct Fingerprinter<'a> {
    base: &'a BaseDir,
    receiver: &'a mut dyn FnMut(&[u8]),
}

impl<'a> Fingerprinter<'a> {
    /// Passes every value on to `receiver`, which must not confuse two values with their concatenation. Relative paths
    /// are relative to `base`.
    pub fn new(base: &'a BaseDir, receiver: &'a mut dyn FnMut(&[u8])) -> Self {
        Self { base, receiver }
    }

    /// Adds a single value.
    pub fn value(&mut self, value: &[u8]) {
        (self.receiver)(value);
    }

    /// Adds the field `name` of a settings type.
    pub fn field(&mut self, name: &'static str, value: &(impl Fingerprint + ?Sized)) {
        self.value(name.as_bytes());
        value.add_to(self);
    }

    /// Adds the field `name` of a settings type, which names a file: the path and the contents.
    pub fn file(&mut self, name: &'static str, file: &impl NamesFile) {
        self.value(name.as_bytes());
        let Some(path) = file.path() else {
            return self.value(b"none");
        };
        self.value(path.as_os_str().as_encoded_bytes());
        // a file that cannot be read is reported when its component is built
        match std::fs::read(self.base.resolve(path)).map(Zeroizing::new) {
            Ok(contents) => {
                self.value(b"contents");
                self.value(&contents);
            }
            Err(_) => self.value(b"unreadable"),
        }
    }

    /// Adds the field `name` of a settings type, which names a file whose contents have no effect.
    pub fn path(&mut self, name: &'static str, file: &impl NamesFile) {
        self.value(name.as_bytes());
        match file.path() {
            Some(path) => self.value(path.as_os_str().as_encoded_bytes()),
            None => self.value(b"none"),
        }
    }
}

impl fmt::Debug for Fingerprinter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprinter")
    }
}

/// A field that names a file. Paths are not [`Fingerprint`]s, so that each settings type has to say if the contents of
/// the file count.
pub trait NamesFile {
    /// Returns the path, if one is set.
    fn path(&self) -> Option<&Path>;
}

impl NamesFile for PathBuf {
    fn path(&self) -> Option<&Path> {
        Some(self)
    }
}

impl NamesFile for Option<PathBuf> {
    fn path(&self) -> Option<&Path> {
        self.as_deref()
    }
}

/// Implements [`Fingerprint`](crate::settings::Fingerprint) for a settings type. Every field has to be in one of the
/// lists, and every variant of an enumeration has to be named (`fingerprint!(Rule = Drop | Refuse)`). Otherwise it does
/// not compile; for a field, the compiler's error is "pattern requires `..`".
///
/// - `fields` have an effect on what is made with the settings.
/// - `files` name files whose contents have one.
/// - `paths` name files whose contents have none.
/// - `without` have none, for the reason that is given.
macro_rules! fingerprint {
    ($type:ty = $($variant:ident)|+) => {
        impl $crate::settings::Fingerprint for $type {
            fn add_to(&self, fingerprint: &mut $crate::settings::Fingerprinter<'_>) {
                fingerprint.value(match self {
                    $(Self::$variant => stringify!($variant).as_bytes(),)+
                });
            }
        }
    };
    ($type:ty {
        $(fields: [$($field:ident),+ $(,)?] $(,)?)?
        $(files: [$($file:ident),+ $(,)?] $(,)?)?
        $(paths: [$($path:ident),+ $(,)?] $(,)?)?
        $(without: { $([$($other:ident),+ $(,)?]: $why:literal),+ $(,)? } $(,)?)?
    }) => {
        impl $crate::settings::Fingerprint for $type {
            #[allow(unused_variables, reason = "a type of which nothing has an effect adds nothing")]
            fn add_to(&self, fingerprint: &mut $crate::settings::Fingerprinter<'_>) {
                let Self { $($($field,)+)? $($($file,)+)? $($($path,)+)? $($($($other: _,)+)+)? } = self;
                $($(fingerprint.field(stringify!($field), $field);)+)?
                $($(fingerprint.file(stringify!($file), $file);)+)?
                $($(fingerprint.path(stringify!($path), $path);)+)?
            }
        }
    };
}

pub(crate) use fingerprint;

impl Fingerprint for str {
    fn add_to(&self, fingerprint: &mut Fingerprinter<'_>) {
        fingerprint.value(self.as_bytes());
    }
}

impl Fingerprint for String {
    fn add_to(&self, fingerprint: &mut Fingerprinter<'_>) {
        self.as_str().add_to(fingerprint);
    }
}

/// Numbers and the like, by their text.
macro_rules! by_text {
    ($($type:ty),+) => {
        $(impl Fingerprint for $type {
            fn add_to(&self, fingerprint: &mut Fingerprinter<'_>) {
                self.to_string().add_to(fingerprint);
            }
        })+
    };
}

by_text!(bool, u8, u64, usize);

impl<T: Fingerprint> Fingerprint for Option<T> {
    fn add_to(&self, fingerprint: &mut Fingerprinter<'_>) {
        match self {
            None => fingerprint.value(b"none"),
            Some(value) => {
                fingerprint.value(b"some");
                value.add_to(fingerprint);
            }
        }
    }
}

impl<T: Fingerprint> Fingerprint for [T] {
    fn add_to(&self, fingerprint: &mut Fingerprinter<'_>) {
        self.len().add_to(fingerprint);
        for item in self {
            item.add_to(fingerprint);
        }
    }
}

impl<T: Fingerprint> Fingerprint for Vec<T> {
    fn add_to(&self, fingerprint: &mut Fingerprinter<'_>) {
        self.as_slice().add_to(fingerprint);
    }
}

impl<T: Fingerprint> Fingerprint for BTreeMap<String, T> {
    fn add_to(&self, fingerprint: &mut Fingerprinter<'_>) {
        self.len().add_to(fingerprint);
        for (key, value) in self {
            key.add_to(fingerprint);
            value.add_to(fingerprint);
        }
    }
}

/// A claim, by its JSON text.
impl Fingerprint for serde_json::Value {
    fn add_to(&self, fingerprint: &mut Fingerprinter<'_>) {
        self.to_string().add_to(fingerprint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[derive(Clone)]
    struct Sample {
        name: String,
        names: Vec<String>,
        key: PathBuf,
        store: Option<PathBuf>,
        level: u8,
        kind: Kind,
    }

    #[derive(Clone, Copy)]
    enum Kind {
        One,
        Other,
    }

    fingerprint!(Kind = One | Other);
    fingerprint!(Sample {
        fields: [name, names, kind],
        files: [key],
        paths: [store],
        without: { [level]: "is about the log" },
    });

    fn values(base: &Path, setting: &impl Fingerprint) -> Vec<Vec<u8>> {
        let base = BaseDir::of_file(&base.join("gateway.yaml"));
        let mut values = Vec::new();
        let mut receiver = |value: &[u8]| values.push(value.to_vec());
        setting.add_to(&mut Fingerprinter::new(&base, &mut receiver));
        values
    }

    #[test]
    fn each_field_counts_as_its_type_says() {
        let folder = tempfile::tempdir().unwrap();
        let of = |sample: &Sample| values(folder.path(), sample);
        let sample = Sample {
            name: "a".into(),
            names: vec!["b".into()],
            key: "key".into(),
            store: Some("store".into()),
            level: 1,
            kind: Kind::One,
        };
        let before = of(&sample);
        let changed = |change: fn(&mut Sample)| {
            let mut other = sample.clone();
            change(&mut other);
            of(&other) != before
        };
        assert!(changed(|s| s.name = "b".into()));
        assert!(changed(|s| s.names.clear()));
        assert!(changed(|s| s.kind = Kind::Other));
        assert!(changed(|s| s.key = "other".into()));
        assert!(changed(|s| s.store = None));
        assert!(!changed(|s| s.level = 2));

        std::fs::write(folder.path().join("store"), "1").unwrap();
        assert_eq!(of(&sample), before, "the contents of a path do not count");
        std::fs::write(folder.path().join("key"), "").unwrap();
        let empty = of(&sample);
        assert_ne!(empty, before, "an empty file is not an absent one");
        std::fs::write(folder.path().join("key"), "1").unwrap();
        assert_ne!(of(&sample), empty);
    }

    #[test]
    fn different_values_are_never_the_same() {
        let of = |value: Value| values(Path::new("/nonexistent"), &value);
        let different = [
            json!("1"),
            json!(1),
            json!(null),
            json!("null"),
            json!(["a", "b"]),
            json!(["a,b"]),
            json!({ "a": "b" }),
        ];
        for (n, one) in different.iter().enumerate() {
            for other in different.iter().skip(n + 1) {
                assert_ne!(of(one.clone()), of(other.clone()));
            }
        }
        let base = Path::new("/nonexistent");
        let list = |items: &[&str]| -> Vec<String> { items.iter().map(|i| (*i).into()).collect() };
        assert_ne!(
            values(base, &vec![list(&["a"]), list(&["b"])]),
            values(base, &vec![list(&["a", "b"])])
        );
        assert_ne!(
            values(base, &Some("none".to_owned())),
            values(base, &None::<String>)
        );
    }
}
