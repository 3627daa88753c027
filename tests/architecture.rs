//! Checks of the library's structure, read from its source: which module may import which, which module may use which
//! crate, and where a proof may be constructed.
//!
//! The checks read all of `src/`, from `lib.rs` and `main.rs` through every `mod`, and report one line for each violation.
//! Unit tests inside files (`#[cfg(test)]`) may name anything. Each checker is tested on sources that break its rule.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

mod circles;
mod layers;
mod names;
mod proofs;
mod tree;

use tree::Tree;

#[test]
fn every_module_imports_only_from_those_before_it() {
    let breaches = layers::breaches(&Tree::read());
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

#[test]
fn no_two_files_import_each_other() {
    let circles = circles::circles(&Tree::read());
    assert!(circles.is_empty(), "\n{}\n", circles.join("\n"));
}

#[test]
fn every_proof_is_made_only_beside_its_check() {
    let breaches = proofs::breaches(&Tree::read());
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

#[test]
fn a_forbidden_import_added_to_the_tree_is_found() {
    for source in Tree::read()
        .sources()
        .filter(|source| source.module.len() == 1)
    {
        let from = source.module[0].as_str();
        for to in layers::order().filter(|to| !layers::may_import(from, to)) {
            let mut changed = source.clone();
            changed
                .file
                .items
                .push(syn::parse_str(&format!("use crate::architecture::{to}::Added;")).unwrap());
            let breaches = layers::breaches(&Tree::from(changed));
            assert_eq!(breaches.len(), 1, "{from} imports {to}: {breaches:?}");
        }
    }
}

#[test]
fn the_layers_are_those_that_are_documented() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/ARCHITECTURE.md")).unwrap();
    for module in layers::order() {
        assert!(
            page.contains(&format!("`{module}`")),
            "ARCHITECTURE.md does not name {module}"
        );
    }
}
