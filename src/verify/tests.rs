mod applications;
mod claims;
mod kinds;
mod own;
mod settings;

use super::{profile::Profile, testing::*, *};
use crate::{
    clock::{Clock, ManualClock, UnixTime},
    jose::{Algorithm, SigningKeys, encoding::base64url},
    store::Revocations,
    token::{Audience, RawToken},
};
use serde_json::{Value, json};
use std::sync::Arc;
use tempfile::TempDir;

const OWN: &str = "https://gateway.example.com";

struct Bench {
    keys: SigningKeys,
    clock: Arc<ManualClock>,
    verifier: Verifier,
    _key_file: TempDir,
}

/// A gateway that trusts one issuer with the default settings, some of them replaced.
fn bench(changes: Value) -> Bench {
    let (keys, jwks) = published(Algorithm::ES256);
    let clock = clock();
    let folder = TempDir::new().unwrap();
    let (issuer, findings) = build_in(folder.path(), settings(changes), &jwks, &clock);
    let issuer = issuer.unwrap_or_else(|| panic!("{findings:?}"));
    let shared = Arc::clone(&clock) as Arc<dyn Clock>;
    let verifier = Verifier::new([issuer], OWN, Revocations::of_one_process(), shared);
    Bench {
        keys,
        clock,
        verifier,
        _key_file: folder,
    }
}

impl Bench {
    async fn verify(&self, text: String) -> Result<SubjectToken, VerifyError> {
        self.verifier
            .verify_as(Profile::Route, &RawToken::from(text), &mut ())
            .await
    }

    async fn claims(&self, changes: Value) -> Result<SubjectToken, VerifyError> {
        self.verify(sign(self.keys.signing(), &claims(changes)))
            .await
    }

    async fn refused(&self, changes: Value) -> VerifyError {
        let shown = changes.to_string();
        match self.claims(changes).await {
            Ok(_) => panic!("accepted {shown}"),
            Err(error) => error,
        }
    }

    async fn typ(&self, typ: Option<&str>) -> Result<SubjectToken, VerifyError> {
        let key = self.keys.signing();
        let mut header = json!({"alg": "ES256", "kid": key.kid()});
        if let Some(typ) = typ {
            header["typ"] = json!(typ);
        }
        let payload = claims(json!({})).to_string();
        self.verify(key.sign_anything(&header, payload.as_bytes()))
            .await
    }
}

#[tokio::test]
async fn a_genuine_token_gives_what_it_says() {
    let bench = bench(json!({}));
    let may_act = json!({"sub": "obo-gateway"});
    let subject = bench
        .claims(json!({"act": {"sub": "batch"}, "may_act": may_act, "aud": ["other", "portal"]}))
        .await
        .unwrap();
    assert_eq!(subject.issuer_name(), "corp");
    assert_eq!(subject.issuer_url(), ISSUER);
    assert_eq!(subject.sub(), "alice");
    assert_eq!(subject.client_id(), Some("web"));
    assert_eq!(subject.scopes().to_string(), "orders.read profile");
    assert_eq!(
        subject.expires_at(),
        UnixTime::from_secs(NOW.as_secs() + 300)
    );
    assert_eq!(
        subject.issued_at(),
        Some(UnixTime::from_secs(NOW.as_secs() - 10))
    );
    assert_eq!(subject.actor_chain().depth(), 1);
    assert_eq!(subject.may_act(), Some(&may_act));
    assert!(subject.key_lease().is_current(NOW));
    assert!(!subject.is_app_only());
    assert_eq!(format!("{subject:?}"), "SubjectToken(of corp, redacted)");
}

#[tokio::test]
async fn the_algorithm_must_be_in_the_issuers_list() {
    let bench = bench(json!({"algorithms": ["EdDSA", "RS256"]}));
    assert!(matches!(
        bench.refused(json!({})).await,
        VerifyError::AlgorithmNotAccepted {
            alg: Algorithm::ES256,
            ..
        }
    ));
}

