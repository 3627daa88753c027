//! The order of the layers, and the crates that only certain modules may use.

use crate::architecture::names::{Name, Resolved, named_in, resolve};
use crate::architecture::tree::{Source, Tree};

/// A module imports from the layers before its own; modules of one layer do not import each other.
const LAYERS: [&[&str]; 19] = [
    &["settings", "token", "clock", "error_class", "telemetry"],
    &["jose", "egress", "rate_limit"],
    &["store"],
    &["gate"],
    &["source"],
    &["own_token"],
    &["verify"],
    &["policy"],
    &["exchange"],
    &["error"],
    &["cache"],
    &["route"],
    &["pipeline"],
    &["sts", "admin"],
    &["edge"],
    &["proxy"],
    &["config"],
    &["cli"],
    &["main"],
];

/// The vocabulary: all modules may use it, and its own modules may use each other.
const VOCABULARY: [&str; 4] = ["settings", "token", "clock", "error_class"];

/// External crates, by the start of their names, and the modules that may use them.
const DOORS: [(&str, &[&str]); 7] = [
    ("pingora", &["edge", "proxy"]),
    ("jsonwebtoken", &["jose"]),
    ("aws_lc_rs", &["jose"]),
    ("reqwest", &["egress"]),
    ("redb", &["store"]),
    ("redis", &["store"]),
    // `main` installs the provider; the others speak TLS
    ("rustls", &["main", "edge", "proxy", "egress"]),
];

/// Types that contain no decision, so every module may use them.
const OPEN: [&str; 1] = ["rustls_pki_types"];

/// All modules in order.
pub fn order() -> impl Iterator<Item = &'static str> {
    LAYERS.iter().flat_map(|layer| layer.iter().copied())
}

