//! Where a proof may be constructed.
//!
//! A proof is a type whose values exist only after a check was passed. It has private fields and one home module. A function
//! that other modules can call and that returns a proof is in that home module. It either consumes the previous proof or
//! returns the `Result` of the check. The compiler already enforces private fields. These tests check that the fields are
//! private, and that no derived trait is a second constructor.

use syn::visit::{self, Visit};
use syn::{
    Attribute, Fields, FnArg, GenericArgument, ImplItem, ImplItemFn, Item, ItemFn, ItemImpl,
    ItemMod, ItemStruct, PathArguments, ReturnType, Signature, TraitItemFn, Type, Visibility,
};

use crate::architecture::tree::{Source, Tree, attributes_of, is_for_tests};

/// Each proof with its home module, in the order in which a request obtains them.
const PROOFS: [(&str, &str); 10] = [
    ("PresentedToken", "source"),
    ("SubjectToken", "verify"),
    ("ActorToken", "verify"),
    ("ExchangeRequest", "policy"),
    ("PermittedExchange", "policy"),
    ("IssuedToken", "exchange"),
    ("ForwardCredential", "cache"),
    ("Public", "route"),
    ("ProvenClient", "verify"),
    ("AuthenticatedClient", "sts"),
];

/// The traits that may be derived for a proof. `Default` or `Deserialize` would construct one without a check.
const DERIVES: [&str; 5] = ["Debug", "Clone", "Copy", "PartialEq", "Eq"];

/// Returns one line for each way around a check.
pub fn breaches(tree: &Tree) -> Vec<String> {
    let mut breaches = Vec::new();
    let mut declared = Vec::new();
    for source in tree.sources() {
        let mut reader = Reader {
            source,
            module: source.module.clone(),
            of: None,
            breaches: Vec::new(),
            declared: Vec::new(),
        };
        reader.visit_file(&source.file);
        breaches.append(&mut reader.breaches);
        declared.append(&mut reader.declared);
    }
    for (proof, home) in PROOFS {
        let has_home = tree.sources().any(|source| source.module == [home]);
        if has_home && !declared.contains(&proof.to_owned()) {
            breaches.push(format!(
                "{home} declares no {proof}: this test looks for a proof that is gone"
            ));
        }
    }
    breaches.sort();
    breaches
}

struct Reader<'a> {
    source: &'a Source,
    module: Vec<String>,
    /// The type whose `impl` is being read (the meaning of `Self`), and the trait.
    of: Option<(String, Option<String>)>,
    breaches: Vec<String>,
    declared: Vec<String>,
}

