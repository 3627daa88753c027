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

/// How the `sub` of an issued token came about, and whether it stands for an application alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provenance {
    /// How `sub` was written.
    pub naming: Naming,
    /// Whether the subject token was an application's own, without a user.
    pub app_only: bool,
}

impl Provenance {
    /// Every provenance with its mark.
    const MARKS: [(&'static str, Naming, bool); 6] = [
        ("s", Naming::Same, false),
        ("q", Naming::Qualified, false),
        ("p", Naming::Pairwise, false),
        ("sa", Naming::Same, true),
        ("qa", Naming::Qualified, true),
        ("pa", Naming::Pairwise, true),
    ];

    /// The `jti` of a token with this provenance: the mark, a dot, and `random`, which makes it one of its kind.
    pub fn token_id(self, random: &str) -> String {
        let mark = Self::MARKS
            .iter()
            .find(|(_, naming, app_only)| (*naming, *app_only) == (self.naming, self.app_only))
            .map_or("", |(mark, _, _)| mark);
        format!("{mark}.{random}")
    }

    /// Reads a `jti` of the gateway's own; none where it has no mark that is known.
    pub fn of_token_id(id: &str) -> Option<Self> {
        let (found, _) = id.split_once('.')?;
        Self::MARKS
            .iter()
            .find(|(mark, _, _)| *mark == found)
            .map(|&(_, naming, app_only)| Self { naming, app_only })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_id_says_what_was_put_into_it_and_others_say_nothing() {
        for (_, naming, app_only) in Provenance::MARKS {
            let provenance = Provenance { naming, app_only };
            let id = provenance.token_id("a.b");
            assert_eq!(Provenance::of_token_id(&id), Some(provenance), "{id}");
        }
        for id in ["", "q", ".x", "x.y", "Q.x", "qb.x", "aq.x"] {
            assert_eq!(Provenance::of_token_id(id), None, "{id}");
        }
    }
}
