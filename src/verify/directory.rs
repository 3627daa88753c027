//! The directory of users: which users exist, and who may impersonate whom.
//!
//! An id names a user as the token service names subjects: by `sub` if the clients accept one issuer, and otherwise by
//! `<issuer name>:<sub>`, because two providers may use one name for different people. A user who is not in the
//! directory has no permission.

mod file;
mod settings;

pub use file::{DirectoryError, FileDirectory};
pub use settings::DirectorySettings;

use serde_json::{Map, Value};
use std::sync::Arc;
use std::{collections::BTreeSet, fmt};

/// Looks up users.
pub trait Directory: Send + Sync + fmt::Debug {
    /// Returns the user with this id, compared exactly.
    fn user(&self, id: &str) -> Option<Arc<User>>;

    /// The ids of all users, sorted.
    fn ids(&self) -> Vec<&str>;
}

/// How the directory's ids name users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserIds {
    /// By `sub`. The clients accept the tokens of one issuer.
    Bare,
    /// By `<issuer name>:<sub>`. The clients accept the tokens of several issuers.
    Qualified,
}

impl UserIds {
    /// Returns the id of the user `sub` of the issuer with this name.
    pub fn id(self, issuer_name: &str, sub: &str) -> String {
        match self {
            Self::Bare => sub.to_owned(),
            Self::Qualified => format!("{issuer_name}:{sub}"),
        }
    }
}

/// The directory entry of one user.
#[derive(Clone, PartialEq)]
pub struct User {
    id: Box<str>,
    claims: Map<String, Value>,
    roles: Box<[Box<str>]>,
    permissions: Box<[Permission]>,
    administrator: bool,
    organizations: BTreeSet<Box<str>>,
}

/// A permission to impersonate other users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// Who may be impersonated.
    pub whom: Impersonated,
    /// Where the permission applies.
    pub within: Within,
}

/// Who may be impersonated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Impersonated {
    /// Users who are not administrators (`impersonate`).
    Users,
    /// Administrators (`impersonate_admin`).
    Administrators,
}

/// Where a permission applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// For all users.
    Everywhere,
    /// For users who share an organization with the user who has the permission (`own_organizations`).
    OwnOrganizations,
}

impl User {
    /// The user's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The claims about the user (OpenID Connect Core §5.1).
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// The user's roles.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.iter().map(AsRef::as_ref)
    }

    /// Returns `true` if only `impersonate_admin` permits impersonation of this user.
    pub fn is_administrator(&self) -> bool {
        self.administrator
    }

    /// Returns `true` if this user may impersonate `other`. The permissions are independent: the permission to
    /// impersonate administrators does not include other users.
    pub fn may_impersonate(&self, other: &Self) -> bool {
        let whom = if other.administrator {
            Impersonated::Administrators
        } else {
            Impersonated::Users
        };
        self.permissions.iter().any(|permission| {
            permission.whom == whom
                && match permission.within {
                    Within::Everywhere => true,
                    Within::OwnOrganizations => {
                        !self.organizations.is_disjoint(&other.organizations)
                    }
                }
        })
    }
}

/// Directory entries are personal data, so that `Debug` redacts them.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("User(redacted)")
    }
}

#[cfg(test)]
mod tests;
