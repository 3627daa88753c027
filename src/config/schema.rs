//! The JSON Schema (2020-12) of `gateway.yaml`, with which editors complete and check the file.
//!
//! The schema always matches what is read. The function that reads the top level also collects the sections and their
//! types here, and the types describe themselves, including their doc comments.

use super::{compose, top_level::TopLevel};
use crate::settings::{Findings, Fingerprint};
use schemars::{
    JsonSchema, Schema, SchemaGenerator,
    generate::SchemaSettings,
    transform::{Transform, transform_subschemas},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// Returns the schema as JSON.
pub fn schema() -> Value {
    let mut collector = Collector {
        generator: SchemaSettings::draft2020_12().into_generator(),
        properties: Map::new(),
        required: Vec::new(),
        findings: Findings::default(),
    };
    drop(compose::read(&mut collector));
    let Collector {
        mut generator,
        properties,
        required,
        ..
    } = collector;
    let definitions = generator.take_definitions(true);
    let mut schema = schemars::json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gateway.yaml",
        "description": "The configuration of obo-gateway. Unknown keys are refused.",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
        "$defs": definitions,
    });
    Written.transform(&mut schema);
    Tidy.transform(&mut schema);
    schema.to_value()
}

/// Collects the keys that are read instead of reading them.
struct Collector {
    generator: SchemaGenerator,
    properties: Map<String, Value>,
    required: Vec<&'static str>,
    findings: Findings,
}

impl Collector {
    fn describe<T: JsonSchema>(&mut self, key: &'static str) {
        let schema = self.generator.subschema_for::<T>();
        self.insert(key, schema);
    }

    fn require<T: JsonSchema>(&mut self, key: &'static str) {
        let schema = self.generator.subschema_for::<T>();
        self.insert(key, schema);
        self.required.push(key);
    }

    fn insert(&mut self, key: &'static str, schema: Schema) {
        self.properties.insert(key.to_owned(), schema.to_value());
    }
}

impl TopLevel for Collector {
    fn take_or_default<T: DeserializeOwned + Default + JsonSchema + Fingerprint>(
        &mut self,
        key: &'static str,
    ) -> T {
        self.describe::<T>(key);
        T::default()
    }

    fn required<T: DeserializeOwned + JsonSchema + Fingerprint>(
        &mut self,
        key: &'static str,
    ) -> Option<T> {
        self.require::<T>(key);
        None
    }

    fn list<T: DeserializeOwned + JsonSchema + Fingerprint>(
        &mut self,
        key: &'static str,
    ) -> Vec<(usize, T)> {
        self.describe::<Vec<T>>(key);
        Vec::new()
    }

    fn required_list<T: DeserializeOwned + JsonSchema + Fingerprint>(
        &mut self,
        key: &'static str,
    ) -> Vec<(usize, T)> {
        self.require::<Vec<T>>(key);
        if let Some(list) = self.properties.get_mut(key).and_then(Value::as_object_mut) {
            list.insert("minItems".to_owned(), json!(1));
        }
        Vec::new()
    }

    fn is_doubtful(&self, _: &'static str) -> bool {
        false
    }

    fn findings(&mut self) -> &mut Findings {
        &mut self.findings
    }
}

/// Removes null from the permitted values, so that an editor marks `clients:` without a value, as the gateway does.
struct Written;

impl Transform for Written {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(object) = schema.as_object_mut() {
            refuse_null(object);
        }
        transform_subschemas(self, schema);
    }
}

fn refuse_null(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(kinds)) = schema.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [kind] = kinds.as_slice() {
            let kind = kind.clone();
            schema.insert("type".to_owned(), kind);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
        if let [Value::Object(choice)] = choices.as_slice() {
            let choice = choice.clone();
            schema.remove("anyOf");
            schema.extend(choice);
        }
    }
}

/// Simplifies the derived schema for readers.
struct Tidy;

impl Transform for Tidy {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(object) = schema.as_object_mut() {
            tidy(object);
        }
        transform_subschemas(self, schema);
    }
}

fn tidy(schema: &mut Map<String, Value>) {
    // "default: null" only means that the key may be absent
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    // a set of scopes is a list in the file, but serializes to one text, as in a token
    let scopes = schema
        .get("$ref")
        .is_some_and(|target| target == "#/$defs/Scopes");
    if scopes && schema.get("default").is_some_and(|value| value == "") {
        schema.insert("default".to_owned(), json!([]));
    }
    // formats named after Rust types, which validators do not know
    let is_number = schema
        .get("format")
        .and_then(Value::as_str)
        .is_some_and(|format| format.starts_with("uint") || format.starts_with("int"));
    if is_number {
        schema.remove("format");
    }
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = in_plain_words(text);
    }
}

/// Returns a doc comment without line breaks and without rustdoc links.
fn in_plain_words(text: &str) -> String {
    let paragraphs: Vec<String> = text
        .split("\n\n")
        .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    paragraphs
        .join("\n\n")
        .replace("[`", "`")
        .replace("`]", "`")
}
