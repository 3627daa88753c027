//! Genuine tokens that are never access tokens.

use super::{NOW, bench, claims, sign};
use crate::verify::VerifyError;
use serde_json::json;

#[tokio::test]
async fn a_type_that_is_never_an_access_tokens_opens_nothing_though_typ_allows_it() {
    let types = [
        "oauth-id-jag+jwt",
        "txntoken+jwt",
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "token-introspection+jwt",
        "client-authentication+jwt",
        "id_token+jwt",
        "entity-statement+jwt",
        "vc+sd-jwt",
        "refresh+jwt",
    ];
    let mut allowed = vec!["at+jwt", "JWT"];
    allowed.extend(types);
    let bench = bench(json!({ "typ": allowed }));
    for typ in types {
        for written in [
            typ.to_owned(),
            typ.to_ascii_uppercase(),
            format!("application/{typ}"),
            format!("Application/{}", typ.to_ascii_uppercase()),
        ] {
            let refused = bench.typ(Some(&written)).await.unwrap_err();
            assert_eq!(refused, VerifyError::NotAnAccessToken, "{written}");
        }
    }
    for typ in [
        None,
        Some("JWT"),
        Some("at+jwt"),
        Some("application/AT+JWT"),
    ] {
        assert!(bench.typ(typ).await.is_ok(), "{typ:?}");
    }
}

#[tokio::test]
async fn an_id_token_is_no_access_token_though_typ_allows_jwt() {
    let bench = bench(json!({"typ": ["JWT", "at+jwt"], "scope_claim": "groups"}));
    for changes in [
        json!({"scope": null, "nonce": "n"}),
        json!({"scope": null, "at_hash": "h"}),
        json!({"scope": null, "c_hash": "h", "azp": "portal"}),
        json!({"scope": null, "s_hash": "h"}),
        // only an ID token contains a hash of the token that is issued with it
        json!({"at_hash": "h", "groups": ["orders.read"]}),
        json!({"scope": null, "tok_type": "IT"}),
        json!({"scope": null, "tokenName": "id_token"}),
        json!({"scope": null, "token_type": "ID"}),
        json!({"scope": null, "tty": "it"}),
        json!({"purpose": "id"}),
        json!({"token_use": "ID"}),
    ] {
        let shown = changes.to_string();
        let refused = bench.refused(changes).await;
        assert_eq!(refused, VerifyError::NotAnAccessToken, "{shown}");
    }
    for changes in [
        json!({"scope": null}),
        json!({"nonce": "n"}),
        json!({"scope": null, "groups": ["orders.read"], "nonce": "n"}),
        json!({"tok_type": "AT"}),
        json!({"tokenName": "access_token"}),
        json!({"token_type": "Bearer"}),
        json!({"tty": "at"}),
        json!({"purpose": "access_token"}),
        json!({"typ": "JWT"}),
    ] {
        assert!(bench.claims(changes.clone()).await.is_ok(), "{changes}");
    }
}

#[tokio::test]
async fn what_shows_by_its_claims_that_it_is_something_else_opens_nothing() {
    let bench = bench(json!({"typ": ["at+jwt", "JWT"]}));
    for changes in [
        json!({"events": {"https://schemas.openid.net/secevent/risc/event-type/account-disabled": {}}}),
        json!({"events": {}}),
        json!({"events": null}),
        json!({"token_introspection": {"active": true}}),
        json!({"htm": "GET", "htu": "https://api.example.com/"}),
        json!({"txn": "1", "tctx": {"action": "buy"}}),
        json!({"txn": "1", "rctx": {"req_ip": "10.0.0.1"}}),
        // a client assertion: its issuer is its subject
        json!({"sub": super::ISSUER}),
        json!({"typ": "Refresh"}),
        json!({"typ": "Serialized-ID"}),
        json!({"typ": "InitialAccessToken"}),
        json!({"typ": "reset-credentials"}),
        json!({"typ": "logout+jwt"}),
        json!({"token_use": "refresh"}),
        json!({"tok_type": "RT"}),
        json!({"tokenName": "refresh_token"}),
        json!({"token_type": "refresh-token"}),
    ] {
        let mut claims = claims(json!({}));
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let refused = bench.verify(sign(bench.keys.signing(), &claims)).await;
        assert_eq!(
            refused.unwrap_err(),
            VerifyError::NotAnAccessToken,
            "{changes}"
        );
    }
    for changes in [
        json!({"txn": "1"}),
        json!({"htm": "GET"}),
        json!({"event_id": "e", "auth_time": NOW.as_secs()}),
    ] {
        assert!(bench.claims(changes.clone()).await.is_ok(), "{changes}");
    }
}
