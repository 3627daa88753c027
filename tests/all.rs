//! Every test that may run concurrently with others, as one program: linking it is most of what a test run compiles.
//!
//! `cargo test --test all NAME` runs those whose path contains `NAME`, e.g. `e2e::canary` or `edge::`. What measures memory
//! or needs the machine for itself is in `tests/load/`.

mod architecture;
mod compile_fail;
mod config;
mod demo;
mod docs;
mod e2e;
mod edge;
mod exchangers;
mod explain;
mod jose_vectors;
mod json_schema;
mod panic_texts;
mod properties;
mod store;
mod streaming;
