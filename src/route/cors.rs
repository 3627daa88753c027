//! Which other origins' scripts may call a route and read its answers (the CORS protocol of the Fetch standard).
//!
//! What enters is `routes[].cors`; what leaves are header fields, made when the configuration is loaded. Nothing here
//! keeps a request out: a browser does, when the fields are missing. Credentials that a browser adds by itself are never
//! allowed for: an application presents its token itself.

mod settings;

pub use settings::CorsSettings;

use http::{HeaderName, HeaderValue, header};

/// A route's CORS rules, as the fields that state them.
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

/// Whose answer it is that a script may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// The gateway itself.
    Gateway,
    /// The downstream API.
    Downstream,
}

/// A header field that is to be added.
type Field = (HeaderName, HeaderValue);

/// What a script needs to make sense of a refusal.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("WWW-Authenticate, X-Request-Id, Retry-After");

impl Cors {
    /// The fields of an answer to a request from `origin`.
    ///
    /// Where the origin is not among those allowed, there is nothing but `Vary`, which is added to the answer's own.
    pub fn fields(&self, origin: Option<&HeaderValue>, speaker: Speaker) -> Vec<Field> {
        let mut fields = self.allowed(origin);
        if fields.iter().any(is_permission) {
            // a star exposes every field to a request without credentials (Fetch, 3.3.3), and there are no others here
            let exposed = match speaker {
                Speaker::Gateway => EXPOSED,
                Speaker::Downstream => HeaderValue::from_static("*"),
            };
            fields.push((header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed));
        }
        fields
    }

    /// The fields of the answer to a preflight request from `origin`.
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
                // without it a shared cache would give one origin's answer to another (Fetch, 3.3.5)
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
