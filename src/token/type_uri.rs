//! Token type identifiers (RFC 8693 §3).

use std::fmt;

/// A token type identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenTypeUri {
    /// `urn:ietf:params:oauth:token-type:access_token`
    AccessToken,
    /// `urn:ietf:params:oauth:token-type:refresh_token`
    RefreshToken,
    /// `urn:ietf:params:oauth:token-type:id_token`
    IdToken,
    /// `urn:ietf:params:oauth:token-type:saml1`
    Saml1,
    /// `urn:ietf:params:oauth:token-type:saml2`
    Saml2,
    /// `urn:ietf:params:oauth:token-type:jwt`
    Jwt,
    /// `urn:zitadel:params:oauth:token-type:user_id`: not a token, but the id of a user in the directory.
    UserId,
}

impl TokenTypeUri {
    const ALL: [Self; 7] = [
        Self::AccessToken,
        Self::RefreshToken,
        Self::IdToken,
        Self::Saml1,
        Self::Saml2,
        Self::Jwt,
        Self::UserId,
    ];

    /// Parses an identifier, compared exactly.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|uri| uri.as_str() == text)
    }

    /// The identifier as it is sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "urn:ietf:params:oauth:token-type:access_token",
            Self::RefreshToken => "urn:ietf:params:oauth:token-type:refresh_token",
            Self::IdToken => "urn:ietf:params:oauth:token-type:id_token",
            Self::Saml1 => "urn:ietf:params:oauth:token-type:saml1",
            Self::Saml2 => "urn:ietf:params:oauth:token-type:saml2",
            Self::Jwt => "urn:ietf:params:oauth:token-type:jwt",
            Self::UserId => "urn:zitadel:params:oauth:token-type:user_id",
        }
    }
}

impl fmt::Display for TokenTypeUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_read_as_it_is_written_and_in_no_other_way() {
        for uri in TokenTypeUri::ALL {
            assert_eq!(TokenTypeUri::parse(uri.as_str()), Some(uri));
        }
        for text in [
            "",
            "access_token",
            "urn:ietf:params:oauth:token-type:ACCESS_TOKEN",
            "urn:ietf:params:oauth:token-type:access_token ",
            "urn:ietf:params:oauth:token-type:user_id",
        ] {
            assert_eq!(TokenTypeUri::parse(text), None, "{text:?}");
        }
    }
}
