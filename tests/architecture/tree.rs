//! The source tree as the compiler sees it: files reached through `mod`, without code that only tests use.

use std::path::{Path, PathBuf};

use syn::{Attribute, Item, Meta};

/// One file, and the module that it is.
#[derive(Clone)]
pub struct Source {
    pub path: PathBuf,
    /// `["gate", "path"]` for `src/gate/path.rs`, nothing for `src/lib.rs`, `["main"]` for `src/main.rs`.
    pub module: Vec<String>,
    pub file: syn::File,
}

#[derive(Clone, Default)]
pub struct Tree(Vec<Source>);

impl Tree {
    /// Reads `src/lib.rs` and `src/main.rs` and all their modules.
    pub fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut tree = Self::default();
        tree.follow(&root.join("lib.rs"), &root, Vec::new());
        tree.follow(&root.join("main.rs"), &root, vec!["main".to_owned()]);
        assert!(tree.0.len() > 20, "the source was not found");
        tree
    }

    /// A tree of one module whose text is `source`.
    pub fn of(module: &str, source: &str) -> Self {
        let file = syn::parse_str(source).expect(source);
        let module: Vec<String> = module
            .split("::")
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        Self(vec![Source {
            path: PathBuf::from(module.join("/")),
            module,
            file,
        }])
    }

    /// A tree of these modules, with the text of each.
    pub fn of_all(files: &[(&str, &str)]) -> Self {
        let each = files
            .iter()
            .flat_map(|(module, text)| Self::of(module, text).0);
        Self(each.collect())
    }

    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.0.iter()
    }

    fn follow(&mut self, path: &Path, directory: &Path, module: Vec<String>) {
        let text = std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let file =
            syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for (name, is_empty) in modules_of(&file.items) {
            assert!(
                is_empty,
                "{}: mod {name} has a file of its own, or is a test",
                path.display()
            );
            let mut child = module.clone();
            child.push(name.clone());
            self.follow(
                &directory.join(format!("{name}.rs")),
                &directory.join(&name),
                child,
            );
        }
        let path = path
            .strip_prefix(env!("CARGO_MANIFEST_DIR"))
            .unwrap()
            .to_path_buf();
        self.0.push(Source { path, module, file });
    }
}

/// A tree of one file.
impl From<Source> for Tree {
    fn from(source: Source) -> Self {
        Self(vec![source])
    }
}

/// Returns the modules that `items` declare outside tests, and `true` for each whose text is in another file.
fn modules_of(items: &[Item]) -> Vec<(String, bool)> {
    let mut modules = Vec::new();
    for item in items {
        if let Item::Mod(item) = item
            && !is_for_tests(&item.attrs)
        {
            modules.push((item.ident.to_string(), item.content.is_none()));
        }
    }
    modules
}

/// Returns `true` if `#[cfg(test)]` or `#[cfg(all(test, …))]` is among `attributes`.
pub fn is_for_tests(attributes: &[Attribute]) -> bool {
    fn needs_test(meta: &Meta) -> bool {
        match meta {
            Meta::Path(path) => path.is_ident("test"),
            Meta::List(list) if list.path.is_ident("all") => list
                .parse_args_with(
                    syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated,
                )
                .is_ok_and(|all| all.iter().any(needs_test)),
            Meta::List(_) | Meta::NameValue(_) => false,
        }
    }
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<Meta>()
                .is_ok_and(|meta| needs_test(&meta))
    })
}

/// Returns the attributes of an item, so that items for tests can be skipped.
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "syn::Item is non-exhaustive; the other kinds name nothing"
)]
pub fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[test]
fn what_only_tests_see_is_recognised() {
    let attribute = |text: &str| {
        let item: syn::ItemFn = syn::parse_str(&format!("{text} fn f() {{}}")).unwrap();
        is_for_tests(&item.attrs)
    };
    assert!(attribute("#[cfg(test)]"));
    assert!(attribute("#[cfg(all(unix, test))]"));
    assert!(!attribute("#[cfg(any(unix, test))]"));
    assert!(!attribute("#[cfg(not(test))]"));
    assert!(!attribute("#[test]"));
}
