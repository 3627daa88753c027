//! Revocation and expiry of tokens and families of refresh tokens.

use super::*;

#[test]
fn a_chain_holds_everybody_and_eight_at_most() {
    let endpoint = endpoint(json!({}));
    let nested = |names: &[&str]| {
        let chain = names.iter().rev().fold(Value::Null, |inner, name| {
            with(json!({ "sub": name }), &json!({ "act": inner }))
        });
        json!({ "act": chain })
    };
    let ask = |subject_chain: &[&str], actor_chain: &[&str]| {
        let subject = subject(&endpoint, nested(subject_chain));
        let actor = Some(actor(&endpoint, nested(actor_chain)));
        endpoint.permit(Ask {
            actor,
            ..Ask::of(subject)
        })
    };
    let permitted = ask(&["s1", "s2"], &["a1"]).unwrap();
    let named: Vec<&str> = permitted.actors().iter().map(|actor| &*actor.sub).collect();
    assert_eq!(named, ["bob", "a1", "s1", "s2"]);
    assert!(ask(&["1", "2", "3", "4"], &["5", "6", "7"]).is_ok());
    let too_deep = PolicyError::ActorChainTooDeep {
        depth: 9,
        allowed: 8,
    };
    assert_eq!(
        ask(&["1", "2", "3", "4"], &["5", "6", "7", "8"]).unwrap_err(),
        too_deep
    );
}

#[test]
fn a_token_ends_with_the_first_of_its_bounds() {
    let ends = |lifetime: &str, subject_exp: i64, actor_exp: i64| {
        let endpoint = endpoint(json!({ "lifetime": lifetime }));
        let subject = subject(&endpoint, json!({ "exp": at(subject_exp) }));
        let actor = Some(actor(&endpoint, json!({ "exp": at(actor_exp) })));
        endpoint
            .permit(Ask {
                actor,
                ..Ask::of(subject)
            })
            .unwrap()
            .expires_at()
    };
    assert_eq!(ends("60s", 100, 200), time(60));
    assert_eq!(ends("300s", 100, 200), time(100));
    assert_eq!(ends("300s", 200, 100), time(100));
}

#[test]
fn what_is_revoked_ends_what_comes_of_it() {
    let sid = json!({ "sid": "s1" });
    for key in [
        RevocationKey::token(&url(0), "j"),
        RevocationKey::subject(&url(0), "alice"),
        RevocationKey::session(&url(0), "s1"),
        RevocationKey::client("portal"),
    ] {
        let endpoint = endpoint(json!({}));
        let permitted = endpoint
            .permit(Ask::of(subject(&endpoint, sid.clone())))
            .unwrap();
        assert!(!endpoint.revocations.ends(permitted.lineage()));
        endpoint
            .revocations
            .insert([Revocation::of_all(key, NOW, time(1_000))]);
        assert!(endpoint.revocations.ends(permitted.lineage()), "{key:?}");
        let refused = endpoint.subject(&access(sid.clone()), ACCESS).unwrap_err();
        assert_eq!(refused, VerifyError::Revoked, "{key:?}");
    }
}

#[test]
fn an_actor_that_is_revoked_acts_no_more_and_what_it_did_ends() {
    let endpoint = endpoint(json!({}));
    let bob = actor(&endpoint, json!({}));
    let subject = endpoint.user("alice", &bob).unwrap();
    let permitted = endpoint
        .permit(Ask {
            actor: Some(bob),
            ..Ask::of(subject)
        })
        .unwrap();
    let key = RevocationKey::actor(&url(0), "bob");
    endpoint
        .revocations
        .insert([Revocation::of_earlier(key, NOW, time(1_000))]);
    assert!(endpoint.revocations.ends(permitted.lineage()));
    let token = access(json!({ "sub": "bob" }));
    assert_eq!(
        endpoint.actor(&token, ACCESS).unwrap_err(),
        VerifyError::Revoked
    );
    assert!(
        endpoint.subject(&token, ACCESS).is_ok(),
        "bob himself is not revoked"
    );
    let acted = json!({ "act": { "iss": url(0), "sub": "bob" } });
    assert_eq!(
        endpoint.subject(&access(acted), ACCESS).unwrap_err(),
        VerifyError::Revoked
    );
}

