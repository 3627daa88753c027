use super::*;
use crate::{
    config::{Document, compose, schema},
    settings::Findings,
};
use serde_json::{Map, Value, json};
use std::path::Path;

/// The settings without an effect on tokens, keys, connections, the store and the cache, and why.
const WITHOUT_EFFECT: [(&str, &str); 13] = [
    ("listeners[].address", "where clients connect"),
    ("listeners[].tls", "is read again at each reload"),
    ("listeners[].http2", "is about connections"),
    ("admin", "is about another listener"),
    ("issuer.signing_keys", "the keys are compared themselves"),
    ("routes[].request", "is forwarded next to the token"),
    ("routes[].response", "is returned to the client"),
    ("routes[].cors", "applies to every request"),
    ("routes[].upgrade", "is about the protocol of a connection"),
    ("limits", "are checked for every request"),
    ("shutdown", "applies when the process ends"),
    ("runtime", "applies from the next start"),
    ("telemetry", "says what is written where"),
];

/// The settings that name a file whose contents count.
const FILES: [&str; 16] = [
    "clients[].authentication.jwks_file",
    "clients[].authentication.secret.file",
    "clients[].authentication.tls.ca",
    "directory.file",
    "issuer.opaque_keys[].file",
    "issuer.pairwise_salt.file",
    "routes[].upstream.tls.ca",
    "routes[].upstream.tls.certificate",
    "routes[].upstream.tls.private_key",
    "store.redis.sentinel.password.file",
    "store.redis.tls.ca",
    "store.redis.tls.certificate",
    "store.redis.tls.private_key",
    "store.redis.url.file",
    "trusted_issuers[].keys.jwks_file",
    "trusted_issuers[].keys.tls.ca",
];

fn fingerprint(base: &BaseDir, text: &str) -> ConfigFingerprint {
    let document = Document::parse("f", text).unwrap();
    let mut findings = Findings::default();
    let read = document.sections(&mut findings, |top| compose::read(top));
    assert_eq!(findings.into_vec(), [], "{text}");
    ConfigFingerprint::of(&read, base)
}

