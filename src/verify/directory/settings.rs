//! The `directory` section of the configuration.

use super::{Directory, FileDirectory};
use crate::settings::{Building, fingerprint};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{path::PathBuf, sync::Arc};

/// The users known to the token service, and who may impersonate whom.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectorySettings {
    /// A YAML file with a list of `users`. It is read at start and at each reload.
    pub file: PathBuf,
}

fingerprint!(DirectorySettings { files: [file] });

impl DirectorySettings {
    /// Reads the file.
    pub fn build(&self, building: &mut Building<'_>) -> Option<Arc<dyn Directory>> {
        let path = building.base.resolve(&self.file);
        let read = std::fs::read_to_string(&path)
            .map_err(|error| error.to_string())
            .and_then(|text| FileDirectory::parse(&text).map_err(|error| error.to_string()));
        match read {
            Ok(directory) => Some(Arc::new(directory)),
            Err(error) => {
                building.within("file", |b| {
                    b.findings.error(
                        format!("{}: {error}", self.file.display()),
                        "name a file with users: [ { id: … } ] that can be read",
                    );
                });
                None
            }
        }
    }
}