fn rank(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Returns `true` if module `from` may use module `to`.
pub fn may_import(from: &str, to: &str) -> bool {
    from == to
        || VOCABULARY.contains(&to)
        || matches!((rank(from), rank(to)), (Some(from), Some(to)) if to < from)
}

/// Returns one line for each violation, in the order of the files.
pub fn breaches(tree: &Tree) -> Vec<String> {
    let mut breaches: Vec<String> = tree.sources().flat_map(breaches_in).collect();
    breaches.sort();
    breaches.dedup();
    breaches
}

fn breaches_in(source: &Source) -> Vec<String> {
    // `lib.rs` declares the modules and decides nothing
    let Some(home) = source.module.first() else {
        return Vec::new();
    };
    if rank(home).is_none() {
        return vec![format!("{}: {home} is in no layer", source.path.display())];
    }
    let breach = |name: &Name| {
        let why = beyond(home, name)?;
        Some(format!(
            "{}: {}: {why}",
            source.path.display(),
            name.path.join("::")
        ))
    };
    named_in(source).iter().filter_map(breach).collect()
}

/// Returns the reason why module `home` may not use `name`.
fn beyond(home: &str, name: &Name) -> Option<String> {
    match reached(name) {
        Reached::Module(to) if may_import(home, &to) => None,
        Reached::Module(to) if rank(&to).is_some() => Some(format!(
            "{home} is in an earlier layer than {to}, or in its layer"
        )),
        Reached::Module(to) => Some(format!("{to} is not a module of the library's root")),
        Reached::Root => Some("imports the root, and therefore every module".to_owned()),
        Reached::Foreign(to) => {
            let (door, may) = DOORS.iter().find(|(begins, _)| begins_crate(&to, begins))?;
            (!may.contains(&home)).then(|| format!("only {} may use {door}", may.join(", ")))
        }
    }
}

/// Returns `true` for a crate or a family of crates: `pingora` matches `pingora` and `pingora_core`.
fn begins_crate(name: &str, begins: &str) -> bool {
    let rest = name.strip_prefix(begins);
    !OPEN.contains(&name) && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

enum Reached {
    /// A module of the library, by the name it has in the root.
    Module(String),
    /// The root itself.
    Root,
    /// Anything else: another crate, or what is already in scope.
    Foreign(String),
}

fn reached(name: &Name) -> Reached {
    if name.path.is_empty() {
        return Reached::Root;
    }
    match resolve(&name.module, &name.path) {
        Resolved::Foreign(foreign) => Reached::Foreign(foreign),
        Resolved::Inside(path) => match path.into_iter().next() {
            Some(module) if module != "*" && module != "self" => Reached::Module(module),
            Some(_) | None => Reached::Root,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(module: &str, source: &str) {
        assert_eq!(
            breaches(&Tree::of(module, source)).len(),
            1,
            "{module}: {source}"
        );
    }

    #[track_caller]
    fn accepted(module: &str, source: &str) {
        assert_eq!(
            breaches(&Tree::of(module, source)),
            Vec::<String>::new(),
            "{module}: {source}"
        );
    }

    #[test]
    fn an_import_from_an_earlier_layer_is_accepted() {
        accepted(
            "cache",
            "use crate::{exchange::IssuedToken, clock::SharedClock};",
        );
        accepted(
            "verify::rules",
            "use super::SubjectToken; use crate::jose::Algorithm;",
        );
        accepted("token::claims", "use crate::clock::UnixTime;");
        accepted(
            "main",
            "use obo_gateway::cli; use rustls::crypto; mod x { use crate::y; }",
        );
    }

    #[test]
    fn an_import_from_a_later_layer_is_found_however_it_is_written() {
        refused("gate", "use crate::cache::CacheKey;");
        refused("gate", "use crate::{clock::UnixTime, cache as c};");
        refused("gate", "use obo_gateway::cache::CacheKey;");
        refused("gate", "use super::cache::CacheKey;");
        refused("gate::path", "use super::super::cache::CacheKey;");
        refused("gate", "mod inner { use super::super::cache::CacheKey; }");
        refused("gate", "fn f() { crate::cache::forget(); }");
        refused("gate", "fn f(key: &crate::cache::CacheKey) {}");
        refused(
            "gate",
            "fn f() -> Option<Vec<crate::cache::CacheKey>> { None }",
        );
        refused("gate", "impl crate::cache::Trait for Gate {}");
        refused(
            "gate",
            "fn f() { assert!(matches!(x, Some(crate::cache::Hit))); }",
        );
        refused(
            "gate",
            "macro_rules! m { () => { use $crate::{clock::A, cache::B}; } }",
        );
        refused(
            "gate",
            r#"struct S { #[serde(default = "crate::cache::default")] a: u8 }"#,
        );
        refused("gate", "use crate::cache::*;");
    }

    #[test]
    fn modules_of_one_layer_do_not_import_each_other() {
        refused("jose", "use crate::egress::Egress;");
        refused("sts", "use crate::admin::Admin;");
        refused("token", "use crate::telemetry::Metrics;");
    }

    #[test]
    fn the_root_is_no_way_around_the_order() {
        refused("gate", "use crate::*;");
        refused("gate", "use crate as all;");
        refused("gate", "use super::*;");
        refused("gate", "use crate::Reexported;");
        refused("helpers", "");
    }

    #[test]
    fn a_foreign_crate_stays_behind_its_door() {
        refused("verify", "use jsonwebtoken::Algorithm;");
        refused("cache", "fn f() { ::aws_lc_rs::digest::digest(); }");
        refused("route", "use pingora::prelude::HttpPeer;");
        refused("route", "use pingora_core::upstreams;");
        refused("verify", "extern crate reqwest;");
        refused("verify", "use rustls::ClientConfig;");
        accepted("proxy::peers", "use pingora::prelude::HttpPeer;");
        accepted(
            "jose::key",
            "use jsonwebtoken::Algorithm; use rustls_pki_types::pem;",
        );
    }

    #[test]
    fn unit_tests_links_in_documentation_and_visibilities_are_free() {
        accepted(
            "gate",
            "#[cfg(test)] mod tests { use crate::cache::CacheKey; }",
        );
        accepted(
            "gate",
            "impl Gate { #[cfg(test)] fn f() { crate::cache::forget() } }",
        );
        accepted(
            "gate",
            "/// See [`crate::cache::CacheKey`].\npub(crate) fn f(&self) { self.g() }",
        );
        accepted(
            "gate",
            r#"fn f() { tracing::info!(target: "pingora", "crate :: cache"); }"#,
        );
    }
}
