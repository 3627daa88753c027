use super::*;
use crate::{
    clock::{Clock, ManualClock, SharedClock},
    egress::Egress,
    jose::{Algorithm, SigningKey},
    settings::{BaseDir, Building, Effects, Finding, Findings},
    verify::testing::{NOW, clock, jwks, key},
};
use serde_json::{Value, json};
use std::{fs::Permissions, os::unix::fs::PermissionsExt, path::Path, time::Duration};
use tempfile::TempDir;
use tokio::runtime::Handle;

const ISSUER: &str = "https://gateway.example.com";
const ENDPOINT: &str = "https://gateway.example.com/oauth/v2/token";
const SECRET: &str = "a secret of sixteen bytes or more";

fn build(settings: Value, folder: &Path) -> (Option<ClientAuthenticator>, Vec<Finding>) {
    let secret = folder.join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    std::fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    let settings: ClientAuthenticationSettings = serde_json::from_value(settings).unwrap();
    let mut findings = Findings::default();
    let mut building = Building {
        base: &BaseDir::of_file(&folder.join("gateway.yaml")),
        effects: Effects::None,
        findings: &mut findings,
    };
    let shared: SharedClock = clock();
    let egress = Egress::new(Handle::current());
    let authenticator = settings.build("portal", &mut building, &shared, &egress);
    (authenticator, findings.into_vec())
}

fn with_secret(method: &str) -> ClientAuthenticator {
    let folder = TempDir::new().unwrap();
    let settings = json!({ "method": method, "secret": { "file": "secret" } });
    build(settings, folder.path()).0.unwrap()
}

/// A client with a key, and the state that its assertions are checked with.
struct Signing {
    authenticator: ClientAuthenticator,
    key: SigningKey,
    once: OnceOnly,
    clock: Arc<ManualClock>,
    audiences: [Box<str>; 2],
}

impl Signing {
    fn new(alg: Algorithm) -> Self {
        Self::reusing(alg, AssertionReuse::SingleUse)
    }

    fn reusing(alg: Algorithm, reuse: AssertionReuse) -> Self {
        let folder = TempDir::new().unwrap();
        let key = key(alg);
        std::fs::write(folder.path().join("jwks.json"), jwks(&[&key])).unwrap();
        let reuse = match reuse {
            AssertionReuse::SingleUse => "single_use",
            AssertionReuse::UntilExpiry => "until_expiry",
        };
        let settings = json!({
            "method": "private_key_jwt", "jwks_file": "jwks.json", "assertion_reuse": reuse,
        });
        let clock = clock();
        Self {
            authenticator: build(settings, folder.path()).0.unwrap(),
            key,
            once: OnceOnly::in_memory(16),
            clock,
            audiences: [ISSUER.into(), ENDPOINT.into()],
        }
    }

