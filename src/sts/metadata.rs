//! The metadata of the token service (RFC 8414 §2, OpenID Connect Discovery §3).

use super::{authentication, endpoint::Endpoint};
use crate::{jose::Algorithm, policy::Clients, verify::ClientMethod};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The URL of the gateway and the algorithms of its keys.
#[derive(Debug, Default, Clone)]
pub(super) struct About {
    /// The value of `iss`.
    pub(super) issuer: Box<str>,
    /// The algorithms of the published keys.
    pub(super) algorithms: Vec<&'static str>,
}

impl About {
    /// Returns the URL of `path` below the issuer.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer.trim_end_matches('/'))
    }

    /// Returns the metadata without endpoints. Response types and grant types are listed although they are empty,
    /// because the defaults of RFC 8414 §2 would promise more than the gateway offers.
    pub(super) fn document(&self, jwks_path: &str) -> Map<String, Value> {
        let document = json!({
            "issuer": &*self.issuer,
            "jwks_uri": self.url(jwks_path),
            "response_types_supported": [],
            "grant_types_supported": [],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": self.algorithms,
        });
        document.as_object().cloned().unwrap_or_default()
    }
}

/// What the token service offers to clients.
pub(super) struct Offered<'a> {
    /// The configured clients.
    pub(super) clients: &'a Clients,
    /// The grants that at least one client may use.
    pub(super) grants: Vec<&'static str>,
    /// `true` if there is a store for revocations.
    pub(super) revocation: bool,
}

impl Offered<'_> {
    /// Adds the endpoints to `document`, each with its authentication methods.
    pub(super) fn add_to(&self, document: &mut Map<String, Value>, about: &About) {
        let methods = authentication::methods(self.clients);
        let names: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
        let signs = methods.contains(&ClientMethod::PrivateKeyJwt);
        for endpoint in Endpoint::ALL {
            if *endpoint == Endpoint::Revoke && !self.revocation {
                continue;
            }
            let name = endpoint.metadata_name();
            document.insert(name.to_owned(), about.url(endpoint.path()).into());
            if *endpoint == Endpoint::Authorize {
                continue;
            }
            document.insert(format!("{name}_auth_methods_supported"), json!(names));
            if signs {
                let algorithms = Algorithm::ALL.map(Algorithm::as_str);
                let member = format!("{name}_auth_signing_alg_values_supported");
                document.insert(member, json!(algorithms));
            }
            if *endpoint == Endpoint::Introspect {
                // RFC 9701 §7: without this member, clients expect RS256
                let member = "introspection_signing_alg_values_supported".to_owned();
                document.insert(member, json!(about.algorithms));
            }
        }
        document.insert("scopes_supported".to_owned(), json!(self.scopes()));
        document.insert("grant_types_supported".to_owned(), json!(self.grants));
    }

    /// Returns all scopes that clients which can authenticate may get, each once, in alphabetical order.
    fn scopes(&self) -> BTreeSet<&str> {
        let callers = self.clients.iter();
        let callers = callers.filter(|client| client.authenticator().is_some());
        callers
            .flat_map(|client| client.scope_ceiling().iter())
            .collect()
    }
}
