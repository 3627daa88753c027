//! The gateway's own tokens as subject tokens.

use super::*;
use crate::{
    egress::Egress,
    telemetry::Metrics,
    verify::{Origins, OwnTokens},
};
use tokio::runtime::Handle;

struct Own {
    keys: SigningKeys,
    verifier: Verifier,
}

/// A gateway that accepts its own tokens, on a route that accepts `corp`.
fn own(origins: Origins) -> Own {
    let clock = clock();
    let shared = Arc::clone(&clock) as Arc<dyn Clock>;
    let (_, jwks) = published(Algorithm::ES256);
    let (corp, findings) = build(settings(json!({})), &jwks, &clock);
    let corp = corp.unwrap_or_else(|| panic!("{findings:?}"));
    let (keys, _) = published(Algorithm::EdDSA);
    let egress = Egress::new(Handle::current());
    let metrics = Metrics::new().issuer(TrustedIssuer::OWN);
    let gateway = TrustedIssuer::own(OWN, &keys, &shared, &egress, metrics).unwrap();
    let audiences = vec![Audience::parse(OWN).unwrap()];
    let own = OwnTokens::addressed_to(gateway, audiences, "obo-gateway", origins);
    let verifier =
        Verifier::new([corp], OWN, Revocations::of_one_process(), shared).accepting(Some(own));
    Own { keys, verifier }
}

impl Own {
    async fn verify(&self, changes: Value) -> Result<SubjectToken, VerifyError> {
        let mut own = json!({
            "iss": OWN, "aud": OWN, "sub": "corp:alice", "jti": "q.x",
            "act": {"iss": OWN, "sub": "obo-gateway"},
        });
        for (name, value) in changes.as_object().unwrap() {
            own[name] = value.clone();
        }
        let token = sign(self.keys.signing(), &claims(own));
        self.verifier
            .verify_as(Profile::Route, &RawToken::from(token), &mut ())
            .await
    }

    async fn named(&self, sub: &str, jti: &str) -> Result<(String, String), VerifyError> {
        let subject = self.verify(json!({"sub": sub, "jti": jti})).await?;
        Ok((subject.issuer_name().to_owned(), subject.sub().to_owned()))
    }
}

fn named(issuer: &str, sub: &str) -> Result<(String, String), VerifyError> {
    Ok((issuer.to_owned(), sub.to_owned()))
}

#[tokio::test]
async fn a_qualified_subject_is_led_back_to_its_issuer() {
    let own = own(Origins::Several);
    assert_eq!(own.named("corp:alice", "q.x").await, named("corp", "alice"));
    assert_eq!(own.named("corp:a:b", "q.x").await, named("corp", "a:b"));
    let subject = own.verify(json!({})).await.unwrap();
    assert_eq!(subject.issuer_url(), ISSUER);
    assert_eq!(subject.client_id(), Some("web"));
    assert_eq!(subject.actor_chain().depth(), 1);
    for (sub, jti) in [
        ("partner:alice", "q.x"),
        ("alice", "q.x"),
        ("Corp:alice", "q.x"),
    ] {
        assert_eq!(own.named(sub, jti).await, Err(VerifyError::Origin), "{sub}");
    }
}

#[tokio::test]
async fn a_bare_name_counts_only_where_one_issuer_is_trusted() {
    let sole = own(Origins::Sole);
    assert_eq!(sole.named("alice", "s.x").await, named("corp", "alice"));
    let looks_qualified = sole.named("partner:alice", "s.x").await;
    assert_eq!(looks_qualified, named("corp", "partner:alice"));
    let several = own(Origins::Several).named("alice", "s.x").await;
    assert_eq!(several, Err(VerifyError::Origin));
}

#[tokio::test]
async fn a_pseudonym_stays_with_the_audience_that_knows_it() {
    let own = own(Origins::Sole);
    let subject = own
        .verify(json!({"sub": "Zm9v", "jti": "p.x"}))
        .await
        .unwrap();
    assert_eq!(subject.sub(), "Zm9v");
    assert_eq!(subject.issuer_name(), TrustedIssuer::OWN);
    assert_eq!(subject.pseudonym_for().map(Audience::as_str), Some(OWN));
    let several = own
        .verify(json!({"jti": "p.x", "aud": [OWN, "other"]}))
        .await;
    assert_eq!(several.unwrap_err(), VerifyError::Origin);
}

#[tokio::test]
async fn a_token_whose_id_says_nothing_is_refused() {
    let own = own(Origins::Sole);
    for jti in [json!("x"), json!("z.x"), json!(null), json!(1)] {
        let refused = own.verify(json!({"jti": jti})).await;
        assert_eq!(refused.unwrap_err(), VerifyError::Origin, "{jti}");
    }
}

#[tokio::test]
async fn an_application_stays_one_and_an_unknown_client_stays_unknown() {
    let own = own(Origins::Sole);
    let app = own.verify(json!({"jti": "qa.x"})).await.unwrap();
    assert!(app.is_app_only());
    let app = own.verify(json!({"sub": "corp:web"})).await.unwrap();
    assert!(app.is_app_only());
    let user = own
        .verify(json!({"client_id": "obo-gateway"}))
        .await
        .unwrap();
    assert!(!user.is_app_only());
    assert_eq!(user.client_id(), None);
}

#[tokio::test]
async fn it_is_verified_like_any_other() {
    let own = own(Origins::Sole);
    let refused = own.verify(json!({"aud": "orders-api"})).await;
    assert_eq!(refused.unwrap_err(), VerifyError::Audience);
    let refused = own.verify(json!({"exp": NOW.as_secs()})).await;
    assert_eq!(refused.unwrap_err(), VerifyError::Expired);
    let refused = own.verify(json!({"cnf": {"jkt": "x"}})).await;
    assert_eq!(refused.unwrap_err(), VerifyError::SenderConstrained);

    let (others, _) = published(Algorithm::EdDSA);
    let forged = claims(json!({"iss": OWN, "aud": OWN, "sub": "corp:alice", "jti": "q.x"}));
    let forged = RawToken::from(sign(others.signing(), &forged));
    let refused = own
        .verifier
        .verify_as(Profile::Route, &forged, &mut ())
        .await
        .unwrap_err();
    assert!(
        matches!(refused, VerifyError::UnknownKey { .. }),
        "{refused}"
    );
}

#[tokio::test]
async fn an_access_token_of_its_own_may_say_jwt_and_an_id_token_stays_none() {
    let own = own(Origins::Sole);
    let verify = async |typ: &str, changes: Value| {
        let mut said = json!({"iss": OWN, "aud": OWN, "sub": "alice", "jti": "s.x"});
        for (name, value) in changes.as_object().unwrap() {
            said[name] = value.clone();
        }
        let said = claims(said);
        let token = own.keys.signing().sign(typ, said.as_object().unwrap());
        let token = RawToken::from(token.unwrap());
        own.verifier
            .verify_as(Profile::Route, &token, &mut ())
            .await
    };
    assert!(verify("JWT", json!({})).await.is_ok());
    assert!(verify("at+jwt", json!({})).await.is_ok());
    for (typ, changes) in [
        ("JWT", json!({"azp": "web"})),
        ("JWT", json!({"azp": "web", "scope": null})),
        ("logout+jwt", json!({})),
        ("token-introspection+jwt", json!({})),
    ] {
        let refused = verify(typ, changes.clone()).await.unwrap_err();
        assert_eq!(refused, VerifyError::TokenType, "{typ} {changes}");
    }
}