#[tokio::test]
async fn none_and_hmac_are_refused_by_form() {
    let bench = bench(json!({}));
    let payload = base64url(claims(json!({})).to_string());
    for alg in ["none", "None", "NONE", "HS256"] {
        let header = base64url(json!({"alg": alg, "typ": "at+jwt"}).to_string());
        for signature in ["", "AAAA"] {
            let error = bench
                .verify(format!("{header}.{payload}.{signature}"))
                .await
                .unwrap_err();
            assert!(matches!(error, VerifyError::Malformed(_)), "{alg} {error}");
        }
    }
}

#[tokio::test]
async fn a_key_inside_the_token_is_not_used() {
    let bench = bench(json!({}));
    let attacker = key(Algorithm::ES256);
    let payload = claims(json!({})).to_string();
    for kid in [bench.keys.signing().kid(), attacker.kid()] {
        let header = json!({
            "alg": "ES256", "kid": kid, "typ": "at+jwt", "jwk": attacker.public_jwk(),
            "jku": "http://127.0.0.1:1/keys", "x5u": "http://127.0.0.1:1/x", "x5c": ["AAAA"], "x5t": "AAAA",
        });
        let token = attacker.sign_anything(&header, payload.as_bytes());
        let error = bench.verify(token).await.unwrap_err();
        assert!(
            matches!(
                error,
                VerifyError::Signature(_) | VerifyError::UnknownKey { .. }
            ),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_kid_that_looks_like_a_path_or_a_query_is_just_unknown() {
    let bench = bench(json!({}));
    let key = bench.keys.signing();
    let payload = claims(json!({})).to_string();
    for kid in [
        "../../dev/null",
        "' OR 1=1 --",
        "${jndi:ldap://x}",
        "",
        "/etc/passwd",
    ] {
        let header = json!({"alg": "ES256", "kid": kid, "typ": "at+jwt"});
        let error = bench
            .verify(key.sign_anything(&header, payload.as_bytes()))
            .await
            .unwrap_err();
        assert!(
            matches!(error, VerifyError::UnknownKey { .. }),
            "{kid} {error}"
        );
    }
}

#[tokio::test]
async fn one_issuers_key_signs_for_no_other_issuer() {
    let clock = clock();
    let (a, jwks_a) = published(Algorithm::ES256);
    let b = key(Algorithm::ES256);
    // b publishes its key under a's kid
    let mut jwk = b.public_jwk();
    jwk["kid"] = json!(a.signing().kid());
    let jwks_b = json!({"keys": [jwk]}).to_string();
    let other = json!({"name": "legacy", "issuer": "https://legacy.example.com"});
    let issuers = [
        build(settings(json!({})), &jwks_a, &clock).0.unwrap(),
        build(settings(other), &jwks_b, &clock).0.unwrap(),
    ];
    let verifier = Verifier::new(
        issuers,
        OWN,
        Revocations::of_one_process(),
        Arc::clone(&clock) as Arc<dyn Clock>,
    );
    let header = json!({"alg": "ES256", "kid": a.signing().kid(), "typ": "at+jwt"});
    let verify = async |issuer: &str| {
        let payload = claims(json!({"iss": issuer})).to_string();
        let token = b.sign_anything(&header, payload.as_bytes());
        verifier
            .verify_as(Profile::Route, &RawToken::from(token), &mut ())
            .await
    };
    assert!(matches!(
        verify(ISSUER).await,
        Err(VerifyError::Signature(_))
    ));
    let subject = verify("https://legacy.example.com").await.unwrap();
    assert_eq!(subject.issuer_name(), "legacy");
}

#[tokio::test]
async fn the_issuer_is_compared_byte_for_byte() {
    let bench = bench(json!({}));
    for issuer in [
        "https://idp.example.com/",
        "http://idp.example.com",
        "https://IDP.example.com",
        "https://idp.example.com.evil",
        "",
        "https://evil.example",
    ] {
        assert_eq!(
            bench.refused(json!({"iss": issuer})).await,
            VerifyError::UnknownIssuer
        );
    }
    for issuer in [json!(null), json!(1), json!([ISSUER])] {
        assert!(matches!(
            bench.refused(json!({"iss": issuer})).await,
            VerifyError::Malformed(_)
        ));
    }
}

#[tokio::test]
async fn the_gateways_own_tokens_are_recognized() {
    let bench = bench(json!({}));
    assert_eq!(
        bench.refused(json!({"iss": OWN})).await,
        VerifyError::SelfIssued
    );
}

#[tokio::test]
async fn a_changed_byte_anywhere_is_refused() {
    let bench = bench(json!({}));
    let token = sign(bench.keys.signing(), &claims(json!({})));
    let parts: Vec<_> = token.split('.').collect();
    let forged = base64url(claims(json!({"sub": "admin"})).to_string());
    let error = bench
        .verify(format!("{}.{forged}.{}", parts[0], parts[2]))
        .await
        .unwrap_err();
    assert!(matches!(error, VerifyError::Signature(_)));
    assert!(bench.verify(token).await.is_ok());
}

#[tokio::test]
async fn only_the_configured_types_are_access_tokens() {
    let strict = bench(json!({}));
    for typ in [
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "Application/At+Jwt",
    ] {
        assert!(strict.typ(Some(typ)).await.is_ok(), "{typ}");
    }
    for typ in [
        "JWT",
        "dpop+jwt",
        "logout+jwt",
        "at",
        "",
        "application/",
        "text/at+jwt",
    ] {
        assert_eq!(
            strict.typ(Some(typ)).await.unwrap_err(),
            VerifyError::TokenType,
            "{typ}"
        );
    }
    assert_eq!(strict.typ(None).await.unwrap_err(), VerifyError::TokenType);
    let plain = bench(json!({"typ": ["JWT"]}));
    for typ in [None, Some("JWT"), Some("jwt"), Some("application/jwt")] {
        assert!(plain.typ(typ).await.is_ok(), "{typ:?}");
    }
    assert!(plain.typ(Some("at+jwt")).await.is_err());
}

#[tokio::test]
async fn a_route_can_ask_for_audiences_of_its_own() {
    let (keys, jwks) = published(Algorithm::ES256);
    let clock = clock();
    let issuer = build(settings(json!({"audiences": ["a", "b"]})), &jwks, &clock)
        .0
        .unwrap();
    let only_b = Accepted::addressed_to(issuer, vec![Audience::parse("b").unwrap()]);
    let verifier = Verifier::new(
        [only_b],
        OWN,
        Revocations::of_one_process(),
        Arc::clone(&clock) as Arc<dyn Clock>,
    );
    let verify = async |audience: &str| {
        let token = sign(keys.signing(), &claims(json!({"aud": audience})));
        verifier
            .verify_as(Profile::Route, &RawToken::from(token), &mut ())
            .await
    };
    assert_eq!(verify("a").await.unwrap_err(), VerifyError::Audience);
    assert!(verify("b").await.is_ok());
}

#[tokio::test]
async fn a_payload_that_is_read_differently_by_two_readers_is_refused() {
    let bench = bench(json!({}));
    let key = bench.keys.signing();
    let header = json!({"alg": "ES256", "kid": key.kid(), "typ": "at+jwt"});
    let good = claims(json!({})).to_string();
    let twice = good.replacen('{', r#"{"sub":"admin","#, 1);
    let deep = good.replacen(
        '{',
        &format!(r#"{{"x":{}{},"#, "[".repeat(500), "]".repeat(500)),
        1,
    );
    for payload in [twice.as_str(), deep.as_str(), "[]", "foo"] {
        let error = bench
            .verify(key.sign_anything(&header, payload.as_bytes()))
            .await
            .unwrap_err();
        assert!(matches!(error, VerifyError::Malformed(_)), "{error}");
    }
}

#[tokio::test]
async fn no_error_repeats_what_a_token_says() {
    let bench = bench(json!({}));
    for changes in [
        json!({"scope": "canary  x"}),
        json!({"aud": "canary"}),
        json!({"iss": "canary"}),
        json!({"act": "canary"}),
        json!({"exp": "canary"}),
        json!({"sub": "canary\n"}),
    ] {
        let error = bench.refused(changes).await;
        assert!(
            !format!("{error:?} {error}").contains("canary"),
            "{error:?}"
        );
    }
}
