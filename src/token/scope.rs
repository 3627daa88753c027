//! Sets of scopes (RFC 6749 §3.3), and the set operations that narrow them.

use crate::settings::{Fingerprint, Fingerprinter, list};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{borrow::Cow, collections::BTreeSet, fmt, sync::Arc};
use thiserror::Error;

/// A set of scope tokens: sorted, without duplicates, compared byte for byte.
///
/// The empty set means "no scope", never "any scope".
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScopeSet(BTreeSet<Arc<str>>);

/// The reason why a text is not a scope.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScopeError {
    /// The text is empty or contains a character outside `%x21 / %x23-5B / %x5D-7E`.
    #[error("{0:?} is not a scope: expected visible ASCII without quotes and backslashes")]
    NotAScopeToken(String),
}

impl ScopeSet {
    /// Returns the empty set.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Parses a `scope` value: scope tokens with single spaces between them. The empty text is the empty set.
    ///
    /// # Errors
    /// [`ScopeError`] for any other text. Tabs, commas and non-ASCII spaces are not separators.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        if text.is_empty() {
            return Ok(Self::empty());
        }
        Self::from_tokens(text.split(' '))
    }

    /// Makes a set of single scope tokens.
    ///
    /// # Errors
    /// [`ScopeError`] if one of them is not a scope token.
    pub fn from_tokens<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Result<Self, ScopeError> {
        tokens
            .into_iter()
            .map(|token| {
                if is_scope_token(token) {
                    Ok(Arc::from(token))
                } else {
                    Err(ScopeError::NotAScopeToken(token.chars().take(80).collect()))
                }
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Returns `true` if the set has no scopes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of scopes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns `true` if `token` is in the set.
    pub fn contains(&self, token: &str) -> bool {
        self.0.contains(token)
    }

    /// Returns `true` if all scopes of this set are also in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// Returns the scopes that are in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// Returns the scopes that are in this set but not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0).cloned().collect())
    }

    /// Returns the scopes that are in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    /// Returns the scopes for which `keep` returns `true`.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|scope| keep(scope)).cloned().collect())
    }

    /// The scopes in sorted order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }
}

/// `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )` (RFC 6749 §3.3)
fn is_scope_token(token: &str) -> bool {
    !token.is_empty()
        && token
            .bytes()
            .all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, token) in self.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            f.write_str(token)?;
        }
        Ok(())
    }
}

impl Serialize for ScopeSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// In a configuration, scopes are a list with one name per item.
impl<'de> Deserialize<'de> for ScopeSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tokens: Vec<String> = list(deserializer)?;
        Self::from_tokens(tokens.iter().map(String::as_str)).map_err(|error| {
            // for one text with several names, as in a token, the suggestion must itself be valid
            let apart = tokens.iter().flat_map(|text| text.split_whitespace());
            // a star is not a scope and must not be suggested
            let apart: Vec<&str> = apart.filter(|name| *name != "*").collect();
            match Self::from_tokens(apart.iter().copied()) {
                // no scope contains a quote or a backslash, so quoting it results in valid YAML
                Ok(_) if !apart.is_empty() => de::Error::custom(format_args!(
                    "{error}; write one name an item: [\"{}\"]",
                    apart.join("\", \"")
                )),
                Ok(_) | Err(_) => de::Error::custom(error),
            }
        })
    }
}

impl Fingerprint for ScopeSet {
    fn add_to(&self, fingerprint: &mut Fingerprinter<'_>) {
        self.to_string().add_to(fingerprint);
    }
}

impl JsonSchema for ScopeSet {
    fn schema_name() -> Cow<'static, str> {
        "Scopes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A list of scope names: visible ASCII without quotes and backslashes.",
            "type": "array",
            "items": { "type": "string", "pattern": r"^[\x21\x23-\x5b\x5d-\x7e]+$" },
            "examples": [["orders.read", "orders.write"]],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_separated_by_single_spaces_and_nothing_else() {
        let set = ScopeSet::parse("b a a").unwrap();
        assert_eq!(set.to_string(), "a b");
        for text in [" a", "a ", "a  b", "a\tb", "a\u{a0}b", "a\"b", "a\\b", "\n"] {
            assert!(ScopeSet::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(
            ScopeSet::parse("a,b").unwrap().len(),
            1,
            "a comma is part of a name"
        );
    }

    #[test]
    fn names_match_whole_and_never_as_patterns() {
        let set = ScopeSet::parse("orders.read orders.*").unwrap();
        assert!(!set.contains("orders"));
        assert!(!set.contains("orders.write"));
        assert!(!set.contains("ORDERS.READ"));
    }
}
