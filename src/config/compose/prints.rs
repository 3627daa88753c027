//! Prints of the parts of a configuration, by which the next one finds out what did not change.
//!
//! What enters is the file as it is written; what leaves are digests of its parts, with the contents of every file that a
//! part names. A key that nobody here has heard of belongs to the print: what is not known to be without effect on a
//! token counts as a change.

use crate::{config::Document, jose::FieldDigest, settings::BaseDir};
use serde_yaml::{Mapping, Value};

/// A digest of a part and of the files that it names.
pub(super) type Print = [u8; 32];

/// The prints of one configuration.
#[derive(Debug, Default)]
pub(super) struct Prints {
    /// `cache`.
    pub(super) cache: Print,
    /// Each of `trusted_issuers`, by position.
    pub(super) issuers: Vec<Print>,
    /// Each of `routes`, by position.
    pub(super) routes: Vec<RoutePrints>,
}

/// The prints of one route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RoutePrints {
    /// All that decides on its tokens.
    pub(super) exchange: Print,
    /// Where it leads.
    pub(super) upstream: Print,
}

/// Sections that say nothing about tokens, or that are looked at one by one.
const APART: [&str; 10] = [
    "listeners",
    "admin",
    "trusted_issuers",
    "routes",
    "cache",
    "limits",
    "shutdown",
    "runtime",
    "telemetry",
    "egress",
];
/// Keys of a route that say nothing about its tokens.
const CARRIAGE: [&str; 5] = ["upstream", "request", "response", "cors", "upgrade"];
/// Keys of `issuer` whose changes are seen by the keys themselves.
const KEYS: [&str; 1] = ["signing_keys"];

impl Prints {
    pub(super) fn of(document: &Document, base: &BaseDir) -> Self {
        let root = document.root();
        let reader = Reader { base };
        let issuers = items(root, "trusted_issuers").map(|issuer| {
            let digest = FieldDigest::new("obo-gateway/config/issuer/1");
            let digest = reader.value(digest, "", issuer);
            reader.key(digest, root, "egress").finish()
        });
        let issuers: Vec<Print> = issuers.collect();
        let common = reader.common(root);
        let routes = items(root, "routes").map(|route| RoutePrints {
            exchange: reader.exchange(route, &common, &trusted(root, route, &issuers)),
            upstream: {
                let digest = FieldDigest::new("obo-gateway/config/upstream/1");
                let upstream = route.get("upstream").unwrap_or(&Value::Null);
                reader.value(digest, "", upstream).finish()
            },
        });
        let cache = FieldDigest::new("obo-gateway/config/cache/1");
        Self {
            cache: reader.key(cache, root, "cache").finish(),
            routes: routes.collect(),
            issuers,
        }
    }
}

/// The prints of the issuers that `route` accepts: of all, where it names none.
fn trusted(root: &Mapping, route: &Value, issuers: &[Print]) -> Vec<Print> {
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
        .map(|(_, print)| *print)
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
    /// What every route's tokens depend on.
    fn common(&self, root: &Mapping) -> Print {
        let mut digest = FieldDigest::new("obo-gateway/config/common/1");
        for listener in items(root, "listeners") {
            // a route's default resource is made of it
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

    fn exchange(&self, route: &Value, common: &Print, issuers: &[Print]) -> Print {
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

    /// Adds all of `mapping` but the keys in `without`, in an order that is not the file's.
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

    /// Adds `value`, which stands under `key`, and the file that it names, if it does.
    fn value(&self, digest: FieldDigest, key: &str, value: &Value) -> FieldDigest {
        match value {
            Value::Null => digest.field(b"null"),
            Value::Bool(value) => digest.field(b"bool").field(&[u8::from(*value)]),
            Value::Number(number) => digest.field(b"number").field(number.to_string().as_bytes()),
            Value::String(text) => {
                let digest = digest.field(b"text").field(text.as_bytes());
                if names_a_file(key) {
                    // one that cannot be read is reported by who needs it
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

/// Whether what stands under `key` is the path of a file whose contents matter.
fn names_a_file(key: &str) -> bool {
    matches!(
        key,
        "file" | "ca" | "client_ca" | "certificate" | "private_key"
    ) || key.ends_with("_file")
}
