//! Tokens that are not access tokens, tokens of users and applications, and the type of the issued token.

use super::{SCOPE, lab, only, route, with};
use crate::e2e::{
    answers::{assert_own, assert_untouched},
    support::{Ask, Lab, Setup, lab::ISSUER},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

const NO_SCOPE: &str = "audience: orders-api, scope: { allow: [] }";

impl Lab {
    async fn unacceptable(&self, typ: &str, changes: Value) {
        self.origin.forget();
        let mut header = self.idp.signer().header();
        header["typ"] = json!(typ);
        let claims = self.claims(changes).to_string();
        let token = self.idp.signer().sign_bytes(&header, claims.as_bytes());
        assert_own(&self.present(&token).await, 401, "invalid_token", &[]);
        assert_untouched(self);
    }
}

#[tokio::test]
async fn an_id_token_opens_no_route_though_it_has_the_type_and_needs_no_scope() {
    let lab = with(
        NO_SCOPE,
        only("typ: [at+jwt, JWT, logout+jwt, dpop+jwt, oauth-id-jag+jwt]"),
    )
    .await;
    lab.unacceptable("JWT", json!({"scope": null, "nonce": "n", "azp": "portal"}))
        .await;
    lab.unacceptable("JWT", json!({"scope": null, "at_hash": "h"}))
        .await;
    lab.unacceptable("JWT", json!({"sub": lab.idp.issuer(), "scope": null}))
        .await;
    for typ in ["logout+jwt", "application/dpop+jwt", "OAuth-ID-JAG+JWT"] {
        lab.unacceptable(typ, json!({})).await;
    }
    lab.counts("obo_denied_total", &["reason=\"token_type\""], 6)
        .await;
    assert_eq!(
        lab.present(&lab.token_with(json!({"scope": null})))
            .await
            .status(),
        200
    );
}

#[tokio::test]
async fn an_application_is_refused_where_people_are_served_and_a_person_is_not() {
    let setup = Setup {
        routes: route(
            "any",
            "/any",
            "audience: any-api, scope: { allow: [] }, subjects: any",
        ),
        issuer: format!("{ISSUER}, scope_claim: scp, user_claim: name"),
        ..Setup::default()
    };
    let lab = with(NO_SCOPE, setup).await;
    let entra = json!({"scope": null, "client_id": null, "azp": "app", "azpacr": "1", "oid": "sp", "sub": "sp",
        "tid": "t", "ver": "2.0", "roles": ["r"], "name": "Daemon"});
    let unmarked = json!({"name": null});
    for changes in [entra, unmarked] {
        lab.denied(Ask::get("/orders/1"), changes.clone(), "access_denied")
            .await;
        lab.given_for(Ask::get("/any"), changes).await;
    }
    lab.counts("obo_denied_total", &["app_only_subject"], 2)
        .await;
    let person = json!({"scope": null, "client_id": null, "azp": "app", "azpacr": "1", "oid": "user", "sub": "pairwise",
        "tid": "t", "ver": "2.0", "roles": ["r"], "scp": "access_as_user", "name": "Alice"});
    lab.given(person).await;
}

#[tokio::test]
async fn a_route_writes_the_type_that_its_api_knows() {
    let setup = Setup {
        routes: route(
            "plain",
            "/plain",
            &format!("{SCOPE}, token: {{ typ: JWT }}"),
        ),
        ..Setup::default()
    };
    let lab = with(SCOPE, setup).await;
    for (path, typ) in [("/orders/1", "at+jwt"), ("/plain", "JWT")] {
        lab.origin.forget();
        let token = lab.token();
        assert_eq!(lab.ask(Ask::get(path).bearer(&token)).await.status(), 200);
        let request = lab.origin.request();
        let header = request
            .bearer()
            .unwrap()
            .split('.')
            .next()
            .unwrap()
            .to_owned();
        let header = URL_SAFE_NO_PAD.decode(header).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(header["typ"], typ, "{path}");
    }
}

/// RFC 7519 §2: JWT libraries of several languages write fractions of a second.
#[tokio::test]
async fn dates_with_a_fraction_are_read_and_never_lengthen_what_is_issued() {
    let lab = lab(SCOPE).await;
    let at = |offset: f64| lab.now() as f64 + offset;
    let issued = lab
        .given(json!({"exp": at(20.9), "iat": at(-3.4), "nbf": at(-3.4)}))
        .await;
    assert!(issued["exp"].as_f64().unwrap() <= at(20.9));
    assert!(issued["exp"].is_i64() || issued["exp"].is_u64());
    for exp in [
        json!(at(-0.5)),
        json!(at(300.0).to_string()),
        json!(1e300),
        json!(-5.5),
    ] {
        let token = lab.token_with(json!({ "exp": exp }));
        assert_own(&lab.present(&token).await, 401, "invalid_token", &[]);
    }
}
