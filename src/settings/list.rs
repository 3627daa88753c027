//! Lists whose absence has a meaning, so that a key without a value is a mistake and not the same as a missing key.

use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};
use std::{fmt, marker::PhantomData};

/// Reads a list that may be absent; a key without a value is refused. For `#[serde(default, deserialize_with = …)]`.
///
/// # Errors
/// The value is not a list; null is not a list either.
pub fn written_list<'de, T, D>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    list(deserializer).map(Some)
}

/// Reads a list; null is refused.
///
/// # Errors
/// The value is not a list; null is not a list either.
pub fn list<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    struct List<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            let mut list = Vec::new();
            while let Some(item) = items.next_element()? {
                list.push(item);
            }
            Ok(list)
        }
    }
    // `deserialize_any`, because the YAML parser accepts null where a sequence is requested
    deserializer.deserialize_any(List(PhantomData))
}
