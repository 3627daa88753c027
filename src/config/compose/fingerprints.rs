//! Fingerprints of the parts of a configuration, which show the next one what has not changed.
//!
//! A fingerprint is a digest of a part of the file and of the contents of every file that it names. Unknown keys are
//! included: a key counts as a change unless it is known to have no effect on tokens.

use crate::{config::Document, jose::FieldDigest, settings::BaseDir};
use serde_yaml::{Mapping, Value};

/// A digest of a part of the configuration and of the files that it names.
pub(super) type Fingerprint = [u8; 32];

/// The fingerprints of one configuration.
#[derive(Debug, Default)]
pub(super) struct ConfigFingerprint {
    /// The fingerprint of `cache`.
    pub(super) cache: Fingerprint,
    /// The fingerprint of `store`.
    pub(super) store: Fingerprint,
    /// The fingerprint of each of `trusted_issuers`, by position.
    pub(super) issuers: Vec<Fingerprint>,
    /// The fingerprints of each of `routes`, by position.
    pub(super) routes: Vec<RouteFingerprints>,
}

/// The fingerprints of one route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RouteFingerprints {
    /// The fingerprint of everything that affects its tokens.
    pub(super) exchange: Fingerprint,
    /// The fingerprint of its upstream.
    pub(super) upstream: Fingerprint,
}

/// Sections that do not affect tokens, or that have fingerprints of their own.
const APART: [&str; 11] = [
    "listeners",
    "admin",
    "trusted_issuers",
    "routes",
    "cache",
    "store",
    "limits",
    "shutdown",
    "runtime",
    "telemetry",
    "egress",
];
/// Keys of a route that do not affect its tokens.
const CARRIAGE: [&str; 5] = ["upstream", "request", "response", "cors", "upgrade"];
/// Keys of `issuer` whose changes are detected by comparing the signing keys themselves.
const KEYS: [&str; 1] = ["signing_keys"];

impl ConfigFingerprint {
    pub(super) fn of(document: &Document, base: &BaseDir) -> Self {
        let root = document.root();
        let reader = Reader { base };
        let issuers = items(root, "trusted_issuers").map(|issuer| {
            let digest = FieldDigest::new("obo-gateway/config/issuer/1");
            let digest = reader.value(digest, "", issuer);
            reader.key(digest, root, "egress").finish()
        });
        let issuers: Vec<Fingerprint> = issuers.collect();
        let common = reader.common(root);
        let routes = items(root, "routes").map(|route| RouteFingerprints {
            exchange: reader.exchange(route, &common, &trusted(root, route, &issuers)),
            upstream: {
                let digest = FieldDigest::new("obo-gateway/config/upstream/1");
                let upstream = route.get("upstream").unwrap_or(&Value::Null);
                reader.value(digest, "", upstream).finish()
            },
        });
        let cache = FieldDigest::new("obo-gateway/config/cache/1");
        let store = FieldDigest::new("obo-gateway/config/store/1");
        Self {
            cache: reader.key(cache, root, "cache").finish(),
            store: {
                let digest = reader.key(store, root, "store");
                let shared = root.get("store").and_then(|store| store.get("redis"));
                // records on a server are sealed
                let sealed = shared.and_then(|_| root.get("issuer")?.get("opaque_keys"));
                reader
                    .value(digest, "", sealed.unwrap_or(&Value::Null))
                    .finish()
            },
            routes: routes.collect(),
            issuers,
        }
    }
}

/// Returns the fingerprints of the issuers that `route` accepts: of all issuers, if it lists none.
fn trusted(root: &Mapping, route: &Value, issuers: &[Fingerprint]) -> Vec<Fingerprint> {
    let exchange = route.get("exchange");
    let accepts = exchange.and_then(|exchange| exchange.get("accepts"));
    let named: Option<Vec<&Value>> = accepts
        .and_then(Value::as_sequence)
        .filter(|accepts| !accepts.is_empty())
        .map(|accepts| {
            accepts
                .iter()
                .filter_map(|item| item.get("issuer"))
                .collect()
        });
    items(root, "trusted_issuers")
        .zip(issuers)
        .filter(|(issuer, _)| match (&named, issuer.get("name")) {
            (Some(named), Some(name)) => named.contains(&name),
            (Some(_), None) | (None, _) => true,
        })
        .map(|(_, fingerprint)| *fingerprint)
        .collect()
}

