//! The rules for the claims of a genuine token.

use super::{NOW, bench};
use crate::{clock::UnixTime, verify::VerifyError};
use serde_json::json;

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
async fn times_are_numbers_within_reason() {
    let bench = bench(json!({}));
    for name in ["exp", "nbf", "iat"] {
        for value in [
            json!("1800000300"),
            json!("1800000300.5"),
            json!(1e300),
            json!(-1),
            json!(-0.5),
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

/// RFC 7519 §2: "non-integer values can be represented".
#[tokio::test]
async fn a_fraction_of_a_second_shortens_a_token_and_never_lengthens_it() {
    let bench = bench(json!({"max_lifetime": "1h"}));
    let at = |offset: f64| NOW.as_secs() as f64 + offset;
    let subject = bench.claims(json!({"exp": at(20.9)})).await.unwrap();
    assert_eq!(subject.expires_at().as_secs(), NOW.as_secs() + 20);
    for offset in [0.9, 0.000_01, -0.5] {
        let changes = json!({"exp": at(offset), "iat": null});
        assert_eq!(bench.refused(changes).await, VerifyError::Expired);
    }
    for name in ["nbf", "iat"] {
        for offset in [-3.25, 0.5, 29.5] {
            assert!(bench.claims(json!({name: at(offset)})).await.is_ok());
        }
        let error = bench.refused(json!({name: at(30.1)})).await;
        assert_eq!(error, VerifyError::NotYetValid, "{name}");
    }
    let longer = json!({"iat": at(-0.5), "exp": at(3_599.9)});
    assert!(bench.claims(longer).await.is_ok());
    let too_long = json!({"iat": at(-0.5), "exp": at(3_600.1)});
    let error = bench.refused(too_long).await;
    assert!(matches!(error, VerifyError::LivesTooLong { .. }), "{error}");
    // a revocation in the second of its issue ends it
    let subject = bench.claims(json!({"iat": at(-9.5)})).await.unwrap();
    let second = UnixTime::from_secs(NOW.as_secs() - 10);
    assert_eq!(subject.issued_at(), Some(second));
    assert_eq!(subject.lineage().since(), second);
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
async fn an_application_without_a_user_is_recognized() {
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
async fn scopes_and_subject_stand_where_the_issuer_writes_them() {
    let bench =
        bench(json!({"scope_claim": "x.scp", "subject_claim": "oid", "client_claim": "app"}));
    let changes =
        json!({"x": {"scp": ["b", "a"]}, "oid": "7", "scope": "orders.write", "app": "p"});
    let subject = bench.claims(changes).await.unwrap();
    assert_eq!(subject.scopes().to_string(), "a b");
    assert_eq!(subject.sub(), "7");
    assert!(!subject.is_app_only());
    let without = bench.claims(json!({"oid": "7"})).await.unwrap();
    assert!(without.scopes().is_empty(), "nothing else is read instead");
    for oid in [json!(null), json!(""), json!(7), json!(["7"])] {
        assert_eq!(
            bench.refused(json!({"oid": oid})).await,
            VerifyError::Subject
        );
    }
    for changes in [
        json!({"oid": "7", "app": "7"}),
        json!({"oid": "7", "app": "alice"}),
    ] {
        assert!(bench.claims(changes).await.unwrap().is_app_only());
    }
}

#[tokio::test]
async fn a_role_grants_what_the_issuer_s_entry_says_and_an_unknown_one_nothing() {
    let bench = bench(json!({"roles": {"claim": "realm_access.roles", "grants": [
        {"role": "admin", "scope": ["orders.write", "orders.purge"]},
        {"role": "clerk", "scope": ["orders.read"]},
    ]}}));
    for (roles, scopes) in [
        (
            json!(["admin", "other"]),
            "orders.purge orders.read orders.write profile",
        ),
        (
            json!("admin"),
            "orders.purge orders.read orders.write profile",
        ),
        (json!(["Admin", "admin ", "adm"]), "orders.read profile"),
        (json!("clerk admin"), "orders.read profile"),
        (json!([]), "orders.read profile"),
    ] {
        let subject = bench
            .claims(json!({"realm_access": {"roles": roles}}))
            .await;
        assert_eq!(subject.unwrap().scopes().to_string(), scopes, "{roles}");
    }
    let none = bench.claims(json!({"scope": null})).await.unwrap();
    assert!(none.scopes().is_empty());
    for roles in [
        json!(1),
        json!({"admin": true}),
        json!(["admin", 1]),
        json!(true),
    ] {
        let error = bench
            .refused(json!({"realm_access": {"roles": roles}}))
            .await;
        assert_eq!(error, VerifyError::Roles, "{roles}");
    }
}
