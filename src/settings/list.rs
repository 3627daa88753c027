//! Lists whose absence says something: a key with nothing behind it is a mistake there, and not the same as no key.

use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};
use std::{fmt, marker::PhantomData};

/// Reads a list that may be absent; a key without a value is refused. For `#[serde(default, deserialize_with = …)]`.
///
/// # Errors
/// Anything but a list, nothing included.
pub fn written_list<'de, T, D>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    list(deserializer).map(Some)
}

/// Reads a list; nothing is none.
///
/// # Errors
/// Anything but a list, nothing included.
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
    // any: asked for a sequence, YAML takes nothing for an empty one
    deserializer.deserialize_any(List(PhantomData))
}
