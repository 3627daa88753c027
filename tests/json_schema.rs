//! A validator of JSON Schema that is not ours.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

/// The draft that our schemas are written in.
const META_SCHEMA: &str = "https://json-schema.org/draft/2020-12/schema";

/// A schema, ready to judge values.
pub(crate) struct Validator {
    schemas: Schemas,
    schema: SchemaIndex,
}

impl Validator {
    pub(crate) fn new(schema: &Value) -> Self {
        const LOCATION: &str = "https://gateway.example/schema";
        let mut compiler = Compiler::new();
        compiler.add_resource(LOCATION, schema.clone()).unwrap();
        Self::compile(compiler, LOCATION)
    }

    /// The schema of schemas.
    pub(crate) fn meta() -> Self {
        Self::compile(Compiler::new(), META_SCHEMA)
    }

    fn compile(mut compiler: Compiler, location: &str) -> Self {
        let mut schemas = Schemas::new();
        let schema = compiler
            .compile(location, &mut schemas)
            .unwrap_or_else(|error| panic!("{error:#}"));
        Self { schemas, schema }
    }

    /// Every way in which `value` does not satisfy the schema, with its place.
    pub(crate) fn validate(&self, value: &Value) -> Result<(), String> {
        self.schemas
            .validate(value, self.schema)
            .map_err(|error| error.to_string())
    }

    pub(crate) fn is_valid(&self, value: &Value) -> bool {
        self.validate(value).is_ok()
    }
}
