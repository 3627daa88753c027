//! What the token service says of itself (RFC 8414 §2, OpenID Connect Discovery §3).

use super::{authentication::ClientAuthenticators, endpoint::Endpoint};
use crate::{jose::Algorithm, verify::ClientMethod};
use serde_json::{Map, Value, json};

/// The names of the gateway, and what it signs with.
#[derive(Debug, Default, Clone)]
pub(super) struct About {
    /// `iss`.
    pub(super) issuer: Box<str>,
    /// Of the published keys.
    pub(super) algorithms: Vec<&'static str>,
}

impl About {
    /// The URL of what stands at `path` below the issuer.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer.trim_end_matches('/'))
    }

    /// The document where nobody can call an endpoint. RFC 8414 §2: what is named has defaults that would promise more
    /// than answers.
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

/// Adds the endpoints to `document`, each with how `clients` authenticate there.
pub(super) fn offer(
    document: &mut Map<String, Value>,
    about: &About,
    clients: &ClientAuthenticators,
    endpoints: impl Iterator<Item = Endpoint>,
) {
    let methods = clients.methods();
    let names: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
    let signs = methods.contains(&ClientMethod::PrivateKeyJwt);
    for endpoint in endpoints {
        let name = endpoint.metadata_name();
        document.insert(name.to_owned(), about.url(endpoint.path()).into());
        if endpoint == Endpoint::Authorize {
            continue;
        }
        document.insert(format!("{name}_auth_methods_supported"), json!(names));
        if signs {
            let algorithms = Algorithm::ALL.map(Algorithm::as_str);
            let member = format!("{name}_auth_signing_alg_values_supported");
            document.insert(member, json!(algorithms));
        }
        if endpoint == Endpoint::Introspect {
            // RFC 9701 §7; without it clients expect RS256
            let member = "introspection_signing_alg_values_supported".to_owned();
            document.insert(member, json!(about.algorithms));
        }
    }
}
