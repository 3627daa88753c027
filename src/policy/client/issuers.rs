//! The issuers whose users a client works with, and the names of these users.

use super::{ClientParts, ClientSettings, ClientSubject, ImpersonationSettings, Names};
use crate::{policy::naming::SubjectNaming, settings::Building, verify::UserIds};
use std::collections::BTreeSet;

impl ClientParts<'_> {
    /// How the directory names users: bare ids if all clients that get tokens accept the same issuer.
    pub(super) fn user_ids(&self, clients: &[(usize, ClientSettings)]) -> UserIds {
        let mut accepted: BTreeSet<&str> = BTreeSet::new();
        for (_, client) in clients
            .iter()
            .filter(|(_, client)| !client.grants().is_empty())
        {
            match client.accepted() {
                Some(names) => accepted.extend(names),
                None if self.listed_issuers > 1 => return UserIds::Qualified,
                None => accepted.extend(self.issuers.iter().map(String::as_str)),
            }
        }
        match accepted.len() {
            0 | 1 => UserIds::Bare,
            _ => UserIds::Qualified,
        }
    }
}

impl ClientSettings {
    /// The accepted issuers, without duplicates. `None` if all issuers are accepted.
    pub(super) fn accepted(&self) -> Option<impl Iterator<Item = &str>> {
        let names: BTreeSet<&str> = self.accepts.as_ref()?.iter().map(String::as_str).collect();
        Some(names.into_iter())
    }

    /// The number of accepted issuers.
    fn issuers(&self, parts: &ClientParts<'_>) -> usize {
        self.accepted()
            .map_or(parts.listed_issuers, Iterator::count)
    }

    /// The issuer, if the client accepts exactly one by name.
    fn sole_issuer(&self) -> Option<&str> {
        let mut names = self.accepted()?;
        names.next().filter(|_| names.next().is_none())
    }

    pub(super) fn naming(&self, parts: &ClientParts<'_>) -> SubjectNaming {
        match (self.subject, self.issuers(parts)) {
            (Some(ClientSubject::Same), _) | (None, 0 | 1) => SubjectNaming::Same,
            (Some(ClientSubject::Qualified) | None, _) => SubjectNaming::Qualified,
        }
    }

    /// Returns the impersonation settings with users named as in the directory. A client that accepts one issuer may
    /// omit the issuer's name.
    pub(super) fn impersonation_of(
        &self,
        parts: &ClientParts<'_>,
        user_ids: UserIds,
    ) -> Option<ImpersonationSettings> {
        let mut impersonation = self.impersonation.clone()?;
        if let (Names::These(ids), UserIds::Qualified, Some(sole)) =
            (&mut impersonation.may_act_for, user_ids, self.sole_issuer())
        {
            for id in ids.iter_mut().filter(|id| prefix(id, parts).is_none()) {
                *id = user_ids.id(sole, id);
            }
        }
        Some(impersonation)
    }

    /// Reports unknown issuers, and user ids that no user can have.
    pub(super) fn check_issuers(
        &self,
        building: &mut Building<'_>,
        parts: &ClientParts<'_>,
        user_ids: UserIds,
    ) {
        building.within("accepts", |b| self.check_accepts(b, parts));
        let issuers = self.issuers(parts);
        if self.subject == Some(ClientSubject::Same) && issuers > 1 {
            building.within("subject", |b| {
                b.findings.error_because(
                    format!("subjects keep their names, but {issuers} issuers are accepted"),
                    "two issuers may use one name for different people",
                    "write subject: qualified, or accept one issuer",
                );
            });
        }
        let bare = matches!(self.naming(parts), SubjectNaming::Same);
        if self.chain.accept_own && bare && parts.listed_issuers > 1 {
            building.within("chain", |b| {
                b.findings.warn(
                    "the client's own tokens name subjects without their issuer, but several issuers are trusted",
                    "a name without an issuer is ambiguous: the client cannot exchange these tokens again",
                    "add subject: qualified",
                );
            });
        }
        if user_ids == UserIds::Qualified {
            building.within("impersonation", |b| {
                b.within("may_act_for", |b| self.check_may_act_for(b, parts));
            });
        }
    }

    fn check_accepts(&self, building: &mut Building<'_>, parts: &ClientParts<'_>) {
        let Some(accepts) = &self.accepts else { return };
        if accepts.is_empty() {
            building.findings.error(
                "expected at least one issuer, found none",
                "name the issuers whose tokens it may exchange, or remove accepts",
            );
        }
        // an issuer with invalid settings may be the one that is named
        let all_known = parts.listed_issuers == parts.issuers.len();
        for (position, name) in accepts.iter().enumerate() {
            let unknown = all_known && !parts.issuers.contains(name);
            let twice = accepts.iter().take(position).any(|other| other == name);
            building.within(position, |b| {
                if unknown {
                    let known: Vec<&str> = parts.issuers.iter().map(String::as_str).collect();
                    b.findings.error(
                        format!("no trusted issuer is named {name:?}"),
                        format!(
                            "write the name of one of trusted_issuers: {}",
                            known.join(", ")
                        ),
                    );
                }
                if twice {
                    b.findings
                        .error(format!("{name:?} is listed twice"), "keep one of them");
                }
            });
        }
    }

    fn check_may_act_for(&self, building: &mut Building<'_>, parts: &ClientParts<'_>) {
        let impersonation = self.impersonation.as_ref();
        let Some(Names::These(ids)) = impersonation.map(|settings| &settings.may_act_for) else {
            return;
        };
        for (position, id) in ids.iter().enumerate() {
            // an issuer with invalid settings may be the one that is named
            let all_known = parts.listed_issuers == parts.issuers.len();
            let named = prefix(id, parts).is_some() || (!all_known && id.contains(':'));
            if !named && self.sole_issuer().is_none() {
                building.within(position, |b| {
                    b.findings.warn(
                        format!("{id:?} contains no issuer name"),
                        "several issuers are accepted, so user ids are <issuer name>:<sub>, and this one matches no user",
                        "write the issuer's name and a colon in front of it",
                    );
                });
            }
        }
    }
}

/// Returns the name of the trusted issuer before the colon in a user's id, if there is one.
fn prefix<'a>(id: &'a str, parts: &ClientParts<'_>) -> Option<&'a str> {
    let (name, _) = id.split_once(':')?;
    parts.issuers.contains(name).then_some(name)
}