    /// Returns the result for an assertion with `changes`. A null removes a claim.
    async fn ends(&self, typ: &str, changes: Value) -> Result<(), ClientError> {
        let mut claims = json!({
            "iss": "portal",
            "sub": "portal",
            "aud": ISSUER,
            "exp": NOW.as_secs() + 300,
            "iat": NOW.as_secs(),
            "jti": "1",
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
            .as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        let token = self.key.sign(typ, claims.as_object().unwrap()).unwrap();
        self.prove(&RawToken::from(token)).await
    }

    async fn prove(&self, token: &RawToken) -> Result<(), ClientError> {
        let terms = ProofTerms {
            audiences: &self.audiences,
            once: &self.once,
            now: self.clock.now(),
        };
        let presented = PresentedClient::Assertion(token);
        let proven = self.authenticator.prove(presented, terms).await?;
        assert_eq!(proven.id(), "portal");
        assert_eq!(proven.method(), ClientMethod::PrivateKeyJwt);
        Ok(())
    }
}

async fn prove(
    authenticator: &ClientAuthenticator,
    presented: PresentedClient<'_>,
) -> Result<ClientMethod, ClientError> {
    let once = OnceOnly::in_memory(16);
    let terms = ProofTerms {
        audiences: &[],
        once: &once,
        now: NOW,
    };
    let proven = authenticator.prove(presented, terms).await;
    proven.map(|proven| proven.method())
}

#[tokio::test]
async fn a_secret_counts_in_the_place_that_is_the_clients_and_in_no_other() {
    let (basic, post) = (
        with_secret("client_secret_basic"),
        with_secret("client_secret_post"),
    );
    let secret = SECRET.as_bytes();
    assert_eq!(
        prove(&basic, PresentedClient::Basic(&[secret])).await,
        Ok(ClientMethod::ClientSecretBasic)
    );
    assert_eq!(
        prove(&post, PresentedClient::Post(secret)).await,
        Ok(ClientMethod::ClientSecretPost)
    );
    for (client, presented) in [
        (&basic, PresentedClient::Post(secret)),
        (&post, PresentedClient::Basic(&[secret])),
        (&basic, PresentedClient::Bare(None)),
        (&post, PresentedClient::Bare(Some(b"certificate"))),
    ] {
        let configured = client.method();
        assert_eq!(
            prove(client, presented).await,
            Err(ClientError::OtherMethod { configured })
        );
    }
}

#[tokio::test]
async fn another_secret_is_refused_in_every_reading() {
    let basic = with_secret("client_secret_basic");
    let secret = SECRET.as_bytes();
    assert!(
        prove(&basic, PresentedClient::Basic(&[b"x", secret]))
            .await
            .is_ok()
    );
    assert!(
        prove(&basic, PresentedClient::Basic(&[secret, b"x"]))
            .await
            .is_ok()
    );
    for readings in [&[][..], &[&b""[..]], &[&b"x"[..], b"y"]] {
        assert_eq!(
            prove(&basic, PresentedClient::Basic(readings)).await,
            Err(ClientError::Secret)
        );
    }
}

#[tokio::test]
async fn an_assertion_proves_its_client_with_any_key_that_signs() {
    for alg in [Algorithm::ES256, Algorithm::EdDSA, Algorithm::PS256] {
        let client = Signing::new(alg);
        assert_eq!(client.ends("JWT", json!({})).await, Ok(()));
        let list = json!({ "aud": [ISSUER, ENDPOINT], "jti": "2", "iat": null });
        assert_eq!(
            client
                .ends("application/client-authentication+jwt", list)
                .await,
            Ok(())
        );
        let endpoint = json!({ "aud": ENDPOINT, "jti": "3" });
        assert_eq!(client.ends("JWT", endpoint).await, Ok(()));
    }
}

#[tokio::test]
async fn an_assertion_that_says_anything_else_is_refused() {
    let client = Signing::new(Algorithm::ES256);
    let now = NOW.as_secs();
    let missing = |name| AssertionError::Claims(crate::token::ClaimsError::Missing(name));
    for (changes, error) in [
        (json!({ "iss": "other" }), AssertionError::Issuer),
        (json!({ "sub": "other" }), AssertionError::Subject),
        (json!({ "sub": "" }), AssertionError::Subject),
        (
            json!({ "aud": "https://other.example" }),
            AssertionError::Audience,
        ),
        (
            json!({ "aud": [ISSUER, "https://other.example"] }),
            AssertionError::Audience,
        ),
        (json!({ "aud": [] }), AssertionError::Audience),
        (json!({ "aud": null }), AssertionError::Audience),
        (
            json!({ "aud": format!("{ISSUER}/") }),
            AssertionError::Audience,
        ),
        (json!({ "exp": null }), missing("exp")),
        (json!({ "iss": null }), missing("iss")),
        (json!({ "sub": null }), missing("sub")),
        (json!({ "exp": now }), AssertionError::Expired),
        (json!({ "exp": now + 3_601 }), AssertionError::LivesTooLong),
        (json!({ "iat": now - 3_400 }), AssertionError::LivesTooLong),
        (json!({ "iat": now + 31 }), AssertionError::NotYetValid),
        (json!({ "nbf": now + 31 }), AssertionError::NotYetValid),
    ] {
        let ended = client.ends("JWT", changes.clone()).await;
        assert_eq!(ended, Err(ClientError::Assertion(error)), "{changes}");
    }
    for typ in [
        "at+jwt",
        "id_token+jwt",
        "dpop+jwt",
        "token-introspection+jwt",
        "",
    ] {
        let ended = client.ends(typ, json!({})).await;
        assert_eq!(
            ended,
            Err(ClientError::Assertion(AssertionError::Type)),
            "{typ}"
        );
    }
    // the failed attempts did not use up the identifier
    assert_eq!(client.ends("JWT", json!({})).await, Ok(()));
}

#[tokio::test]
async fn an_assertion_is_taken_once() {
    let client = Signing::new(Algorithm::ES256);
    assert_eq!(client.ends("JWT", json!({})).await, Ok(()));
    let again = client
        .ends("JWT", json!({ "exp": NOW.as_secs() + 200 }))
        .await;
    assert_eq!(again, Err(ClientError::Assertion(AssertionError::Replayed)));
    client.clock.advance(Duration::from_secs(299));
    let late = client.ends("JWT", json!({})).await;
    assert_eq!(late, Err(ClientError::Assertion(AssertionError::Replayed)));
}

#[tokio::test]
async fn without_an_identifier_an_assertion_lives_for_five_minutes_at_most() {
    let now = NOW.as_secs();
    for reuse in [AssertionReuse::SingleUse, AssertionReuse::UntilExpiry] {
        let client = Signing::reusing(Algorithm::ES256, reuse);
        for (changes, short) in [
            (json!({}), true),
            (json!({ "exp": now + 301 }), false),
            (json!({ "iat": now - 1 }), false),
            (json!({ "iat": now - 240, "exp": now + 60 }), true),
            (json!({ "iat": now - 240, "exp": now + 61 }), false),
            (json!({ "iat": now + 30, "exp": now + 301 }), false),
            (json!({ "iat": null }), true),
            (json!({ "iat": null, "exp": now + 301 }), false),
            (json!({ "iat": null, "nbf": now - 1 }), false),
            (json!({ "nbf": now - 600, "exp": now + 60 }), false),
        ] {
            let mut changes = changes;
            changes["jti"] = Value::Null;
            let expected = if short {
                Ok(())
            } else {
                Err(ClientError::Assertion(AssertionError::NoIdentifier))
            };
            for _ in 0..2 {
                let ended = client.ends("JWT", changes.clone()).await;
                assert_eq!(ended, expected, "{reuse:?} {changes}");
            }
        }
        let wrong = AssertionError::Claims(crate::token::ClaimsError::WrongType("jti"));
        for jti in [json!(""), json!("x".repeat(257))] {
            let ended = client.ends("JWT", json!({ "jti": jti })).await;
            assert_eq!(ended, Err(ClientError::Assertion(wrong.clone())));
        }
    }
}

#[tokio::test]
async fn an_assertion_of_a_client_that_reuses_it_is_taken_until_it_expires() {
    let client = Signing::reusing(Algorithm::ES256, AssertionReuse::UntilExpiry);
    let long = json!({ "exp": NOW.as_secs() + 600 });
    for after in [0, 0, 300, 299] {
        client.clock.advance(Duration::from_secs(after));
        assert_eq!(client.ends("JWT", long.clone()).await, Ok(()));
    }
    client.clock.advance(Duration::from_secs(1));
    let late = client.ends("JWT", long).await;
    assert_eq!(late, Err(ClientError::Assertion(AssertionError::Expired)));
    let later = json!({ "exp": NOW.as_secs() + 600 + 3_601 });
    let long = client.ends("JWT", later).await;
    assert_eq!(
        long,
        Err(ClientError::Assertion(AssertionError::LivesTooLong))
    );
}

#[tokio::test]
async fn a_signature_that_is_not_the_clients_is_refused() {
    let client = Signing::new(Algorithm::ES256);
    let stranger = key(Algorithm::ES256);
    let claims = json!({ "iss": "portal", "sub": "portal", "aud": ISSUER, "exp": NOW.as_secs() + 60, "jti": "1" });
    let token = stranger.sign("JWT", claims.as_object().unwrap()).unwrap();
    let ended = client.prove(&RawToken::from(token)).await;
    assert!(matches!(
        ended,
        Err(ClientError::Assertion(AssertionError::Key) | ClientError::Unavailable)
    ));
    let malformed = client.prove(&RawToken::from("a.b".to_owned())).await;
    assert_eq!(
        malformed,
        Err(ClientError::Assertion(AssertionError::Malformed(
            crate::jose::JoseError::NotCompact
        )))
    );
}

#[tokio::test]
async fn a_certificate_counts_by_its_name_and_a_public_client_needs_none() {
    let folder = TempDir::new().unwrap();
    let settings = json!({ "method": "tls_client_auth", "san_dns": "portal.example.com" });
    let client = build(settings, folder.path()).0.unwrap();
    let der = |name: &str| {
        let own = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        own.cert.der().to_vec()
    };
    let (own, other) = (der("portal.example.com"), der("other.example.com"));
    let bare = |der| PresentedClient::Bare(der);
    assert_eq!(
        prove(&client, bare(Some(&own))).await,
        Ok(ClientMethod::TlsClientAuth)
    );
    assert_eq!(
        prove(&client, bare(Some(&other))).await,
        Err(ClientError::Certificate)
    );
    assert_eq!(
        prove(&client, bare(None)).await,
        Err(ClientError::NoCertificate)
    );
    let public = build(json!({ "method": "none" }), folder.path()).0.unwrap();
    assert_eq!(prove(&public, bare(None)).await, Ok(ClientMethod::Public));
}

#[tokio::test]
async fn what_a_method_lacks_or_does_not_use_is_reported_where_it_stands() {
    let folder = TempDir::new().unwrap();
    let secret = json!({ "file": "secret" });
    for (settings, path) in [
        (json!({ "method": "client_secret_basic" }), "secret"),
        (
            json!({ "method": "client_secret_post", "secret": { "file": "absent" } }),
            "secret",
        ),
        (json!({ "method": "none", "secret": secret }), "secret"),
        (json!({ "method": "private_key_jwt" }), ""),
        (
            json!({ "method": "private_key_jwt", "jwks_file": "absent.json" }),
            "jwks_file",
        ),
        (
            json!({ "method": "private_key_jwt", "jwks_file": "a", "jwks_uri": "https://a.example" }),
            "",
        ),
        (
            json!({ "method": "private_key_jwt", "jwks_uri": "http://a.example" }),
            "jwks_uri",
        ),
        (json!({ "method": "tls_client_auth" }), ""),
        (
            json!({ "method": "tls_client_auth", "san_dns": "a", "san_uri": "a:b" }),
            "",
        ),
        (
            json!({ "method": "tls_client_auth", "san_ip": "a" }),
            "san_ip",
        ),
        (
            json!({ "method": "none", "san_dns": "a.example" }),
            "san_dns",
        ),
        (json!({ "method": "none", "tls": { "ca": "a.pem" } }), "tls"),
        (
            json!({ "method": "client_secret_post", "secret": secret, "assertion_reuse": "until_expiry" }),
            "assertion_reuse",
        ),
    ] {
        let (authenticator, findings) = build(settings.clone(), folder.path());
        assert!(authenticator.is_none(), "{settings}");
        let paths: Vec<String> = findings
            .iter()
            .map(|finding| finding.path.to_string())
            .collect();
        assert_eq!(paths, [path], "{settings}");
    }
}
