//! The changes that one route makes to cookies and header fields of requests and responses.
//!
//! They come from `routes[].request` and `routes[].response`. A route without such settings has none. The names are
//! checked here, so that no setting can restore a field that must be removed, such as a credential or message framing.

mod names;
mod settings;
mod value;

pub use settings::{HeadersSettings, RequestSettings, ResponseSettings, SetHeaderSettings};
pub use value::HeaderValueSettings;

use super::Cors;
use http::{HeaderName, HeaderValue};

/// The changes to requests of one route.
#[derive(Debug, Clone)]
pub struct RequestRules {
    cookies: Vec<Box<[u8]>>,
    pass: Vec<HeaderName>,
    remove: Vec<HeaderName>,
    set: Vec<(HeaderName, HeaderValue)>,
}

/// The changes to responses of one route.
#[derive(Debug, Clone)]
pub struct ResponseRules {
    pub(super) cors: Option<Cors>,
    pass: Vec<HeaderName>,
}

impl RequestRules {
    /// Returns `true` if a cookie with this name is forwarded. Names are compared exactly (RFC 6265 §5.3).
    pub fn passes_cookie(&self, name: &[u8]) -> bool {
        self.cookies.iter().any(|passing| **passing == *name)
    }

    /// Returns `true` if any cookies are forwarded.
    pub fn passes_cookies(&self) -> bool {
        !self.cookies.is_empty()
    }

    /// Fields with an underscore in their name that are forwarded anyway.
    pub fn passed(&self) -> &[HeaderName] {
        &self.pass
    }

    /// Fields that are removed, in all spellings that a server could take for a removed or set field.
    pub fn removed(&self) -> &[HeaderName] {
        &self.remove
    }

    /// Fields that the operator sets.
    pub fn set(&self) -> &[(HeaderName, HeaderValue)] {
        &self.set
    }
}

impl ResponseRules {
    /// The CORS rules, if any.
    pub fn cors(&self) -> Option<&Cors> {
        self.cors.as_ref()
    }

    /// Fields that are returned although they are removed by default.
    pub fn passed(&self) -> &[HeaderName] {
        &self.pass
    }
}
