//! The subject of a token, for logs.

/// The subject of a genuine token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The issuer's name in the configuration.
    pub issuer: Box<str>,
    /// The subject, as the issuer names it. `None` if the token has no readable subject.
    pub subject: Option<Box<str>>,
    /// The application that the token was issued to, if the token names it.
    pub client_id: Option<Box<str>>,
}
