//! How the top level of the file is read: once for the configuration, once for its schema.

use super::Section;
use crate::settings::{Findings, Fingerprint};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

/// Reads the top level of the file key by key. Implemented for the file, and for the generator of the schema.
/// Every section says with its [`Fingerprint`] what of it has an effect on tokens.
pub(super) trait TopLevel {
    /// Returns the value of `key`, or the default if it is absent or has the wrong shape.
    fn take_or_default<T: DeserializeOwned + Default + JsonSchema + Fingerprint>(
        &mut self,
        key: &'static str,
    ) -> T;

    /// Returns the value of `key`, which is required.
    fn required<T: DeserializeOwned + JsonSchema + Fingerprint>(
        &mut self,
        key: &'static str,
    ) -> Option<T>;

    /// Returns the items of the list `key` that have the right shape, each with its position.
    fn list<T: DeserializeOwned + JsonSchema + Fingerprint>(
        &mut self,
        key: &'static str,
    ) -> Vec<(usize, T)>;

    /// Returns the items of the list `key`, which needs at least one.
    fn required_list<T: DeserializeOwned + JsonSchema + Fingerprint>(
        &mut self,
        key: &'static str,
    ) -> Vec<(usize, T)>;

    /// Returns `true` if the value of `key` is uncertain. Must be called after all keys were read.
    fn is_doubtful(&self, key: &'static str) -> bool;

    /// Returns the findings.
    fn findings(&mut self) -> &mut Findings;
}

/// Delegates to the inherent methods. Through the trait, each type must also describe itself.
impl TopLevel for Section<'_> {
    fn take_or_default<T: DeserializeOwned + Default + JsonSchema + Fingerprint>(
        &mut self,
        key: &'static str,
    ) -> T {
        Section::take_or_default(self, key)
    }

    fn required<T: DeserializeOwned + JsonSchema + Fingerprint>(
        &mut self,
        key: &'static str,
    ) -> Option<T> {
        Section::required(self, key)
    }

    fn list<T: DeserializeOwned + JsonSchema + Fingerprint>(
        &mut self,
        key: &'static str,
    ) -> Vec<(usize, T)> {
        Section::list(self, key)
    }

    fn required_list<T: DeserializeOwned + JsonSchema + Fingerprint>(
        &mut self,
        key: &'static str,
    ) -> Vec<(usize, T)> {
        Section::required_list(self, key)
    }

    fn is_doubtful(&self, key: &'static str) -> bool {
        Section::is_doubtful(self, key)
    }

    fn findings(&mut self) -> &mut Findings {
        Section::findings(self)
    }
}
