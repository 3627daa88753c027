//! A mark in each issued token that records how its subject was derived. Only the gateway uses it.
//!
//! A token that the gateway issued may be presented to it again. Its `sub` alone is ambiguous: `corp:alice` is the user
//! `alice` of `corp` if the route is `qualified`, but a user whom a provider calls `corp:alice` if the route is `same`.
//! The first letters of the `jti` resolve this. They are signed, need no additional claim, and tell an upstream nothing
//! new.

/// How the `sub` of an issued token was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// Unchanged, as the subject's issuer writes it.
    Same,
    /// With the issuer's name as a prefix.
    Qualified,
    /// As a pseudonym for one audience.
    Pairwise,
}

impl Naming {
    /// The name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Qualified => "qualified",
            Self::Pairwise => "pairwise",
        }
    }
}

/// How the `sub` of an issued token was derived, and the restrictions on further use of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provenance {
    /// How `sub` was written.
    pub naming: Naming,
    /// `true` if the subject token was an application's own, without a user.
    pub app_only: bool,
    /// `true` if the token was issued for an impersonation. Such a token, and every token derived from it, is never
    /// accepted as an actor token.
    pub impersonated: bool,
}

impl Provenance {
    /// The letter of each naming. The letters of the other fields follow in this order: `a`, `i`.
    const NAMINGS: [(&'static str, Naming); 3] = [
        ("s", Naming::Same),
        ("q", Naming::Qualified),
        ("p", Naming::Pairwise),
    ];

    /// Returns the `jti` of a token with this provenance: the mark, a dot, and `random`, which makes it unique.
    pub fn token_id(self, random: &str) -> String {
        let naming = Self::NAMINGS
            .into_iter()
            .find(|(_, naming)| *naming == self.naming)
            .map_or("", |(letter, _)| letter);
        let app_only = if self.app_only { "a" } else { "" };
        let impersonated = if self.impersonated { "i" } else { "" };
        format!("{naming}{app_only}{impersonated}.{random}")
    }

    /// Parses a `jti` of the gateway. Returns `None` if it has no known mark.
    pub fn of_token_id(id: &str) -> Option<Self> {
        let (mark, _) = id.split_once('.')?;
        let (naming, rest) = Self::NAMINGS
            .into_iter()
            .find_map(|(letter, naming)| Some((naming, mark.strip_prefix(letter)?)))?;
        let (app_only, impersonated) = match rest {
            "" => (false, false),
            "a" => (true, false),
            "i" => (false, true),
            "ai" => (true, true),
            _ => return None,
        };
        Some(Self {
            naming,
            app_only,
            impersonated,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_id_says_what_was_put_into_it_and_others_say_nothing() {
        for (_, naming) in Provenance::NAMINGS {
            for (app_only, impersonated) in
                [(false, false), (true, false), (false, true), (true, true)]
            {
                let provenance = Provenance {
                    naming,
                    app_only,
                    impersonated,
                };
                let id = provenance.token_id("a.b");
                assert_eq!(Provenance::of_token_id(&id), Some(provenance), "{id}");
            }
        }
        for id in [
            "", "q", ".x", "x.y", "Q.x", "qb.x", "aq.x", "ia.x", "qia.x", "qii.x",
        ] {
            assert_eq!(Provenance::of_token_id(id), None, "{id}");
        }
    }
}
