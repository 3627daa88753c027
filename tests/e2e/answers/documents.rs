//! The gateway's own documents.

use crate::e2e::support::{Ask, Lab, lab::GATEWAY_ISSUER};

const METADATA: [&str; 2] = [
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
];

#[tokio::test]
async fn metadata_names_the_issuer_and_where_its_keys_are_and_nothing_that_does_not_answer() {
    let lab = Lab::start().await;
    for path in METADATA {
        let answer = lab.ask(Ask::get(path).host("anything.example")).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.field("content-type"), Some("application/json"));
        assert_eq!(answer.field("cache-control"), Some("public, max-age=300"));
        assert_eq!(answer.field("pragma"), None);
        let metadata = answer.json();
        assert_eq!(metadata["issuer"], GATEWAY_ISSUER);
        assert_eq!(
            metadata["jwks_uri"],
            format!("{GATEWAY_ISSUER}/oauth/v2/keys")
        );
        for absent in [
            "token_endpoint",
            "introspection_endpoint",
            "revocation_endpoint",
        ] {
            assert!(metadata.get(absent).is_none(), "{absent}");
        }
    }
}

#[tokio::test]
async fn keys_are_public_and_no_private_number_is_among_them() {
    let lab = Lab::start().await;
    let answer = lab.ask(Ask::get("/oauth/v2/keys")).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.field("content-type"),
        Some("application/jwk-set+json")
    );
    assert_eq!(answer.field("cache-control"), Some("public, max-age=300"));
    let keys = answer.json();
    let keys = keys["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0]["alg"], "ES256");
    for private in ["d", "p", "q", "k"] {
        assert!(keys[0].get(private).is_none(), "{private}");
    }
}

#[tokio::test]
async fn documents_are_read_only_and_a_token_sent_to_them_goes_nowhere() {
    let lab = Lab::start().await;
    for path in METADATA.into_iter().chain(["/oauth/v2/keys"]) {
        let answer = lab.ask(Ask::post(path, "x=1").bearer(&lab.token())).await;
        assert_eq!(answer.status(), 405);
        assert_eq!(answer.field("allow"), Some("GET, HEAD"));
        assert_eq!(answer.field("cache-control"), Some("no-store"));
        let answer = lab.ask(Ask::new("HEAD", path)).await;
        assert_eq!((answer.status(), answer.body.len()), (200, 0));
    }
    super::assert_untouched(&lab);
}
