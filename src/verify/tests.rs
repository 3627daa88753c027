use super::{testing::*, *};
use crate::{
    clock::{Clock, ManualClock, UnixTime},
    jose::{Algorithm, SigningKeys, encoding::base64url},
    settings::Severity,
};
use serde_json::{Value, json};

const OWN: &str = "https://gateway.example.com";

struct Bench {
    keys: SigningKeys,
    clock: Arc<ManualClock>,
    verifier: Verifier,
}

/// A gateway that trusts one issuer, whose settings are the usual ones with some replaced.
fn bench(changes: Value) -> Bench {
    let (keys, jwks) = published(Algorithm::ES256);
    let clock = clock();
    let (issuer, findings) = build(settings(changes), &jwks, &clock);
    let issuer = issuer.unwrap_or_else(|| panic!("{findings:?}"));
    let shared = Arc::clone(&clock) as Arc<dyn Clock>;
    let verifier = Verifier::new([issuer], OWN, shared);
    Bench {
        keys,
        clock,
        verifier,
    }
}

impl Bench {
    async fn verify(&self, text: String) -> Result<SubjectToken, VerifyError> {
        self.verifier.verify_token(&RawToken::from(text)).await
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
    let verifier = Verifier::new(issuers, OWN, Arc::clone(&clock) as Arc<dyn Clock>);
    let header = json!({"alg": "ES256", "kid": a.signing().kid(), "typ": "at+jwt"});
    let verify = async |issuer: &str| {
        let payload = claims(json!({"iss": issuer})).to_string();
        let token = b.sign_anything(&header, payload.as_bytes());
        verifier.verify_token(&RawToken::from(token)).await
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
async fn the_gateways_own_tokens_are_told_apart() {
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
async fn what_says_that_it_is_no_access_token_is_refused() {
    let bench = bench(json!({}));
    for changes in [
        json!({"typ": "Refresh"}),
        json!({"typ": "Offline"}),
        json!({"typ": "ID"}),
        json!({"typ": "Logout"}),
        json!({"token_use": "id"}),
        json!({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
    ] {
        assert_eq!(bench.refused(changes).await, VerifyError::NotAnAccessToken);
    }
    assert!(bench.claims(json!({"typ": "Bearer"})).await.is_ok());
}

#[tokio::test]
async fn exp_has_no_leeway_and_the_start_has_some() {
    let bench = bench(json!({}));
    let at = |offset: i64| NOW.as_secs() + offset;
    for offset in [0, -1, -1_000_000] {
        let changes = json!({"exp": at(offset), "iat": null});
        assert_eq!(bench.refused(changes).await, VerifyError::Expired);
    }
    assert!(bench.claims(json!({"exp": at(1)})).await.is_ok());
    for name in ["nbf", "iat"] {
        assert!(bench.claims(json!({name: at(30)})).await.is_ok(), "{name}");
        assert_eq!(
            bench.refused(json!({name: at(31)})).await,
            VerifyError::NotYetValid
        );
    }
}

#[tokio::test]
async fn times_are_whole_numbers() {
    let bench = bench(json!({}));
    for name in ["exp", "nbf", "iat"] {
        for value in [
            json!("1800000300"),
            json!(1_800_000_300.5),
            json!(1e300),
            json!(-1),
            json!(i64::MAX),
            json!({}),
        ] {
            let error = bench.refused(json!({name: value})).await;
            assert!(
                matches!(error, VerifyError::Claims(_)),
                "{name} {value} {error}"
            );
        }
    }
    assert!(matches!(
        bench.refused(json!({"exp": null})).await,
        VerifyError::Claims(_)
    ));
}

#[tokio::test]
async fn a_token_that_lives_too_long_is_refused() {
    let bench = bench(json!({"max_lifetime": "1h"}));
    let century = NOW.as_secs() + 3_000_000_000;
    for changes in [
        json!({"exp": century}),
        json!({"exp": NOW.as_secs() + 3601, "iat": NOW.as_secs()}),
        json!({"exp": NOW.as_secs() + 60, "iat": NOW.as_secs() - 3600}),
        json!({"exp": NOW.as_secs() + 3601, "iat": null}),
    ] {
        let error = bench.refused(changes).await;
        assert!(matches!(error, VerifyError::LivesTooLong { .. }), "{error}");
    }
    let changes = json!({"exp": NOW.as_secs() + 3600, "iat": NOW.as_secs()});
    assert!(bench.claims(changes).await.is_ok());
}

#[tokio::test]
async fn a_clock_that_jumps_past_the_end_ends_the_token() {
    let bench = bench(json!({}));
    bench
        .clock
        .jump_to(UnixTime::from_secs(NOW.as_secs() + 300));
    assert_eq!(bench.refused(json!({})).await, VerifyError::Expired);
    bench
        .clock
        .jump_to(UnixTime::from_secs(NOW.as_secs() - 3_000));
    assert_eq!(bench.refused(json!({})).await, VerifyError::NotYetValid);
}

#[tokio::test]
async fn the_audience_is_an_exact_member() {
    let bench = bench(json!({}));
    for audience in [
        json!(null),
        json!(""),
        json!("Portal"),
        json!("portal "),
        json!("port"),
        json!("portal2"),
        json!([]),
        json!(["other"]),
        json!(["portal,other"]),
        json!("portal other"),
    ] {
        let error = bench.refused(json!({"aud": audience})).await;
        assert_eq!(error, VerifyError::Audience, "{audience}");
    }
    for audience in [json!(1), json!({"portal": 1}), json!(["portal", 1])] {
        assert!(matches!(
            bench.refused(json!({"aud": audience})).await,
            VerifyError::Claims(_)
        ));
    }
}

#[tokio::test]
async fn a_route_can_ask_for_audiences_of_its_own() {
    let (keys, jwks) = published(Algorithm::ES256);
    let clock = clock();
    let issuer = build(settings(json!({"audiences": ["a", "b"]})), &jwks, &clock)
        .0
        .unwrap();
    let only_b = Accepted::addressed_to(issuer, vec![Audience::parse("b").unwrap()]);
    let verifier = Verifier::new([only_b], OWN, Arc::clone(&clock) as Arc<dyn Clock>);
    let verify = async |audience: &str| {
        let token = sign(keys.signing(), &claims(json!({"aud": audience})));
        verifier.verify_token(&RawToken::from(token)).await
    };
    assert_eq!(verify("a").await.unwrap_err(), VerifyError::Audience);
    assert!(verify("b").await.is_ok());
}

#[tokio::test]
async fn a_subject_is_there_and_bounded() {
    let bench = bench(json!({}));
    for sub in [json!(null), json!(1), json!(["alice"])] {
        assert!(matches!(
            bench.refused(json!({"sub": sub})).await,
            VerifyError::Claims(_)
        ));
    }
    for sub in [
        "".to_owned(),
        "a".repeat(256),
        "a\nb".to_owned(),
        "a\0".to_owned(),
    ] {
        assert_eq!(
            bench.refused(json!({"sub": sub})).await,
            VerifyError::Subject
        );
    }
    assert!(bench.claims(json!({"sub": "a".repeat(255)})).await.is_ok());
}

#[tokio::test]
async fn a_bound_token_is_no_bearer_token() {
    let bench = bench(json!({}));
    for cnf in [
        json!({"jkt": "x"}),
        json!({"x5t#S256": "x"}),
        json!({}),
        json!("x"),
        json!(false),
    ] {
        assert_eq!(
            bench.refused(json!({"cnf": cnf})).await,
            VerifyError::SenderConstrained
        );
    }
}

#[tokio::test]
async fn required_claims_match_exactly() {
    let wanted = json!({"token_use": "access", "tenant": {"id": 7}, "realm.kind": true});
    let bench = bench(json!({"required_claims": wanted}));
    let good = json!({"token_use": "access", "tenant": {"id": 7}, "realm": {"kind": true}});
    assert!(bench.claims(good.clone()).await.is_ok());
    for (name, value) in [
        ("token_use", json!("Access")),
        ("token_use", json!(null)),
        ("tenant", json!({"id": 7, "x": 1})),
        ("realm", json!({"kind": "true"})),
    ] {
        let mut changes = good.clone();
        changes[name] = value;
        assert!(
            matches!(
                bench.refused(changes).await,
                VerifyError::RequiredClaim { .. }
            ),
            "{name}"
        );
    }
}

#[tokio::test]
async fn an_actor_chain_is_well_formed() {
    let bench = bench(json!({}));
    let mut deep = json!({"sub": "a"});
    for _ in 0..8 {
        deep = json!({"sub": "a", "act": deep});
    }
    for act in [json!("a"), json!({}), json!([]), deep] {
        assert!(matches!(
            bench.refused(json!({"act": act})).await,
            VerifyError::ActorChain(_)
        ));
    }
}

#[tokio::test]
async fn scopes_come_as_text_or_as_a_list() {
    let bench = bench(json!({}));
    let list = bench.claims(json!({"scope": ["b", "a"]})).await.unwrap();
    assert_eq!(list.scopes().to_string(), "a b");
    let none = bench.claims(json!({"scope": null})).await.unwrap();
    assert!(none.scopes().is_empty());
    for scope in [
        json!("a  b"),
        json!("a\u{a0}b"),
        json!(["a b"]),
        json!([1]),
        json!(1),
        json!({}),
    ] {
        let error = bench.refused(json!({"scope": scope})).await;
        assert_eq!(error, VerifyError::Scope, "{scope}");
    }
}

#[tokio::test]
async fn the_client_is_found_where_providers_write_it() {
    let usual = bench(json!({}));
    for (changes, client) in [
        (json!({"azp": "b"}), Some("web")),
        (
            json!({"client_id": null, "azp": "b", "cid": "c"}),
            Some("b"),
        ),
        (
            json!({"client_id": null, "cid": "c", "appid": "d"}),
            Some("c"),
        ),
        (json!({"client_id": null, "appid": "d"}), Some("d")),
        (json!({"client_id": null}), None),
        (json!({"client_id": ""}), None),
    ] {
        assert_eq!(usual.claims(changes).await.unwrap().client_id(), client);
    }
    assert!(matches!(
        usual.refused(json!({"client_id": 1})).await,
        VerifyError::Claims(_)
    ));
    let in_aud = bench(json!({"client_claim": "aud"}));
    assert_eq!(
        in_aud.claims(json!({})).await.unwrap().client_id(),
        Some("portal")
    );
    let several = in_aud
        .claims(json!({"aud": ["portal", "x"]}))
        .await
        .unwrap();
    assert_eq!(several.client_id(), None);
}

#[tokio::test]
async fn an_application_without_a_user_is_told() {
    let bench = bench(json!({}));
    for changes in [
        json!({"sub": "web"}),
        json!({"sub": "svc", "client_id": null, "cid": "svc"}),
        json!({"idtyp": "app"}),
        json!({"gty": "client-credentials"}),
        json!({"preferred_username": "service-account-web"}),
    ] {
        assert!(
            bench.claims(changes.clone()).await.unwrap().is_app_only(),
            "{changes}"
        );
    }
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

#[tokio::test]
async fn settings_are_refused_with_every_mistake_named() {
    let (_, jwks) = published(Algorithm::ES256);
    let wrong = settings(json!({
        "name": "a b", "issuer": "", "audiences": [], "algorithms": [], "leeway": "61s", "typ": [],
        "max_lifetime": "0s", "client_claim": "", "keys": {"max_age": "25h", "max_stale": "1m"},
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
            "leeway",
            "max_lifetime",
            "name",
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
        (json!({"scope_claim": "scp"}), ""),
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
