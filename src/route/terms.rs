//! What a route lets cross, or adds, beyond what every route does: cookies and header fields, each way.
//!
//! What enters are `routes[].request` and `routes[].response`; what leaves is absent on routes that say nothing. The
//! fields are checked here, so that none can bring back what is stripped: a credential, or a message's framing.

mod names;
mod settings;

pub use settings::{
    HeaderValueSettings, HeadersSettings, RequestSettings, ResponseSettings, SetHeaderSettings,
};

use super::Cors;
use http::{HeaderName, HeaderValue};

/// What crosses to the downstream, or is added, on one route.
#[derive(Debug, Clone)]
pub struct RequestTerms {
    cookies: Vec<Box<[u8]>>,
    pass: Vec<HeaderName>,
    remove: Vec<HeaderName>,
    set: Vec<(HeaderName, HeaderValue)>,
}

/// What crosses to the client, or is added, on one route.
#[derive(Debug, Clone)]
pub struct ResponseTerms {
    pub(super) cors: Option<Cors>,
    pass: Vec<HeaderName>,
}

impl RequestTerms {
    /// Whether a cookie of this name passes; names are compared exactly (RFC 6265 §5.3).
    pub fn passes_cookie(&self, name: &[u8]) -> bool {
        self.cookies.iter().any(|passing| **passing == *name)
    }

    /// Whether any cookie passes.
    pub fn passes_cookies(&self) -> bool {
        !self.cookies.is_empty()
    }

    /// Fields with an underscore in their name that cross all the same.
    pub fn passed(&self) -> &[HeaderName] {
        &self.pass
    }

    /// Fields that do not cross, under each spelling that is read as the one that is named or set.
    pub fn removed(&self) -> &[HeaderName] {
        &self.remove
    }

    /// Fields of the operator's own.
    pub fn set(&self) -> &[(HeaderName, HeaderValue)] {
        &self.set
    }
}

impl ResponseTerms {
    /// The CORS rules, if there are any.
    pub fn cors(&self) -> Option<&Cors> {
        self.cors.as_ref()
    }

    /// Fields that cross although they are dropped by default.
    pub fn passed(&self) -> &[HeaderName] {
        &self.pass
    }
}
