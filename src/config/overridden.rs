//! Replaces some values of a configuration.

use serde_yaml::{Mapping, Value};
use thiserror::Error;

/// Why values cannot be replaced.
#[derive(Debug, Error)]
pub enum OverrideError {
    /// The text is not valid YAML.
    #[error("invalid YAML")]
    Syntax(#[from] serde_yaml::Error),
    /// The path leads through a value that is neither a mapping nor a list with that item.
    #[error("the key {path} does not exist")]
    NoSuchPlace {
        /// The path.
        path: String,
    },
}

/// Returns the configuration `text` with the value at each path replaced, as YAML without comments.
///
/// A path consists of member names and positions, separated by dots: `routes.0.upstream.targets.0.url`. Missing members
/// are added, missing list items are not.
///
/// # Errors
/// [`OverrideError`] if the text is not valid YAML or a path does not exist in it.
pub fn overridden(text: &str, values: &[(&str, Value)]) -> Result<String, OverrideError> {
    let mut document: Value = serde_yaml::from_str(text)?;
    for (path, value) in values {
        let place = place(&mut document, path).ok_or_else(|| OverrideError::NoSuchPlace {
            path: (*path).to_owned(),
        })?;
        *place = value.clone();
    }
    Ok(serde_yaml::to_string(&document)?)
}

fn place<'a>(document: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    path.split('.').try_fold(document, |at, step| {
        if at.is_null() {
            *at = Value::Mapping(Mapping::new());
        }
        if let Value::Sequence(items) = at {
            return items.get_mut(step.parse::<usize>().ok()?);
        }
        Some(
            at.as_mapping_mut()?
                .entry(step.into())
                .or_insert(Value::Null),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_replaced_and_missing_members_added() {
        let text = "listeners: [ { address: a, tls: {} } ]\nadmin: { address: b }\n";
        let changed = overridden(
            text,
            &[
                ("listeners.0.address", "c".into()),
                ("telemetry.audit.file", "d".into()),
            ],
        )
        .unwrap();
        let changed: Value = serde_yaml::from_str(&changed).unwrap();
        let expected = "{ listeners: [ { address: c, tls: {} } ], admin: { address: b }, telemetry: { audit: { file: d } } }";
        assert_eq!(changed, serde_yaml::from_str::<Value>(expected).unwrap());
    }

    #[test]
    fn a_path_that_leads_to_nothing_is_an_error() {
        for path in ["listeners.1.address", "listeners.x", "admin.address.port"] {
            let result = overridden(
                "listeners: [ { address: a } ]\nadmin: { address: b }\n",
                &[(path, "c".into())],
            );
            assert!(
                matches!(result, Err(OverrideError::NoSuchPlace { .. })),
                "{path}"
            );
        }
    }
}