impl<'a> Visit<'a> for Reader<'_> {
    fn visit_item(&mut self, item: &'a Item) {
        if !is_for_tests(attributes_of(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'a ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_impl(&mut self, item: &'a ItemImpl) {
        let of = last_segment(&item.self_ty);
        let implemented = item
            .trait_
            .as_ref()
            .and_then(|(_, path, _)| path.segments.last());
        let before = self
            .of
            .replace((of, implemented.map(|segment| segment.ident.to_string())));
        visit::visit_item_impl(self, item);
        self.of = before;
    }

    fn visit_impl_item(&mut self, item: &'a ImplItem) {
        if !matches!(item, ImplItem::Fn(function) if is_for_tests(&function.attrs)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, function: &'a ItemFn) {
        self.function(&function.vis, &function.sig);
    }

    fn visit_impl_item_fn(&mut self, function: &'a ImplItemFn) {
        let of_trait = matches!(&self.of, Some((_, Some(_))));
        let public = Visibility::Public(Default::default());
        self.function(
            if of_trait { &public } else { &function.vis },
            &function.sig,
        );
    }

    fn visit_trait_item_fn(&mut self, function: &'a TraitItemFn) {
        self.function(&Visibility::Public(Default::default()), &function.sig);
    }

    fn visit_item_struct(&mut self, item: &'a ItemStruct) {
        let name = item.ident.to_string();
        let Some(home) = home_of(&name) else { return };
        if self.module.first().is_none_or(|module| module != home) {
            return self.breach(&name, "is declared outside its home");
        }
        if exposes(&item.fields, |vis| self.leaves(vis, home)) {
            self.breach(&name, "has a field that others can write");
        }
        for derived in item.attrs.iter().flat_map(derives) {
            if !DERIVES.contains(&derived.as_str()) {
                self.breach(&name, &format!("derives {derived}"));
            }
        }
        self.declared.push(name);
    }

    fn visit_item_const(&mut self, item: &'a syn::ItemConst) {
        self.constant(&item.ty);
    }

    fn visit_item_static(&mut self, item: &'a syn::ItemStatic) {
        self.constant(&item.ty);
    }
}

impl Reader<'_> {
    fn breach(&mut self, what: &str, why: &str) {
        self.breaches
            .push(format!("{}: {what} {why}", self.source.path.display()));
    }

    fn constant(&mut self, ty: &Type) {
        if let Some((proof, _)) = self.proof_in(ty) {
            self.breach(proof, "is in a constant, which no check constructed");
        }
    }

    fn function(&mut self, vis: &Visibility, signature: &Signature) {
        let ReturnType::Type(_, returned) = &signature.output else {
            return;
        };
        let Some((proof, checked)) = self.proof_in(returned) else {
            return;
        };
        let Some(home) = home_of(proof) else { return };
        let name = signature.ident.to_string();
        if !self.leaves(vis, home) || self.is_clone(proof) {
            return;
        }
        if self.module.first().is_none_or(|module| module != home) {
            self.breach(&name, &format!("hands out a {proof} outside {home}"));
        } else if !checked && !self.consumes_earlier(signature, proof) {
            self.breach(
                &name,
                &format!("makes a {proof} without a check that can fail"),
            );
        }
    }

    /// `Clone` copies the proof of a check that was passed.
    fn is_clone(&self, proof: &str) -> bool {
        matches!(&self.of, Some((of, Some(implemented))) if of == proof && implemented == "Clone")
    }

    /// Returns `true` if an item with this visibility can be used outside the module `home`.
    fn leaves(&self, vis: &Visibility, home: &str) -> bool {
        let reach = match vis {
            Visibility::Public(_) => return true,
            Visibility::Inherited => self.module.clone(),
            Visibility::Restricted(restricted) => {
                let mut reach = self.module.clone();
                for segment in &restricted.path.segments {
                    match segment.ident.to_string().as_str() {
                        "crate" => reach.clear(),
                        "super" => drop(reach.pop()),
                        "self" => {}
                        module => reach.push(module.to_owned()),
                    }
                }
                reach
            }
        };
        // a private function of another module cannot be called from outside, and the functions that it calls are checked there
        let inherited = matches!(vis, Visibility::Inherited);
        !inherited && reach.first().is_none_or(|module| module != home)
    }

    /// Returns `true` if a parameter takes, by value, a proof that comes before `proof`.
    fn consumes_earlier(&self, signature: &Signature, proof: &str) -> bool {
        let position = |name: &str| PROOFS.iter().position(|(known, _)| *known == name);
        let earlier = |taken: &str| position(taken) < position(proof);
        signature.inputs.iter().any(|input| match input {
            FnArg::Receiver(receiver) => {
                receiver.reference.is_none()
                    && self
                        .of
                        .as_ref()
                        .is_some_and(|(of, _)| home_of(of).is_some() && earlier(of))
            }
            FnArg::Typed(typed) => self
                .proof_in(&typed.ty)
                .is_some_and(|(taken, _)| earlier(taken)),
        })
    }

    /// Returns the proof that `ty` contains by value, and `true` if only the `Ok` of a `Result` contains it.
    fn proof_in(&self, ty: &Type) -> Option<(&'static str, bool)> {
        let mut finder = Finder {
            of: self.of.as_ref().map(|(of, _)| of.as_str()),
            within_result: false,
            found: None,
        };
        finder.visit_type(ty);
        finder.found
    }
}

struct Finder<'a> {
    of: Option<&'a str>,
    within_result: bool,
    found: Option<(&'static str, bool)>,
}

impl<'a> Visit<'a> for Finder<'_> {
    // a borrowed proof was constructed elsewhere
    fn visit_type_reference(&mut self, _: &'a syn::TypeReference) {}

    fn visit_path_segment(&mut self, segment: &'a syn::PathSegment) {
        let mut name = segment.ident.to_string();
        if name == "Self" {
            name = self.of.unwrap_or_default().to_owned();
        }
        if let Some((proof, _)) = PROOFS.iter().find(|(proof, _)| *proof == name) {
            self.found = self.found.or(Some((proof, self.within_result)));
        }
        let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
            return visit::visit_path_segment(self, segment);
        };
        for (position, argument) in arguments.args.iter().enumerate() {
            let before = self.within_result;
            self.within_result |=
                name == "Result" && position == 0 && matches!(argument, GenericArgument::Type(_));
            self.visit_generic_argument(argument);
            self.within_result = before;
        }
    }
}

fn home_of(proof: &str) -> Option<&'static str> {
    PROOFS
        .iter()
        .find(|(known, _)| *known == proof)
        .map(|(_, home)| *home)
}

fn last_segment(ty: &Type) -> String {
    let Type::Path(path) = ty else {
        return String::new();
    };
    path.path
        .segments
        .last()
        .map(|segment| segment.ident.to_string())
        .unwrap_or_default()
}

fn exposes(fields: &Fields, leaves: impl Fn(&Visibility) -> bool) -> bool {
    fields.is_empty() || fields.iter().any(|field| leaves(&field.vis))
}

fn derives(attribute: &Attribute) -> Vec<String> {
    let mut derived = Vec::new();
    if attribute.path().is_ident("derive") {
        let noted = attribute.parse_nested_meta(|meta| {
            derived.extend(
                meta.path
                    .segments
                    .last()
                    .map(|segment| segment.ident.to_string()),
            );
            Ok(())
        });
        assert!(noted.is_ok(), "a derive that cannot be read");
    }
    derived
}

#[cfg(test)]
#[path = "proofs_tests.rs"]
mod tests;
