//! An independent validator of JSON Schema.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

/// The draft of the gateway's schemas.
const META_SCHEMA: &str = "https://json-schema.org/draft/2020-12/schema";

/// A compiled schema.
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

    /// Returns the meta-schema.
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

    /// Returns every error of `value` with its place.
    pub(crate) fn validate(&self, value: &Value) -> Result<(), String> {
        self.schemas
            .validate(value, self.schema)
            .map_err(|error| error.to_string())
    }

    pub(crate) fn is_valid(&self, value: &Value) -> bool {
        self.validate(value).is_ok()
    }
}
