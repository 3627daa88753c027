//! Reads values as settings structs.
//!
//! Takes a YAML value and the expected type, and returns a value of that type or findings at the exact keys.

use super::{empty, mistakes::Mistakes};
use crate::settings::Findings;
use serde::de::DeserializeOwned;
use serde_path_to_error as located;
use serde_yaml::Value;

/// Returns `value` as a `T`, or reports every mistake in it and every key in it without a value.
pub(super) fn read<T: DeserializeOwned>(value: &Value, findings: &mut Findings) -> Option<T> {
    let before = findings.count();
    let read = located::deserialize(value).ok();
    if read.is_none() {
        Mistakes::of(value).report::<T>(findings);
    }
    empty::refuse_nothing(value, before, findings);
    read.filter(|_| findings.count() == before)
}
