//! Circles between files: two or more that import each other, directly or through others.
//!
//! An import is followed through re-exports to the file that defines the item. A file and the files below it are one
//! concept with its parts, and are not compared with each other.

use crate::architecture::names::{Resolved, named_in, resolve};
use crate::architecture::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};
use syn::{Item, UseTree};

type Module = Vec<String>;

/// The items that a module re-exports or imports: their names there, and where each comes from.
type Imports = BTreeMap<String, Module>;

struct Files {
    imports: BTreeMap<Module, Imports>,
}

impl Files {
    fn of(tree: &Tree) -> Self {
        let mut files = Self {
            imports: tree
                .sources()
                .map(|source| (source.module.clone(), Imports::new()))
                .collect(),
        };
        for source in tree.sources() {
            let mut imports = Imports::new();
            for item in &source.file.items {
                if let Item::Use(item) = item {
                    files.collect(&source.module, &[], &item.tree, &mut imports);
                }
            }
            files.imports.insert(source.module.clone(), imports);
        }
        files
    }

    fn collect(&self, module: &Module, before: &[String], tree: &UseTree, imports: &mut Imports) {
        let with = |name: &syn::Ident| -> Module {
            let name = name.to_string();
            before.iter().cloned().chain([name]).collect()
        };
        match tree {
            UseTree::Path(path) => self.collect(module, &with(&path.ident), &path.tree, imports),
            UseTree::Name(name) => {
                if let Some(target) = self.absolute(module, &with(&name.ident)) {
                    imports.insert(name.ident.to_string(), target);
                }
            }
            UseTree::Rename(rename) => {
                if let Some(target) = self.absolute(module, &with(&rename.ident)) {
                    imports.insert(rename.rename.to_string(), target);
                }
            }
            UseTree::Glob(_) => {}
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.collect(module, before, tree, imports);
                }
            }
        }
    }

    /// Returns `path`, as it is written in `module`, from the root of the library; `None` if it names something outside.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Module> {
        match resolve(module, path) {
            Resolved::Inside(path) => Some(path),
            Resolved::Foreign(child) => {
                let mut below = module.clone();
                below.push(child);
                self.imports.contains_key(&below).then_some(())?;
                Some(module.iter().chain(path).cloned().collect())
            }
        }
    }

    /// Returns the file that defines what `path` names.
    fn defining(&self, path: &Module, depth: usize) -> Option<Module> {
        let length = (0..=path.len()).rev();
        let file = length
            .map(|length| path[..length].to_vec())
            .find(|module| self.imports.contains_key(module))?;
        let reexported = path
            .get(file.len())
            .and_then(|name| self.imports[&file].get(name));
        match reexported {
            Some(target) if depth < 8 && *target != *path => self.defining(target, depth + 1),
            Some(_) | None => Some(file),
        }
    }
}

fn is_above(module: &Module, other: &Module) -> bool {
    other.starts_with(module)
}

/// Which file imports from which, and one of the items.
type Edges = BTreeMap<Module, BTreeMap<Module, String>>;

/// Returns one text for each circle: its files in alphabetical order, and below it one line for each import.
pub fn circles(tree: &Tree) -> Vec<String> {
    let files = Files::of(tree);
    let mut edges = Edges::new();
    for source in tree.sources().filter(|source| !source.module.is_empty()) {
        for name in named_in(source) {
            let target = files
                .absolute(&source.module, &name.path)
                .and_then(|path| files.defining(&path, 0))
                .filter(|target| !is_above(target, &source.module))
                .filter(|target| !is_above(&source.module, target));
            if let Some(target) = target {
                let item = name.path.last().cloned().unwrap_or_default();
                let imported = edges.entry(source.module.clone()).or_default();
                imported.entry(target).or_insert(item);
            }
        }
    }
    let reached: BTreeMap<&Module, BTreeSet<Module>> = edges
        .keys()
        .map(|module| (module, reachable(module, &edges)))
        .collect();
    let mut circles = BTreeSet::new();
    for (module, reached_from) in &reached {
        if reached_from.contains(*module) {
            let members: BTreeSet<&Module> = reached_from
                .iter()
                .filter(|other| {
                    reached
                        .get(other)
                        .is_some_and(|back| back.contains(*module))
                })
                .collect();
            circles.insert(shown(&members, &edges));
        }
    }
    circles.into_iter().collect()
}

fn shown(members: &BTreeSet<&Module>, edges: &Edges) -> String {
    let names: Vec<String> = members.iter().map(|member| member.join("::")).collect();
    let mut text = names.join(" <-> ");
    for from in members {
        let imported = edges[*from].iter();
        for (to, item) in imported.filter(|(to, _)| members.contains(to)) {
            text.push_str(&format!(
                "\n    {} uses {item} of {}",
                from.join("::"),
                to.join("::")
            ));
        }
    }
    text
}

fn reachable(from: &Module, edges: &Edges) -> BTreeSet<Module> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&Module> = edges
        .get(from)
        .into_iter()
        .flat_map(BTreeMap::keys)
        .collect();
    while let Some(module) = next.pop() {
        if reached.insert(module.clone()) {
            next.extend(edges.get(module).into_iter().flat_map(BTreeMap::keys));
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let circles = circles(&Tree::of_all(files));
        let first_line = |text: &String| text.lines().next().map(str::to_owned);
        circles.iter().filter_map(first_line).collect()
    }

    #[test]
    fn two_files_that_import_each_other_are_found_however_they_do_it() {
        for (a, b) in [
            (
                "use super::b::B; pub struct A;",
                "use super::a::A; pub struct B;",
            ),
            (
                "use crate::b::B; pub struct A;",
                "fn f(a: &crate::a::A) {} pub struct B;",
            ),
            // through what the root re-exports
            ("use super::B; pub struct A;", "use super::A; pub struct B;"),
        ] {
            let root = "mod a; mod b; pub use a::A; pub use b::B;";
            assert_eq!(found(&[("", root), ("a", a), ("b", b)]), ["a <-> b"], "{a}");
        }
    }

    #[test]
    fn a_circle_of_three_is_one() {
        let files = [
            ("", "mod a; mod b; mod c;"),
            ("a", "use super::b::B; pub struct A;"),
            ("b", "use super::c::C; pub struct B;"),
            ("c", "use super::a::A; pub struct C;"),
        ];
        assert_eq!(found(&files), ["a <-> b <-> c"]);
    }

    #[test]
    fn a_file_and_its_parts_are_no_circle_and_neither_is_one_direction() {
        let files = [
            ("", "mod a; mod c;"),
            ("a", "mod b; pub use b::B; pub struct A;"),
            ("a::b", "use super::A; pub struct B;"),
            ("c", "use crate::a::{A, B};"),
        ];
        assert!(found(&files).is_empty());
    }
}
