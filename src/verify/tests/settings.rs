//! `trusted_issuers[]`.

use super::*;
use crate::settings::Severity;

#[tokio::test]
async fn settings_are_refused_with_every_mistake_named() {
    let (_, jwks) = published(Algorithm::ES256);
    let wrong = settings(json!({
        "name": "a b", "issuer": "", "audiences": [], "algorithms": [], "leeway": "61s", "typ": [],
        "max_lifetime": "0s", "client_claim": "", "user_claim": "", "scope_claim": "", "subject_claim": "a b",
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
            "user_claim",
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

#[tokio::test]
async fn plain_http_off_loopback_is_for_whom_says_so_beside_the_url_and_is_warned_of() {
    let (_, jwks) = published(Algorithm::ES256);
    let keycloak = "http://keycloak:8080/realms/x";
    let discovery = json!({"discovery": true});
    let uri = json!({"jwks_uri": "http://keycloak:8080/keys"});
    for (changes, path) in [
        (
            json!({"issuer": keycloak, "keys": discovery}),
            "keys.discovery",
        ),
        (json!({"issuer": keycloak, "keys": uri}), "keys.jwks_uri"),
        (json!({"keys": uri}), "keys.jwks_uri"),
    ] {
        let (issuer, findings) = build(settings(changes.clone()), &jwks, &clock());
        assert!(issuer.is_none(), "{changes}");
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].fix.contains("insecure: true"), "{findings:?}");
        let beside_issuer = {
            let mut changes = changes.clone();
            changes["insecure"] = json!(true);
            changes
        };
        let beside_keys = {
            let mut changes = changes.clone();
            changes["keys"]["insecure"] = json!(true);
            changes
        };
        for changes in [beside_issuer, beside_keys] {
            let (issuer, findings) = build(settings(changes.clone()), &jwks, &clock());
            assert!(issuer.is_some(), "{changes} {findings:?}");
            let [warning] = findings.as_slice() else {
                panic!("{findings:?}");
            };
            assert_eq!(warning.severity, Severity::Warning);
            assert_eq!(warning.path.to_string(), path);
        }
    }
    for keys in [
        json!({"jwks_uri": "http://a:b@keycloak/keys", "insecure": true}),
        json!({"jwks_uri": "ftp://keycloak/keys", "insecure": true}),
        json!({"jwks_uri": "keys", "insecure": true}),
    ] {
        let (issuer, _) = build(settings(json!({"keys": keys})), &jwks, &clock());
        assert!(issuer.is_none(), "{keys}");
    }
}

#[tokio::test]
async fn a_typ_that_is_never_an_access_tokens_is_a_warning() {
    let (_, jwks) = published(Algorithm::ES256);
    let typ = json!(["at+jwt", "application/DPoP+JWT", "logout+jwt"]);
    let (issuer, findings) = build(settings(json!({ "typ": typ })), &jwks, &clock());
    assert!(issuer.is_some());
    let paths: Vec<_> = findings.iter().map(|f| f.path.to_string()).collect();
    assert_eq!(paths, ["typ[1]", "typ[2]"]);
    assert!(findings.iter().all(|f| f.severity == Severity::Warning));
}
