//! Who the users are, where the gateway itself has to know it: whether a user exists, and who may impersonate whom.
//!
//! What enters is the id of a user; what leaves is what the operator wrote down about that user. An id names a user as
//! the token service names subjects: by `sub` where the clients accept one issuer, and by `<issuer name>:<sub>` where they accept
//! several, since two providers may know different people by one name. Whoever is not in the directory has no permission.

mod file;
mod settings;

pub use file::{DirectoryError, FileDirectory};
pub use settings::DirectorySettings;

use serde_json::{Map, Value};
use std::sync::Arc;
use std::{collections::BTreeSet, fmt};

/// Finds users.
pub trait Directory: Send + Sync + fmt::Debug {
    /// The user with this id, compared character by character.
    fn user(&self, id: &str) -> Option<Arc<User>>;

    /// The ids of all users, sorted.
    fn ids(&self) -> Vec<&str>;
}

/// How the directory's ids name users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserIds {
    /// By `sub`: the clients accept the tokens of one issuer.
    Bare,
    /// By `<issuer name>:<sub>`: the clients accept the tokens of several issuers.
    Qualified,
}

impl UserIds {
    /// The id of the user `sub` of the issuer with that name.
    pub fn id(self, issuer_name: &str, sub: &str) -> String {
        match self {
            Self::Bare => sub.to_owned(),
            Self::Qualified => format!("{issuer_name}:{sub}"),
        }
    }
}

/// What is known about one user.
#[derive(Clone, PartialEq)]
pub struct User {
    id: Box<str>,
    claims: Map<String, Value>,
    roles: Box<[Box<str>]>,
    permissions: Box<[Permission]>,
    administrator: bool,
    organizations: BTreeSet<Box<str>>,
}

/// That a user may get tokens in the place of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// In whose place.
    pub whom: Impersonated,
    /// Where.
    pub within: Within,
}

/// Who may be impersonated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Impersonated {
    /// Users that are no administrators (`impersonate`).
    Users,
    /// Administrators (`impersonate_admin`).
    Administrators,
}

/// Where a permission counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// Everywhere.
    Everywhere,
    /// For users that share an organization with whoever has the permission (`own_organizations`).
    OwnOrganizations,
}

impl User {
    /// The id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What may be told about the user, as claims (OpenID Connect Core §5.1).
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// The user's roles.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.iter().map(AsRef::as_ref)
    }

    /// Whether only `impersonate_admin` permits to impersonate the user.
    pub fn is_administrator(&self) -> bool {
        self.administrator
    }

    /// Whether the user may get tokens in the place of `other`. One permission does not stand for the other: who may
    /// impersonate administrators may not impersonate everybody else by that alone.
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

/// What is known about people is personal data.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("User(redacted)")
    }
}

#[cfg(test)]
mod tests;