fn items<'a>(root: &'a Mapping, key: &str) -> impl Iterator<Item = &'a Value> {
    let items = root.get(key).and_then(Value::as_sequence);
    items.map(Vec::as_slice).unwrap_or_default().iter()
}

struct Reader<'a> {
    base: &'a BaseDir,
}

impl Reader<'_> {
    /// Returns the fingerprint of the settings that affect the tokens of every route.
    fn common(&self, root: &Mapping) -> Fingerprint {
        let mut digest = FieldDigest::new("obo-gateway/config/common/1");
        for listener in items(root, "listeners") {
            // the default resource of a route is derived from it
            let url = listener.get("public_url").unwrap_or(&Value::Null);
            digest = self.value(digest, "", url);
        }
        let mut sections: Vec<_> = named(root)
            .filter(|(name, _)| !APART.contains(name))
            .collect();
        sections.sort_unstable_by_key(|(name, _)| *name);
        for (name, section) in sections {
            digest = match (name, section) {
                ("issuer", Value::Mapping(issuer)) => self.mapping(digest, issuer, &KEYS),
                (name, section) => self.value(digest.field(name.as_bytes()), name, section),
            };
        }
        digest.finish()
    }

    fn exchange(
        &self,
        route: &Value,
        common: &Fingerprint,
        issuers: &[Fingerprint],
    ) -> Fingerprint {
        let digest = FieldDigest::new("obo-gateway/config/exchange/1").field(common);
        let digest = issuers
            .iter()
            .fold(digest, |digest, issuer| digest.field(issuer));
        match route.as_mapping() {
            Some(route) => self.mapping(digest, route, &CARRIAGE),
            None => self.value(digest, "", route),
        }
        .finish()
    }

    fn key(&self, digest: FieldDigest, mapping: &Mapping, key: &str) -> FieldDigest {
        self.value(digest, key, mapping.get(key).unwrap_or(&Value::Null))
    }

    /// Adds `mapping` except for the keys in `without`, in an order that does not depend on the file.
    fn mapping(&self, digest: FieldDigest, mapping: &Mapping, without: &[&str]) -> FieldDigest {
        let mut members: Vec<_> = named(mapping)
            .filter(|(name, _)| !without.contains(name))
            .collect();
        members.sort_unstable_by_key(|(name, _)| *name);
        let digest = digest.field(b"mapping").field(&members.len().to_be_bytes());
        members.into_iter().fold(digest, |digest, (name, value)| {
            self.value(digest.field(name.as_bytes()), name, value)
        })
    }

    /// Adds `value`, which is the value of `key`, and the contents of the file that it names, if it names one.
    fn value(&self, digest: FieldDigest, key: &str, value: &Value) -> FieldDigest {
        match value {
            Value::Null => digest.field(b"null"),
            Value::Bool(value) => digest.field(b"bool").field(&[u8::from(*value)]),
            Value::Number(number) => digest.field(b"number").field(number.to_string().as_bytes()),
            Value::String(text) => {
                let digest = digest.field(b"text").field(text.as_bytes());
                if names_a_file(key) {
                    // a file that cannot be read is reported when its component is built
                    let contents = std::fs::read(self.base.resolve(text.as_ref())).ok();
                    digest
                        .field(&[u8::from(contents.is_some())])
                        .field(&contents.unwrap_or_default())
                } else {
                    digest
                }
            }
            Value::Sequence(items) => {
                let digest = digest.field(b"list").field(&items.len().to_be_bytes());
                let add = |digest, item| self.value(digest, key, item);
                items.iter().fold(digest, add)
            }
            Value::Mapping(mapping) => self.mapping(digest, mapping, &[]),
            Value::Tagged(tagged) => self.value(digest.field(b"tagged"), key, &tagged.value),
        }
    }
}

fn named(mapping: &Mapping) -> impl Iterator<Item = (&str, &Value)> {
    mapping
        .iter()
        .filter_map(|(name, value)| Some((name.as_str()?, value)))
}

