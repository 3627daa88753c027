//! `trusted_issuers[]`.

use super::*;
use crate::settings::Severity;

#[tokio::test]
async fn settings_are_refused_with_every_mistake_named() {
    let (_, jwks) = published(Algorithm::ES256);
    let wrong = settings(json!({
        "name": "a b", "issuer": "", "audiences": [], "algorithms": [], "leeway": "61s", "typ": [],
        "max_lifetime": "0s", "client_claim": "", "scope_claim": "", "subject_claim": "a b",
        "known_as": {"sub": ""}, "roles": {"claim": "", "grants": []},
        "keys": {"max_age": "25h", "max_stale": "1m"},
    }));
    let (issuer, findings) = build(wrong, &jwks, &clock());
    assert!(issuer.is_none());
    let mut paths: Vec<_> = findings.iter().map(|f| f.path.to_string()).collect();
    paths.sort();
    assert_eq!(
        paths,
        [
            "algorithms",
            "audiences",
            "client_claim",
            "issuer",
            "keys",
            "keys.max_age",
            "keys.max_stale",
            "known_as.sub",
            "leeway",
            "max_lifetime",
            "name",
            "roles.claim",
            "roles.grants",
            "scope_claim",
            "subject_claim",
            "typ",
        ]
    );
}

#[tokio::test]
async fn keys_come_from_exactly_one_place_and_never_over_plain_http() {
    let (_, jwks) = published(Algorithm::ES256);
    for keys in [
        json!({}),
        json!({"discovery": false}),
        json!({"discovery": true, "jwks_file": "jwks.json"}),
        json!({"jwks_uri": "https://a", "jwks_file": "jwks.json"}),
        json!({"jwks_uri": "http://keys.example.com/"}),
        json!({"jwks_uri": "keys"}),
        json!({"jwks_file": "absent.json"}),
        json!({"jwks_uri": "https://a", "tls": {"ca": "absent.pem"}}),
        json!({"jwks_uri": "https://a", "tls": {"ca": "jwks.json"}}),
    ] {
        let (issuer, findings) = build(settings(json!({"keys": keys})), &jwks, &clock());
        assert!(issuer.is_none(), "{keys}");
        assert_eq!(findings.len(), 1, "{keys} {findings:?}");
    }
}

#[tokio::test]
async fn a_plain_typ_without_a_required_claim_is_a_warning() {
    let (_, jwks) = published(Algorithm::ES256);
    let (issuer, findings) = build(settings(json!({"typ": ["at+jwt", "JWT"]})), &jwks, &clock());
    assert!(issuer.is_some());
    assert_eq!(findings[0].severity, Severity::Warning);
    let with = settings(json!({"typ": ["JWT"], "required_claims": {"token_use": "access"}}));
    assert_eq!(build(with, &jwks, &clock()).1, []);
}

#[test]
fn unknown_keys_are_refused() {
    for (changes, at) in [
        (json!({"scope_claims": "scp"}), ""),
        (json!({"jwks_url": "https://a"}), "keys"),
    ] {
        let mut settings = json!({
            "name": "corp", "issuer": ISSUER, "audiences": ["a"], "algorithms": ["ES256"],
            "keys": {"discovery": true},
        });
        let target = if at.is_empty() {
            &mut settings
        } else {
            &mut settings[at]
        };
        for (name, value) in changes.as_object().unwrap() {
            target[name] = value.clone();
        }
        assert!(serde_json::from_value::<IssuerSettings>(settings).is_err());
    }
}

#[tokio::test]
async fn a_name_holds_nothing_that_stands_behind_it_in_a_qualified_subject() {
    let (_, jwks) = published(Algorithm::ES256);
    for name in ["a:b", "a b", "é", "a/b", "gateway:own", &"a".repeat(65)] {
        let (issuer, findings) = build(settings(json!({ "name": name })), &jwks, &clock());
        assert!(issuer.is_none(), "{name}");
        assert_eq!(findings[0].path.to_string(), "name");
    }
    assert!(
        build(settings(json!({"name": "corp-1_a.b"})), &jwks, &clock())
            .0
            .is_some()
    );
}

#[tokio::test]
async fn each_role_is_listed_once_and_grants_something() {
    let (_, jwks) = published(Algorithm::ES256);
    let grants = json!([
        { "role": "", "scope": ["a"] },
        { "role": "a", "scope": [] },
        { "role": "a", "scope": ["a"] },
    ]);
    let wrong = settings(json!({ "roles": { "claim": "roles", "grants": grants } }));
    let (_, findings) = build(wrong, &jwks, &clock());
    let paths: Vec<_> = findings.iter().map(|f| f.path.to_string()).collect();
    assert_eq!(
        paths,
        [
            "roles.grants[0].role",
            "roles.grants[1].scope",
            "roles.grants[2].role"
        ]
    );
}
