//! What an issued token says about its own subject, to the gateway alone.
//!
//! A token that the gateway issued may be presented to it again. Its `sub` does not tell how it came about: `corp:alice`
//! is Alice of `corp` where the route writes `qualified`, and somebody whom a provider calls so where it writes `same`.
//! So the first letters of the `jti` say it: they are signed, they need no further claim, and they tell a downstream
//! nothing that it does not see.

/// How the `sub` of an issued token was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// As the subject's issuer writes it.
    Same,
    /// With the issuer's name in front.
    Qualified,
    /// As a pseudonym for one audience.
    Pairwise,
}

impl Naming {
    /// As the configuration calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Qualified => "qualified",
            Self::Pairwise => "pairwise",
        }
    }
}

/// How the `sub` of an issued token came about, and for what the token must not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provenance {
    /// How `sub` was written.
    pub naming: Naming,
    /// Whether the subject token was an application's own, without a user.
    pub app_only: bool,
    /// Whether somebody got it in another's place by permission; such a token never is an actor's, and neither is one
    /// that was derived from it.
    pub impersonated: bool,
}

impl Provenance {
    /// The letter of each naming; those of the rest follow it in this order: `a`, `i`.
    const NAMINGS: [(&'static str, Naming); 3] = [
        ("s", Naming::Same),
        ("q", Naming::Qualified),
        ("p", Naming::Pairwise),
    ];

    /// The `jti` of a token with this provenance: the mark, a dot, and `random`, which makes it one of its kind.
    pub fn token_id(self, random: &str) -> String {
        let naming = Self::NAMINGS
            .into_iter()
            .find(|(_, naming)| *naming == self.naming)
            .map_or("", |(letter, _)| letter);
        let app_only = if self.app_only { "a" } else { "" };
        let impersonated = if self.impersonated { "i" } else { "" };
        format!("{naming}{app_only}{impersonated}.{random}")
    }

    /// Reads a `jti` of the gateway's own; none where it has no mark that is known.
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
