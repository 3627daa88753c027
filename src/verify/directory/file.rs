//! The directory as a YAML file. Unknown keys are refused.

use super::{Directory, Impersonated, Permission, User, Within};
use crate::token::ScopeSet;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{collections::HashMap, sync::Arc};
use thiserror::Error;

/// The users of one file.
#[derive(Debug, Default)]
pub struct FileDirectory {
    users: HashMap<Box<str>, Arc<User>>,
}

/// The reason why a text is not a directory.
#[derive(Debug, Error)]
pub enum DirectoryError {
    /// The text is not YAML of the expected structure.
    #[error("{0}")]
    Shape(#[from] serde_yaml::Error),
    /// A key has no value.
    #[error("{place}: expected a value, found nothing")]
    Nothing {
        /// The path of the key.
        place: String,
    },
    /// A user has no id, or an id that no subject can have.
    #[error("users[{position}].id: expected 1 to 255 ASCII characters")]
    Id {
        /// The user's position, from 0.
        position: usize,
    },
    /// Two users have the same id.
    #[error("users[{position}].id: a second user with the id {id:?}")]
    Twice {
        /// The position of the second user, from 0.
        position: usize,
        /// The id.
        id: String,
    },
    /// An organization has no id.
    #[error("users[{position}].organizations: expected the id of an organization")]
    Organization {
        /// The user's position, from 0.
        position: usize,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    users: Vec<WrittenUser>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenUser {
    id: String,
    #[serde(default)]
    claims: Map<String, Value>,
    #[serde(default)]
    roles: ScopeSet,
    #[serde(default)]
    permissions: Vec<WrittenPermission>,
    #[serde(default)]
    administrator: bool,
    #[serde(default)]
    organizations: Vec<WrittenOrganization>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPermission {
    name: PermissionName,
    within: Option<ImpersonationScope>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum PermissionName {
    Impersonate,
    ImpersonateAdmin,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ImpersonationScope {
    OwnOrganizations,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenOrganization {
    id: String,
    /// Parsed only to detect errors. It is not used yet.
    #[serde(default, rename = "roles")]
    _roles: ScopeSet,
}

impl FileDirectory {
    /// Parses the text of a file.
    ///
    /// # Errors
    /// [`DirectoryError`]: the first error, with its position.
    pub fn parse(text: &str) -> Result<Self, DirectoryError> {
        // this step refuses duplicate keys: the next one would silently use the last value
        let whole: serde_yaml::Value = serde_yaml::from_str(text)?;
        if let Some(place) = place_of_nothing(&whole) {
            let place = place.trim_start_matches('.').to_owned();
            return Err(DirectoryError::Nothing { place });
        }
        let written: Written = serde_yaml::from_str(text)?;
        let mut users = HashMap::new();
        for (position, user) in written.users.into_iter().enumerate() {
            let user = user.check(position)?;
            let id = user.id.clone();
            if users.insert(id.clone(), Arc::new(user)).is_some() {
                let id = id.into();
                return Err(DirectoryError::Twice { position, id });
            }
        }
        Ok(Self { users })
    }
}

/// Returns the path of the first key without a value. For example, an empty `within:` would grant a permission for all
/// users.
fn place_of_nothing(value: &serde_yaml::Value) -> Option<String> {
    use serde_yaml::Value;
    match value {
        Value::Null => Some(String::new()),
        Value::Mapping(mapping) => mapping.iter().find_map(|(key, value)| {
            let key = key.as_str().unwrap_or_default();
            Some(format!(".{key}{}", place_of_nothing(value)?))
        }),
        Value::Sequence(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| Some(format!("[{index}]{}", place_of_nothing(item)?))),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Tagged(_) => None,
    }
}

impl Directory for FileDirectory {
    fn user(&self, id: &str) -> Option<Arc<User>> {
        self.users.get(id).map(Arc::clone)
    }

    fn ids(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = self.users.keys().map(AsRef::as_ref).collect();
        ids.sort_unstable();
        ids
    }
}

impl WrittenUser {
    fn check(self, position: usize) -> Result<User, DirectoryError> {
        let visible = self.id.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if self.id.is_empty() || self.id.len() > 255 || !visible {
            return Err(DirectoryError::Id { position });
        }
        let organizations = self.organizations.into_iter().map(|organization| {
            let id = Some(organization.id).filter(|id| !id.is_empty());
            id.map(Into::into)
                .ok_or(DirectoryError::Organization { position })
        });
        let permissions = self.permissions.into_iter().map(|permission| Permission {
            whom: match permission.name {
                PermissionName::Impersonate => Impersonated::Users,
                PermissionName::ImpersonateAdmin => Impersonated::Administrators,
            },
            within: match permission.within {
                None => Within::Everywhere,
                Some(ImpersonationScope::OwnOrganizations) => Within::OwnOrganizations,
            },
        });
        Ok(User {
            permissions: permissions.collect(),
            organizations: organizations.collect::<Result<_, _>>()?,
            id: self.id.into(),
            claims: self.claims,
            roles: self.roles.iter().map(Into::into).collect(),
            administrator: self.administrator,
        })
    }
}
