//! The metadata of the token service.

use super::Service;
use crate::e2e::support::{Ask, Lab, lab::GATEWAY_ISSUER};
use serde_json::Value;

const PATHS: [&str; 2] = [
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
];

#[tokio::test]
async fn metadata_names_the_endpoints_and_how_clients_authenticate_there() {
    let service = Service::start().await;
    for path in PATHS {
        let metadata = service.lab.ask(Ask::get(path)).await.json();
        let url = |path: &str| Value::from(format!("{GATEWAY_ISSUER}{path}"));
        assert_eq!(metadata["issuer"], GATEWAY_ISSUER);
        assert_eq!(metadata["token_endpoint"], url("/oauth/v2/token"));
        assert_eq!(
            metadata["authorization_endpoint"],
            url("/oauth/v2/authorize")
        );
        assert_eq!(
            metadata["response_types_supported"],
            Value::Array(Vec::new())
        );
        let methods = [
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
            "none",
        ];
        assert_eq!(
            metadata["token_endpoint_auth_methods_supported"],
            Value::from(methods.to_vec())
        );
        let algorithms = metadata["token_endpoint_auth_signing_alg_values_supported"].as_array();
        let algorithms = algorithms.unwrap();
        assert!(algorithms.contains(&"ES256".into()) && !algorithms.contains(&"none".into()));
        assert!(!algorithms.contains(&"HS256".into()));
    }
}

#[tokio::test]
async fn without_a_client_that_can_authenticate_there_is_no_endpoint() {
    let lab = Lab::start().await;
    for path in ["/oauth/v2/token", "/oauth/v2/authorize"] {
        assert_eq!(lab.ask(Ask::post(path, "x=1")).await.status(), 404);
    }
    let metadata = lab.ask(Ask::get(PATHS[0])).await.json();
    assert!(metadata.get("token_endpoint").is_none());
    assert!(metadata.get("authorization_endpoint").is_none());
}
