//! The algebra of scopes.

use crate::properties::cases;
use obo_gateway::token::ScopeSet;
use proptest::{collection::btree_set, prelude::*};
use std::collections::BTreeSet;

/// Few names, so that sets overlap, with every character that RFC 6749 §3.3 permits.
fn any_names() -> impl Strategy<Value = BTreeSet<String>> {
    let name = prop_oneof![
        3 => "[ab.]{1,2}",
        1 => "[!#-\\[\\]-~]{1,12}",
    ];
    btree_set(name, 0..6)
}

fn set(names: &BTreeSet<String>) -> ScopeSet {
    ScopeSet::from_tokens(names.iter().map(String::as_str)).unwrap()
}

fn any_set() -> impl Strategy<Value = ScopeSet> {
    any_names().prop_map(|names| set(&names))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_operations_are_those_of_sets(a in any_names(), b in any_names(), name in "[ab.]{1,2}") {
        let (x, y) = (set(&a), set(&b));
        prop_assert_eq!(x.intersection(&y), set(&a.intersection(&b).cloned().collect()));
        prop_assert_eq!(x.union(&y), set(&a.union(&b).cloned().collect()));
        prop_assert_eq!(x.difference(&y), set(&a.difference(&b).cloned().collect()));
        prop_assert_eq!(x.is_subset(&y), a.is_subset(&b));
        prop_assert_eq!(x.contains(&name), a.contains(&name));
        prop_assert_eq!(x.len(), a.len());
        prop_assert_eq!(x.is_empty(), a.is_empty());
    }

    #[test]
    fn narrowing_never_adds_and_never_depends_on_the_order(
        a in any_set(), b in any_set(), c in any_set(),
    ) {
        let narrowed = a.intersection(&b);
        prop_assert!(narrowed.is_subset(&a) && narrowed.is_subset(&b));
        prop_assert_eq!(&narrowed, &b.intersection(&a));
        prop_assert_eq!(narrowed.intersection(&c), a.intersection(&b.intersection(&c)));
        prop_assert_eq!(a.intersection(&a), a.clone());
        prop_assert!(a.intersection(&ScopeSet::empty()).is_empty(), "nothing is not everything");
    }

    #[test]
    fn a_set_is_its_parts(a in any_set(), b in any_set()) {
        let (common, rest) = (a.intersection(&b), a.difference(&b));
        prop_assert_eq!(common.union(&rest), a.clone());
        prop_assert!(common.intersection(&rest).is_empty());
        prop_assert!(a.is_subset(&a.union(&b)));
        prop_assert_eq!(a.is_subset(&b), rest.is_empty());
        prop_assert_eq!(a.is_subset(&b) && b.is_subset(&a), a == b);
    }

    #[test]
    fn what_is_written_is_read_back(a in any_set()) {
        let text = a.to_string();
        prop_assert_eq!(ScopeSet::parse(&text), Ok(a));
    }

    #[test]
    fn what_is_read_is_exactly_the_grammar_of_the_standard(text in "[ab \t\"\\\\,\u{a0}\u{7f}é]{0,8}") {
        // scope = scope-token *( SP scope-token )
        let is_scope = text.is_empty() || text.split(' ').all(|token| {
            !token.is_empty()
                && token.chars().all(|c| matches!(c, '\x21' | '\x23'..='\x5b' | '\x5d'..='\x7e'))
        });
        prop_assert_eq!(ScopeSet::parse(&text).is_ok(), is_scope);
    }
}
