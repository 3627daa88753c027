//! A model of the expected result of a case, written from the specification.

use super::case::{Case, Ceiling, Hop, Operation, Subject};
use crate::properties::{
    subject::{GATEWAY, NOW},
    world::{NAMES, ROLES},
};
use std::collections::BTreeSet;

type Scopes = BTreeSet<&'static str>;

/// The state of a token between two hops.
#[derive(Debug, Clone)]
pub struct Held {
    pub issuer: usize,
    pub sub: String,
    /// The subject in the last token; `None` if it is the provider's own name.
    pub named: Option<(&'static str, &'static str)>,
    pub client: Option<&'static str>,
    pub scopes: Scopes,
    pub actors: usize,
    pub expires_at: i64,
}

impl Case {
    /// Returns the scopes of the last token, or `None` if a hop must refuse.
    pub fn expected(&self) -> Option<Held> {
        let mut held = self.subject.held();
        for (position, hop) in self.hops.iter().enumerate() {
            held = self.after(hop, self.audience(position), held)?;
        }
        Some(held)
    }

    fn after(&self, hop: &Hop, audience: &'static str, held: Held) -> Option<Held> {
        let traceable = match held.named {
            None | Some(("qualified", _)) => hop.accepts.contains(&held.issuer),
            Some(("same", _)) => self.sole,
            // a pseudonym is only valid for its audience
            Some((_, known_to)) => hop.naming == "pairwise" && known_to == audience,
        };
        let app_only = held.client == Some(held.sub.as_str());
        let ceiling = self.ceilings.iter().find(|c| Some(c.client) == held.client);
        let operation = hop.operation();
        let usable: Scopes = hop
            .mapped(&held.scopes)
            .into_iter()
            .filter(|scope| ceiling.is_none_or(|ceiling| ceiling.leaves(scope, hop)))
            .collect();
        let requested: Scopes = match operation {
            Some(operation) => operation.scope.iter().copied().collect(),
            None => hop.allow.iter().copied().collect(),
        };
        let further = operation.iter().flat_map(|operation| &operation.require);
        let mut required: Scopes = hop.require.iter().chain(further).copied().collect();
        if hop.refuses_excess {
            required.extend(&requested);
        }
        let scopes: Scopes = requested.intersection(&usable).copied().collect();
        let actors = held.actors + usize::from(hop.names_gateway);
        let granted = traceable
            && (hop.any_subject || !app_only)
            && (hop.operations.is_empty() || operation.is_some())
            && required.is_subset(&usable)
            && (!scopes.is_empty() || hop.allow.is_empty())
            && actors <= hop.max_depth;
        let lifetime = ceiling.map_or(hop.lifetime, |ceiling| ceiling.lifetime.min(hop.lifetime));
        granted.then(|| Held {
            named: Some((hop.naming, audience)),
            scopes,
            actors,
            expires_at: held.expires_at.min(NOW.as_secs() + lifetime),
            ..held
        })
    }
}

impl Held {
    /// Returns the `sub` of the last token, or `None` if it is a pseudonym.
    pub fn name(&self) -> Option<String> {
        match self.named {
            Some(("qualified", _)) => Some(format!("{}:{}", NAMES[self.issuer], self.sub)),
            Some(("same", _)) => Some(self.sub.clone()),
            _ => None,
        }
    }
}

impl Subject {
    fn held(&self) -> Held {
        let granted = ROLES
            .iter()
            .filter(|(role, _)| self.roles.contains(role))
            .flat_map(|(_, scopes)| scopes.iter().copied());
        Held {
            issuer: self.issuer,
            sub: self.sub.clone(),
            named: None,
            client: self.client,
            scopes: self.said.iter().copied().chain(granted).collect(),
            actors: 0,
            expires_at: NOW.as_secs() + self.life,
        }
    }
}

impl Hop {
    fn mapped(&self, held: &Scopes) -> Scopes {
        let mut mapped = Scopes::new();
        for scope in held {
            match self.map.iter().find(|(name, _)| name == scope) {
                Some((_, by)) => mapped.extend(by),
                None => mapped.extend([scope]),
            }
        }
        mapped
    }

    /// Returns the operation with the longest prefix that matches the request; one with methods takes precedence.
    pub fn operation(&self) -> Option<&Operation> {
        let serves = |operation: &&Operation| {
            let prefix = operation.prefix.unwrap_or("");
            let segments = |path: &'static str| {
                let path = path.trim_end_matches('/').split('/').skip(1);
                path.collect::<Vec<_>>()
            };
            let below = segments(self.rest).starts_with(&segments(prefix));
            below && (operation.methods.is_empty() || operation.methods.contains(&self.method))
        };
        let rank = |operation: &&Operation| {
            (
                operation.prefix.map_or(0, str::len),
                !operation.methods.is_empty(),
            )
        };
        self.operations.iter().filter(serves).max_by_key(rank)
    }
}

impl Ceiling {
    /// Returns `true` if the client may use this scope of the subject.
    fn leaves(&self, scope: &str, hop: &Hop) -> bool {
        let users = |rule: Option<&str>| rule.is_some_and(|prefix| scope.starts_with(prefix));
        self.allow.contains(&scope) || (users(hop.user_only) && users(self.user_only))
    }
}

/// Returns the expected `client_id`: the gateway's own name if the token has no client.
pub fn client(held: &Held) -> &str {
    held.client.unwrap_or(crate::properties::world::ACTOR)
}

/// Returns the depth of an `act` claim, or `None` if a level does not name the gateway.
pub fn depth(act: Option<&serde_json::Value>) -> Option<usize> {
    let Some(act) = act else { return Some(0) };
    let is_gateway = act["iss"] == GATEWAY && act["sub"] == crate::properties::world::ACTOR;
    is_gateway
        .then(|| depth(act.get("act")))?
        .map(|below| below + 1)
}