/// Returns `true` if the value of `key` is the path of a file whose contents matter.
fn names_a_file(key: &str) -> bool {
    matches!(
        key,
        "file" | "ca" | "client_ca" | "certificate" | "private_key"
    ) || key.ends_with("_file")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const FILE: &str = r#"
listeners: [ { address: 127.0.0.1:0 } ]
issuer: { url: https://gw.example, lifetime: 5m, signing_keys: [ { file: 1.pem } ] }
trusted_issuers:
  - { name: corp, issuer: https://corp.example, keys: { jwks_file: corp.json } }
  - { name: other, issuer: https://other.example, keys: { discovery: true } }
routes:
  - { name: a, match: { prefix: /a }, upstream: { tls: { ca: ca.pem } }, exchange: { accepts: [ { issuer: corp } ], scope: { allow: [r, w] } } }
  - { name: b, match: { prefix: /b }, upstream: {}, exchange: { accepts: [ { issuer: other } ] } }
cache: { max_size: 1MiB }
store: { embedded: { path: store } }
"#;

    /// Returns which fingerprints of `FILE` change with `text`: exchanges and upstreams of routes, issuers, cache,
    /// store.
    fn changed(base: &BaseDir, text: &str) -> String {
        let fingerprints =
            |text: &str| ConfigFingerprint::of(&Document::parse("f", text).unwrap(), base);
        compare(&fingerprints(FILE), &fingerprints(text))
    }

    fn compare(before: &ConfigFingerprint, after: &ConfigFingerprint) -> String {
        let mut found = Vec::new();
        for (n, (a, b)) in before.routes.iter().zip(&after.routes).enumerate() {
            found.push((a.exchange != b.exchange).then(|| format!("exchange {n}")));
            found.push((a.upstream != b.upstream).then(|| format!("upstream {n}")));
        }
        for (n, (a, b)) in before.issuers.iter().zip(&after.issuers).enumerate() {
            found.push((a != b).then(|| format!("issuer {n}")));
        }
        found.push((before.cache != after.cache).then(|| "cache".to_owned()));
        found.push((before.store != after.store).then(|| "store".to_owned()));
        found.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_change_is_seen_where_it_matters_and_nowhere_else() {
        let base = BaseDir::of_file(Path::new("/nonexistent/f"));
        let with = |from: &str, to: &str| {
            assert!(FILE.contains(from), "{from}");
            changed(&base, &FILE.replace(from, to))
        };
        assert_eq!(with("[r, w]", "[r]"), "exchange 0");
        assert_eq!(
            with("upstream: {}", "upstream: { http2: true }"),
            "upstream 1"
        );
        assert_eq!(
            with("https://other.example", "https://o.example"),
            "exchange 1, issuer 1"
        );
        assert_eq!(
            with("lifetime: 5m", "lifetime: 4m"),
            "exchange 0, exchange 1"
        );
        assert_eq!(with("1MiB", "2MiB"), "cache");
        assert_eq!(with("path: store", "path: other"), "store");
        assert_eq!(with("1.pem", "2.pem"), "");
        assert_eq!(with("127.0.0.1:0", "127.0.0.1:1"), "");
        // an unknown section may affect any token
        assert_eq!(
            with("cache:", "novelty: { a: b }\ncache:"),
            "exchange 0, exchange 1"
        );
    }

    #[test]
    fn the_order_of_keys_is_no_change() {
        let base = BaseDir::of_file(Path::new("/nonexistent/f"));
        let moved = FILE.replace(
            "match: { prefix: /b }, upstream: {}",
            "upstream: {}, match: { prefix: /b }",
        );
        assert_ne!(moved, FILE);
        assert_eq!(changed(&base, &moved), "");
    }

    #[test]
    fn other_contents_of_a_file_that_is_named_are_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let base = BaseDir::of_file(&folder.path().join("f"));
        let document = Document::parse("f", FILE).unwrap();
        let before = ConfigFingerprint::of(&document, &base);
        std::fs::write(folder.path().join("corp.json"), "{}").unwrap();
        std::fs::write(folder.path().join("ca.pem"), "x").unwrap();
        let after = ConfigFingerprint::of(&document, &base);
        assert_eq!(compare(&before, &after), "exchange 0, upstream 0, issuer 0");
    }
}
