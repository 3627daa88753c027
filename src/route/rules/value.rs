//! The value of a header field that a route sets.

use crate::settings::{Building, SecretSettings};
use http::HeaderValue;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use std::{borrow::Cow, fmt};

/// A field's value: written out, or `{ env: NAME }` or `{ file: PATH }`.
#[derive(Debug, Clone)]
pub enum HeaderValueSettings {
    /// A literal value in the file.
    Literal(String),
    /// A secret from a variable or another file.
    Secret(SecretSettings),
}

impl HeaderValueSettings {
    pub(super) fn build(&self, building: &mut Building<'_>) -> Option<HeaderValue> {
        let value = match self {
            Self::Literal(text) => HeaderValue::from_str(text).ok(),
            Self::Secret(secret) => {
                let secret = secret.build(building)?;
                let mut value = HeaderValue::from_bytes(secret.expose()).ok();
                if let Some(value) = &mut value {
                    value.set_sensitive(true);
                }
                value
            }
        };
        if value.is_none() {
            building.findings.error(
                "expected the value of a header field: one line of text",
                "remove line breaks and control characters",
            );
        }
        value
    }
}

impl JsonSchema for HeaderValueSettings {
    fn schema_name() -> Cow<'static, str> {
        "HeaderValue".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let secret = generator.subschema_for::<SecretSettings>();
        json_schema!({
            "description": "A text, or the source of a secret.",
            "anyOf": [{ "type": "string" }, secret],
        })
    }
}

impl<'de> Deserialize<'de> for HeaderValueSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrSecret;
        impl<'de> de::Visitor<'de> for TextOrSecret {
            type Value = HeaderValueSettings;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, { env: NAME } or { file: PATH }")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(HeaderValueSettings::Literal(text.to_owned()))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let keys = de::value::MapAccessDeserializer::new(map);
                SecretSettings::deserialize(keys).map(HeaderValueSettings::Secret)
            }
        }
        deserializer.deserialize_any(TextOrSecret)
    }
}
