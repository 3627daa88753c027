//! The web origins whose scripts may call a route and read its responses (the CORS protocol of the Fetch standard).
//!
//! The header fields are made from `routes[].cors` when the configuration is loaded. They do not keep out any request:
//! browsers enforce CORS if the fields are missing. Credentials that a browser adds by itself are never allowed,
//! because an application presents its token itself.

mod settings;

pub use settings::CorsSettings;

use http::{HeaderName, HeaderValue, header};

/// A route's CORS rules, as header fields.
#[derive(Debug, Clone)]
pub struct Cors {
    origins: Origins,
    preflight: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Debug, Clone)]
enum Origins {
    Any,
    Listed(Box<[HeaderValue]>),
}

/// The sender of a response that a script may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// The gateway itself.
    Gateway,
    /// The upstream.
    Upstream,
}

/// A header field to add.
type Field = (HeaderName, HeaderValue);

/// The header fields that a script needs to understand a refusal.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("WWW-Authenticate, X-Request-Id, Retry-After");

impl Cors {
    /// Returns the fields for a response to a request from `origin`.
    ///
    /// If the origin is not allowed, the only field is `Vary`, which is added to the response's own.
    pub fn fields(&self, origin: Option<&HeaderValue>, speaker: Speaker) -> Vec<Field> {
        let mut fields = self.allowed(origin);
        if fields.iter().any(is_permission) {
            // a star exposes every field to requests without credentials (Fetch, 3.3.3), and only those are allowed
            // here
            let exposed = match speaker {
                Speaker::Gateway => EXPOSED,
                Speaker::Upstream => HeaderValue::from_static("*"),
            };
            fields.push((header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed));
        }
        fields
    }

    /// Returns the fields for the response to a preflight request from `origin`.
    pub fn preflight(&self, origin: Option<&HeaderValue>) -> Vec<Field> {
        let mut fields = self.allowed(origin);
        if fields.iter().any(is_permission) {
            fields.extend(self.preflight.iter().cloned());
        }
        fields
    }

    fn allowed(&self, origin: Option<&HeaderValue>) -> Vec<Field> {
        match &self.origins {
            Origins::Any => vec![permission(HeaderValue::from_static("*"))],
            Origins::Listed(origins) => {
                // without it, a shared cache could return one origin's response to another (Fetch, 3.3.5)
                let vary = (header::VARY, HeaderValue::from_static("Origin"));
                let known = origins.iter().find(|known| Some(*known) == origin);
                known
                    .map(|known| permission(known.clone()))
                    .into_iter()
                    .chain([vary])
                    .collect()
            }
        }
    }
}

fn permission(origins: HeaderValue) -> Field {
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, origins)
}

fn is_permission((name, _): &Field) -> bool {
    name == header::ACCESS_CONTROL_ALLOW_ORIGIN
}