fn family(endpoint: &Endpoint) -> FamilySubject {
    let bob = actor(endpoint, json!({}));
    let subject = endpoint.user("alice", &bob).unwrap();
    let permitted = endpoint.permit(Ask {
        actor: Some(bob),
        ..Ask::of(subject)
    });
    permitted.unwrap().family(time(10_000))
}

#[test]
fn a_family_goes_on_with_what_was_granted_and_asks_again() {
    let granting = endpoint(json!({}));
    let family = family(&granting);
    let stored = serde_json::to_string(&family).unwrap();
    let family: FamilySubject = serde_json::from_str(&stored).unwrap();
    let subject = granting.family(family.clone()).unwrap();
    assert_eq!(subject.kind(), SubjectKindOfToken::Refresh);
    let permitted = granting.permit(Ask::of(subject)).unwrap();
    assert_eq!(permitted.sub(), "alice");
    assert_eq!(permitted.audience().as_str(), "aggregates");
    assert_eq!(&*permitted.actors().current().unwrap().sub, "bob");
    assert!(permitted.provenance().impersonated);
    assert_eq!(
        permitted.family(time(10_000)),
        family,
        "a second refresh token keeps all"
    );
    let wider = granting.family(family.clone()).unwrap();
    let wider = granting.permit(Ask {
        scope: Some("email".into()),
        ..Ask::of(wider)
    });
    assert!(matches!(wider, Err(PolicyError::ScopeExceeds { .. })));

    let mut bob_lost_it = users();
    bob_lost_it[1]["permissions"] = json!([]);
    let later = Endpoint::new(1, Some(&bob_lost_it), vec![portal(json!({}))]);
    let subject = later.family(family.clone()).unwrap();
    let refused = later.permit(Ask::of(subject)).unwrap_err();
    assert_eq!(refused, PolicyError::ImpersonationNotAllowed);
}

#[test]
fn a_family_ends_with_its_time_its_issuer_its_client_and_its_revocation() {
    let endpoint = endpoint(json!({}));
    let family = family(&endpoint);
    let ended = FamilySubject {
        expires_at: at(0),
        ..family.clone()
    };
    assert_eq!(endpoint.family(ended).unwrap_err(), VerifyError::Expired);
    let gone = FamilySubject {
        issuer: url(1),
        ..family.clone()
    };
    assert_eq!(
        endpoint.family(gone).unwrap_err(),
        VerifyError::UnknownIssuer
    );
    let anothers = FamilySubject {
        client_id: "other".into(),
        ..family.clone()
    };
    let subject = endpoint.family(anothers).unwrap();
    let refused = endpoint.permit(Ask::of(subject)).unwrap_err();
    assert_eq!(refused, PolicyError::NotThisClientsToken);
    let key = RevocationKey::actor(&url(0), "bob");
    endpoint
        .revocations
        .insert([Revocation::of_earlier(key, NOW, time(1_000))]);
    assert_eq!(endpoint.family(family).unwrap_err(), VerifyError::Revoked);
}

#[test]
fn how_an_actor_authenticated_is_never_told() {
    let endpoint = endpoint(json!({}));
    let subject = subject(&endpoint, json!({ "auth_time": at(-99) }));
    let actor = Some(actor(
        &endpoint,
        json!({ "auth_time": at(-1), "amr": ["pwd"] }),
    ));
    let permitted = endpoint
        .permit(Ask {
            actor,
            ..Ask::of(subject)
        })
        .unwrap();
    assert_eq!(permitted.claims()["auth_time"], at(-99));
    assert!(!permitted.claims().contains_key("amr"));
}
