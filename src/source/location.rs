//! Where a request presents its credential.

use super::{Bearer, SourceError, authorization};
use http::{HeaderMap, HeaderName, header};

/// Where the requests of a route present their token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Source {
    /// The Authorization field with the scheme Bearer (RFC 6750 §2.1).
    #[default]
    Authorization,
}

/// The one credential of a request.
#[derive(Debug, Clone, Copy)]
pub struct Credential<'a> {
    /// How the request presents it.
    pub scheme: Scheme,
    /// The token, as it is in the head.
    pub token: Bearer<'a>,
}

/// An authentication scheme (RFC 9110 §11.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// RFC 6750.
    Bearer,
}

static AUTHORIZATION: [HeaderName; 1] = [header::AUTHORIZATION];

impl Source {
    /// Finds the credential in the fields and the query of a request. A token may have at most `limit` bytes.
    ///
    /// # Errors
    /// [`SourceError`]. The request must then be refused, regardless of its other content.
    pub fn find<'a>(
        self,
        fields: &'a HeaderMap,
        query: Option<&str>,
        limit: usize,
    ) -> Result<Credential<'a>, SourceError> {
        match self {
            Self::Authorization => {
                let token = authorization::bearer(fields, query, limit)?;
                Ok(Credential {
                    scheme: Scheme::Bearer,
                    token,
                })
            }
        }
    }

    /// The fields that it reads. The upstream gets none of them from the client.
    pub fn fields(self) -> &'static [HeaderName] {
        match self {
            Self::Authorization => &AUTHORIZATION,
        }
    }
}
