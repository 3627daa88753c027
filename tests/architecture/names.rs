//! Every path that a file names: in imports, types and expressions, inside macros, and in the texts of attributes.

use syn::buffer::{Cursor, TokenBuffer};
use syn::visit::{self, Visit};
use syn::{
    Attribute, ImplItem, Item, ItemExternCrate, ItemMod, ItemUse, Macro, Meta, Path, UseTree,
    Visibility,
};

use crate::architecture::tree::{Source, attributes_of, is_for_tests};

/// A path as it is written, and the module that contains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    pub path: Vec<String>,
    pub module: Vec<String>,
}

/// Where a path leads before re-exports are followed.
pub enum Resolved {
    /// From the root of the library, or of the program where `crate` is the program.
    Inside(Vec<String>),
    /// Another crate, or what is already in scope, by the first part of the path.
    Foreign(String),
}

/// Resolves the beginning of `path`, as it is written in `module`.
pub fn resolve(module: &[String], path: &[String]) -> Resolved {
    let mut at = module.to_vec();
    let mut rest = path;
    match path.first().map_or("self", String::as_str) {
        first @ ("crate" | "obo_gateway") => {
            // in the program, `crate` is the program
            at.truncate(usize::from(
                first == "crate" && module.first().is_some_and(|module| module == "main"),
            ));
            rest = &rest[1..];
        }
        "self" => rest = rest.get(1..).unwrap_or_default(),
        "super" => {
            while rest.first().is_some_and(|part| part == "super") {
                at.pop();
                rest = &rest[1..];
            }
        }
        foreign => return Resolved::Foreign(foreign.to_owned()),
    }
    at.extend(rest.iter().cloned());
    Resolved::Inside(at)
}

/// Returns all names in `source`, except those in tests.
pub fn named_in(source: &Source) -> Vec<Name> {
    let mut collector = Collector {
        names: Vec::new(),
        module: source.module.clone(),
    };
    collector.visit_file(&source.file);
    collector.names
}

struct Collector {
    names: Vec<Name>,
    module: Vec<String>,
}

impl<'a> Visit<'a> for Collector {
    fn visit_item(&mut self, item: &'a Item) {
        if !is_for_tests(attributes_of(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'a ImplItem) {
        let for_tests = matches!(item, ImplItem::Fn(function) if is_for_tests(&function.attrs));
        if !for_tests {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'a ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        self.tree(&[], &item.tree);
    }

    fn visit_item_extern_crate(&mut self, item: &'a ItemExternCrate) {
        self.note(vec![item.ident.to_string(), "*".to_owned()]);
    }

    fn visit_path(&mut self, path: &'a Path) {
        self.note(
            path.segments
                .iter()
                .map(|segment| segment.ident.to_string())
                .collect(),
        );
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invoked: &'a Macro) {
        self.visit_path(&invoked.path);
        self.tokens(TokenBuffer::new2(invoked.tokens.clone()).begin(), &[]);
    }

    fn visit_attribute(&mut self, attribute: &'a Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.tokens(TokenBuffer::new2(list.tokens.clone()).begin(), &[]);
        }
    }

    // `pub(crate)` names nothing that is used
    fn visit_visibility(&mut self, _: &'a Visibility) {}
}

impl Collector {
    fn note(&mut self, path: Vec<String>) {
        self.names.push(Name {
            path,
            module: self.module.clone(),
        });
    }

    fn tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: String| -> Vec<String> { before.iter().cloned().chain([name]).collect() };
        match tree {
            UseTree::Path(path) => self.tree(&with(path.ident.to_string()), &path.tree),
            UseTree::Name(name) => self.note(with(name.ident.to_string())),
            UseTree::Rename(rename) => self.note(with(rename.ident.to_string())),
            UseTree::Glob(_) => self.note(with("*".to_owned())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(before, tree)),
        }
    }

    /// A macro's input is not parsed: every run of `a::b::c` in it counts as a path, and each part of `a::{b, c}` too.
    fn tokens(&mut self, mut cursor: Cursor<'_>, before: &[String]) {
        let mut path = before.to_vec();
        let mut colons = 2;
        while !cursor.eof() {
            if let Some((punct, next)) = cursor.punct() {
                colons = if punct.as_char() == ':' {
                    colons + 1
                } else {
                    0
                };
                if punct.as_char() == ',' {
                    self.end(&mut path, before);
                    colons = 2;
                }
                cursor = next;
                continue;
            }
            let continues = std::mem::take(&mut colons) == 2;
            if !continues {
                self.end(&mut path, &[]);
            }
            if let Some((ident, next)) = cursor.ident() {
                path.push(ident.to_string());
                cursor = next;
            } else if let Some((inside, _, _, next)) = cursor.any_group() {
                let inner = if continues {
                    std::mem::take(&mut path)
                } else {
                    Vec::new()
                };
                self.tokens(inside, &inner);
                cursor = next;
            } else if let Some((literal, next)) = cursor.literal() {
                self.text(&literal.to_string());
                cursor = next;
            } else if let Some((_, next)) = cursor.lifetime() {
                cursor = next;
            } else {
                break;
            }
        }
        self.end(&mut path, &[]);
    }

    fn end(&mut self, path: &mut Vec<String>, next: &[String]) {
        let ended = std::mem::replace(path, next.to_vec());
        if ended.len() > 1 {
            self.note(ended);
        }
    }

    /// A path in a text, as `#[serde(default = "crate::a::b")]` has it.
    fn text(&mut self, literal: &str) {
        let text = literal.trim_matches('"');
        if text.starts_with("crate::") || text.starts_with("super::") {
            self.note(text.split("::").map(str::to_owned).collect());
        }
    }
}
