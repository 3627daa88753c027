//! Two requests share a cache entry only if all inputs of the decision are equal.

use crate::properties::{cases, subject::presenting};
use obo_gateway::{
    cache::{AuthorizationContext, CacheKey, PolicyContext},
    source::Source,
    token::TokenTypeUri,
};
use proptest::{collection::vec, option, prelude::*};

#[derive(Debug, Clone, PartialEq, Eq)]
struct Fields {
    route: String,
    operation: String,
    policy_generation: u64,
    is_jwt: bool,
    token: String,
    actor: Option<Vec<u8>>,
    confirmation: Option<Vec<u8>>,
}

impl Fields {
    fn key(&self) -> CacheKey {
        let token_type = if self.is_jwt {
            TokenTypeUri::Jwt
        } else {
            TokenTypeUri::AccessToken
        };
        let headers = presenting(&self.token);
        AuthorizationContext {
            policy: &PolicyContext::new(
                &self.route,
                &self.operation,
                self.policy_generation,
                token_type,
            ),
            presented: Source::Authorization
                .find(&headers, None, 64 << 10)
                .unwrap()
                .token,
            actor: self.actor.as_deref(),
            confirmation: self.confirmation.as_deref(),
        }
        .key()
    }
}

/// Fields with few letters, so that the concatenated fields of two contexts are often equal.
fn any_fields() -> impl Strategy<Value = Fields> {
    let bytes = || option::of(vec(prop_oneof![Just(b'a'), Just(b'b'), Just(0)], 0..3));
    let generation = prop_oneof![0..3_u64, any::<u64>()];
    (
        "[ab]{0,2}",
        "[ab]{0,2}",
        generation,
        any::<bool>(),
        "[ab]{1,3}",
        bytes(),
        bytes(),
    )
        .prop_map(
            |(route, operation, policy_generation, is_jwt, token, actor, confirmation)| Fields {
                route,
                operation,
                policy_generation,
                is_jwt,
                token,
                actor,
                confirmation,
            },
        )
}

/// Returns `fields` with one of them changed: the `which`th.
fn changed(fields: &Fields, which: u8) -> Fields {
    let longer = |part: &Option<Vec<u8>>| match part {
        None => Some(Vec::new()),
        Some(bytes) => Some([bytes.as_slice(), b"a"].concat()),
    };
    let mut other = fields.clone();
    match which {
        0 => other.route.push('a'),
        1 => other.operation.push('a'),
        2 => other.policy_generation = fields.policy_generation.wrapping_add(1),
        3 => other.is_jwt = !fields.is_jwt,
        4 => other.token.push('a'),
        5 => other.actor = longer(&fields.actor),
        _ => other.confirmation = longer(&fields.confirmation),
    }
    other
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_key_differs_whenever_one_field_differs(fields in any_fields(), which in 0..7_u8) {
        let (one, other) = (fields.key(), changed(&fields, which).key());
        prop_assert_ne!(one, other);
        prop_assert_ne!(one.as_bytes(), other.as_bytes(), "already in the digest");
        prop_assert_eq!(one, fields.key());
    }

    #[test]
    fn a_key_differs_when_what_one_field_loses_its_neighbour_gains(fields in any_fields()) {
        let mut shifted = fields.clone();
        match shifted.route.pop() {
            Some(letter) => shifted.operation.insert(0, letter),
            None => shifted.route.push('a'),
        }
        prop_assert_ne!(*fields.key().as_bytes(), *shifted.key().as_bytes());

        let swapped = Fields {
            actor: fields.confirmation.clone(),
            confirmation: fields.actor.clone(),
            ..fields.clone()
        };
        prop_assert_eq!(fields.key() == swapped.key(), fields.actor == fields.confirmation);
    }

    #[test]
    fn keys_of_any_two_contexts_are_equal_only_if_the_contexts_are(a in any_fields(), b in any_fields()) {
        prop_assert_eq!(a.key() == b.key(), a == b);
    }
}
