//! The translation of scope names in subject tokens to the upstream's names (`exchange.scope.map`).

use super::requested::check_names;
use crate::{settings::Building, token::ScopeSet};
use std::{borrow::Cow, collections::BTreeMap};

/// The mapping from subject scope names to upstream scope names.
#[derive(Debug, Clone, Default)]
pub(super) struct ScopeMap {
    replaced: ScopeSet,
    by: BTreeMap<Box<str>, ScopeSet>,
}

impl ScopeMap {
    /// Compiles the map. `spoken` are the upstream's scopes that the route allows or requires.
    pub(super) fn build(
        map: &BTreeMap<String, ScopeSet>,
        spoken: &ScopeSet,
        building: &mut Building<'_>,
    ) -> Self {
        let mut replaced = ScopeSet::empty();
        for (name, by) in map {
            building.within(name.as_str(), |b| {
                match ScopeSet::from_tokens([name.as_str()]) {
                    Ok(token) => replaced = replaced.union(&token),
                    Err(error) => b
                        .findings
                        .error(error.to_string(), "write one scope of the subject token"),
                }
                check_names(by, b);
                let silent = by.difference(spoken);
                if !silent.is_empty() {
                    b.findings.warn(
                        format!("{silent} is neither allowed nor required here"),
                        "mapping to a scope that the route neither allows nor requires has no effect",
                        "add it to allow or require, or remove it",
                    );
                }
            });
        }
        let by = map
            .iter()
            .map(|(name, by)| (name.as_str().into(), by.clone()))
            .collect();
        Self { replaced, by }
    }

    /// Returns the subject's names for the upstream scopes `names`, as far as there are any.
    pub(super) fn sources(&self, names: &ScopeSet) -> ScopeSet {
        let stand_for_some = self
            .by
            .iter()
            .filter(|(_, by)| !by.intersection(names).is_empty())
            .map(|(name, _)| &**name);
        let kept = names.difference(&self.replaced);
        let all = kept.iter().chain(stand_for_some);
        // the names were checked when the map was built
        ScopeSet::from_tokens(all).unwrap_or_else(|_| ScopeSet::empty())
    }

    /// Returns the mapped names in `held`, each with its replacements.
    pub(super) fn replaced(&self, held: &ScopeSet) -> Vec<(String, ScopeSet)> {
        let replaced = |name: &str| Some((name.to_owned(), self.by.get(name)?.clone()));
        held.iter().filter_map(replaced).collect()
    }

    /// Returns the upstream's names for the scopes `held`. Names that are not mapped stay the same.
    pub(super) fn apply<'a>(&self, held: &'a ScopeSet) -> Cow<'a, ScopeSet> {
        if self.by.is_empty() {
            return Cow::Borrowed(held);
        }
        let stands_for = held.iter().filter_map(|name| self.by.get(name));
        let kept = held.difference(&self.replaced);
        Cow::Owned(stands_for.fold(kept, |all, names| all.union(names)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{BaseDir, Effects, Findings};
    use std::path::Path;

    fn set(text: &str) -> ScopeSet {
        ScopeSet::parse(text).unwrap()
    }

    fn map(entries: &[(&str, &str)], spoken: &str) -> (ScopeMap, Findings) {
        let entries = entries
            .iter()
            .map(|(name, by)| ((*name).to_owned(), set(by)))
            .collect();
        let (base, mut findings) = (BaseDir::of_file(Path::new("x")), Findings::default());
        let mut building = Building {
            base: &base,
            effects: Effects::None,
            findings: &mut findings,
        };
        let map = ScopeMap::build(&entries, &set(spoken), &mut building);
        (map, findings)
    }

    #[test]
    fn an_apis_scope_is_asked_for_by_the_names_that_lead_to_it() {
        let (map, _) = map(&[("a", "x y"), ("b", "z"), ("x", "q")], "x y z q");
        assert_eq!(map.sources(&set("x k")), set("a k"));
        assert_eq!(map.sources(&set("q z")), set("b q x z"));
    }

    #[test]
    fn a_mapped_name_is_replaced_and_the_others_stay() {
        let (map, findings) = map(&[("a", "x y"), ("b", "a"), ("c", "")], "a x y");
        assert_eq!(findings.into_vec(), []);
        let mapped = |held| map.apply(&set(held)).into_owned();
        assert_eq!(mapped("a"), set("x y"));
        assert_eq!(
            mapped("a b"),
            set("a x y"),
            "what is mapped is not mapped again"
        );
        assert_eq!(mapped("c d"), set("d"));
        assert_eq!(mapped(""), set(""));
    }

    #[test]
    fn names_that_are_none_are_refused_and_idle_ones_are_warned_of() {
        assert_eq!(map(&[("a b", "x")], "x").1.errors(), 1);
        assert_eq!(map(&[("a", "__myscopes__")], "__myscopes__").1.errors(), 1);
        let findings = map(&[("a", "x y")], "x").1;
        assert!(!findings.has_errors());
        assert_eq!(findings.into_vec().len(), 1);
    }
}