/// Returns which fingerprints differ: exchanges and upstreams of routes, issuers, cache, store.
fn compare(before: &ConfigFingerprint, after: &ConfigFingerprint) -> String {
    let mut found = Vec::new();
    for ((n, a), (_, b)) in before.routes.iter().zip(&after.routes) {
        found.push((a.exchange != b.exchange).then(|| format!("exchange {n}")));
        found.push((a.upstream != b.upstream).then(|| format!("upstream {n}")));
    }
    for ((n, a), (_, b)) in before.issuers.iter().zip(&after.issuers) {
        found.push((a != b).then(|| format!("issuer {n}")));
    }
    found.push((before.cache != after.cache).then(|| "cache".to_owned()));
    found.push((before.store != after.store).then(|| "store".to_owned()));
    found.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A configuration with every key that the schema describes. The values are unusual, but have the right shape.
struct Everything {
    schema: Value,
    leaves: Vec<String>,
    /// The leaf that has its other value.
    changed: Option<String>,
}

impl Everything {
    /// Returns the paths of all values that are no mapping and no list.
    fn leaves() -> Vec<String> {
        let mut everything = Self::with(None);
        everything.text();
        everything.leaves
    }

    fn with(changed: Option<&str>) -> Self {
        Self {
            schema: schema(),
            leaves: Vec::new(),
            changed: changed.map(ToOwned::to_owned),
        }
    }

    fn text(&mut self) -> String {
        let root = self.schema.clone();
        self.value("", &root).to_string()
    }

    fn value(&mut self, path: &str, written: &Value) -> Value {
        let name = written.get("$ref").and_then(Value::as_str);
        let schema = match name.and_then(|name| self.schema.pointer(name.strip_prefix('#')?)) {
            Some(definition) => definition.clone(),
            None => written.clone(),
        };
        if let Some(Value::Object(properties)) = schema.get("properties") {
            return self.mapping(path, properties);
        }
        if let Some(items) = schema.get("items") {
            return json!([self.value(&format!("{path}[]"), items)]);
        }
        match schema.get("additionalProperties") {
            Some(Value::Bool(true)) => return json!({ "key": self.leaf(path, &json!({})) }),
            Some(values) if values.is_object() => {
                return json!({ "key": self.value(&format!("{path}.*"), values) });
            }
            _ => {}
        }
        // a text, or the source of a secret: the source names a file
        let secret = schema.pointer("/anyOf/1").cloned();
        match secret {
            Some(secret) => self.value(path, &secret),
            None => self.leaf(path, &schema),
        }
    }

    fn mapping(&mut self, path: &str, properties: &Map<String, Value>) -> Value {
        let dot = if path.is_empty() { "" } else { "." };
        let members = properties.iter().map(|(key, value)| {
            let member = self.value(&format!("{path}{dot}{key}"), value);
            (key.clone(), member)
        });
        Value::Object(members.collect())
    }

    fn leaf(&mut self, path: &str, schema: &Value) -> Value {
        let values = values_of(schema, self.leaves.len());
        self.leaves.push(path.to_owned());
        let changed = self.changed.as_deref() == Some(path);
        values[usize::from(changed)].clone()
    }
}

/// Returns two values that fit the schema of a leaf. `n` is different for each leaf.
fn values_of(schema: &Value, n: usize) -> [Value; 2] {
    let choices = schema.get("oneOf").and_then(Value::as_array);
    let choices: Vec<&Value> = choices
        .into_iter()
        .flatten()
        .map(|choice| choice.get("const").unwrap_or(choice))
        .collect();
    match choices[..] {
        [one, other, ..] if other.is_string() => return [one.clone(), other.clone()],
        // `any` or a list, `auto` or a number
        [one, other] if other["type"] == "array" => return [one.clone(), json!([])],
        [one, _] => return [one.clone(), json!(2)],
        _ => {}
    }
    let listed = schema.get("enum").and_then(Value::as_array);
    if let Some([one, other, ..]) = listed.map(Vec::as_slice) {
        return [one.clone(), other.clone()];
    }
    let examples = schema.get("examples").and_then(Value::as_array);
    match examples.map(Vec::as_slice) {
        Some([one, other, ..]) => return [one.clone(), other.clone()],
        Some([Value::String(one)]) if one.ends_with(['%', 'x']) => {
            return [json!(one), json!(one.replace(['8', '2'], "1"))];
        }
        _ => {}
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("boolean") => [json!(false), json!(true)],
        Some("integer") => [json!(1), json!(2)],
        _ => [json!(format!("leaf-{n}")), json!(format!("leaf-{n}-other"))],
    }
}

fn reason(leaf: &str) -> Option<&'static str> {
    let is_in = |section: &str| {
        let rest = leaf.strip_prefix(section);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let mut all = WITHOUT_EFFECT.iter();
    all.find(|(section, _)| is_in(section)).map(|(_, why)| *why)
}

#[test]
fn every_setting_has_an_effect_or_is_in_the_list_of_those_without() {
    let base = BaseDir::of_file(Path::new("/nonexistent/f"));
    let before = fingerprint(&base, &Everything::with(None).text());
    let leaves = Everything::leaves();
    assert!(leaves.len() > 150, "only {} leaves", leaves.len());
    for leaf in &leaves {
        let after = fingerprint(&base, &Everything::with(Some(leaf)).text());
        let changed = compare(&before, &after);
        match reason(leaf) {
            None => assert_ne!(changed, "", "{leaf} is forgotten"),
            Some(why) => assert_eq!(changed, "", "{leaf}: {why}"),
        }
    }
    for (section, _) in WITHOUT_EFFECT {
        let known = leaves.iter().any(|leaf| leaf.starts_with(section));
        assert!(known, "{section} is no setting");
    }
}

#[test]
fn the_contents_of_every_file_count_that_has_an_effect() {
    let folder = tempfile::tempdir().unwrap();
    let base = BaseDir::of_file(&folder.path().join("f"));
    let text = Everything::with(None).text();
    let before = fingerprint(&base, &text);
    let mut found = Vec::new();
    for (n, leaf) in Everything::leaves().iter().enumerate() {
        let file = folder.path().join(format!("leaf-{n}"));
        std::fs::write(&file, "contents").unwrap();
        if !compare(&before, &fingerprint(&base, &text)).is_empty() {
            found.push(leaf.clone());
        }
        std::fs::remove_file(file).unwrap();
    }
    found.sort_unstable();
    assert_eq!(found, FILES);
}

const FILE: &str = r#"
listeners: [ { address: 127.0.0.1:0 } ]
issuer: { url: https://gw.example, lifetime: 5m, signing_keys: [ { file: 1.pem } ], opaque_keys: [ { file: o.key } ] }
trusted_issuers:
  - { name: corp, issuer: https://corp.example, audiences: [gw], algorithms: [ES256], keys: { jwks_file: corp.json } }
  - { name: other, issuer: https://other.example, audiences: [gw], algorithms: [ES256], keys: { discovery: true } }
routes:
  - name: a
    match: { prefix: /a }
    upstream: { targets: [ { url: https://a.example } ], tls: { ca: ca.pem } }
    exchange: { audience: a, accepts: [ { issuer: corp } ], scope: { allow: [r, w], map: { file: [r] } } }
  - { name: b, match: { prefix: /b }, upstream: { targets: [] }, exchange: { audience: b, accepts: [ { issuer: other } ], scope: { allow: [] } } }
cache: { max_size: 1MiB }
store: { embedded: { path: store } }
"#;

fn with(from: &str, to: &str) -> String {
    let base = BaseDir::of_file(Path::new("/nonexistent/f"));
    assert!(FILE.contains(from), "{from}");
    let after = fingerprint(&base, &FILE.replace(from, to));
    compare(&fingerprint(&base, FILE), &after)
}

#[test]
fn a_change_is_seen_where_it_matters_and_nowhere_else() {
    assert_eq!(with("[r, w]", "[r]"), "exchange 0");
    assert_eq!(
        with("{ targets: [] }", "{ targets: [], http2: true }"),
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
    // a route without a list accepts every issuer
    let all = FILE.replace("accepts: [ { issuer: other } ], ", "");
    let base = BaseDir::of_file(Path::new("/nonexistent/f"));
    let changed = all.replace("https://corp.example", "https://c.example");
    let (all, changed) = (fingerprint(&base, &all), fingerprint(&base, &changed));
    assert_eq!(compare(&all, &changed), "exchange 0, exchange 1, issuer 0");
}

#[test]
fn a_spelling_that_means_the_same_is_no_change() {
    assert_eq!(with("lifetime: 5m", "lifetime: 300s"), "");
    assert_eq!(with("cache: {", "cache: { refresh_ahead: 80%,"), "");
    assert_eq!(with("[r, w]", "[w, r]"), "");
    assert_eq!(with("name: a\n", "public: false\n    name: a\n"), "");
    assert_eq!(with("discovery: true", "discovery: true, max_age: 5m"), "");
}

#[test]
fn the_order_of_keys_is_no_change() {
    assert_eq!(
        with(
            "match: { prefix: /b }, upstream: { targets: [] }",
            "upstream: { targets: [] }, match: { prefix: /b }"
        ),
        ""
    );
}

#[test]
fn other_contents_of_a_file_that_is_named_are_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let base = BaseDir::of_file(&folder.path().join("f"));
    let before = fingerprint(&base, FILE);
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    // the names of a scope and of the store's file are no files to read
    for name in ["r", "store", "1.pem", "f"] {
        write(name, "x");
        assert_eq!(compare(&before, &fingerprint(&base, FILE)), "", "{name}");
    }
    write("corp.json", "{}");
    write("ca.pem", "x");
    let after = fingerprint(&base, FILE);
    assert_eq!(compare(&before, &after), "exchange 0, upstream 0, issuer 0");
    write("corp.json", "{ }");
    let later = fingerprint(&base, FILE);
    assert_eq!(compare(&after, &later), "exchange 0, issuer 0");
}

#[test]
fn a_store_on_a_server_depends_on_the_keys_that_seal_its_records() {
    let base = BaseDir::of_file(Path::new("/nonexistent/f"));
    let redis = FILE.replace(
        "embedded: { path: store }",
        "redis: { url: { env: REDIS } }",
    );
    let other = redis.replace("o.key", "p.key");
    let (redis, other) = (fingerprint(&base, &redis), fingerprint(&base, &other));
    assert_eq!(compare(&redis, &other), "exchange 0, exchange 1, store");
    assert_eq!(with("o.key", "p.key"), "exchange 0, exchange 1");
}

#[test]
fn a_route_for_own_tokens_depends_on_whether_their_issuer_is_the_only_one() {
    let base = BaseDir::of_file(Path::new("/nonexistent/f"));
    let several = FILE.replace("audience: a,", "audience: a, chain: { accept_own: true },");
    let line = several
        .lines()
        .find(|line| line.contains("name: other"))
        .unwrap();
    let sole = several.replace(&format!("{line}\n"), "");
    let (several, sole) = (fingerprint(&base, &several), fingerprint(&base, &sole));
    assert_ne!(several.routes[&0].exchange, sole.routes[&0].exchange);
}

#[test]
fn a_fingerprint_does_not_show_itself() {
    let base = BaseDir::of_file(Path::new("/nonexistent/f"));
    let shown = format!("{:?}", fingerprint(&base, FILE).cache);
    assert_eq!(shown, "SettingsDigest(redacted)");
}
