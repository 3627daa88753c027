//! Requests with valid tokens that the client may not make.

use super::*;

#[test]
fn a_client_exchanges_its_own_tokens_and_those_of_clients_it_may_take() {
    let other = json!({ "client_id": "other" });
    let refused = |changes: Value| {
        let endpoint = endpoint(changes);
        let subject = subject(&endpoint, other.clone());
        endpoint.permit(Ask::of(subject)).err()
    };
    let not_own = Some(PolicyError::NotThisClientsToken);
    assert_eq!(refused(json!({})), not_own);
    assert_eq!(refused(json!({ "subjects_of": ["web"] })), not_own);
    assert_eq!(refused(json!({ "subjects_of": ["other"] })), None);
    assert_eq!(refused(json!({ "subjects_of": "any" })), None);
    let endpoint = endpoint(json!({}));
    let addressed = json!({ "client_id": "other", "aud": ["gateway", "portal", "settings"] });
    assert!(
        endpoint
            .permit(Ask::of(subject(&endpoint, addressed)))
            .is_ok()
    );
    let nobodys = subject(&endpoint, json!({ "client_id": null }));
    assert_eq!(endpoint.permit(Ask::of(nobodys)).err(), not_own);
    let alice = subject(&endpoint, json!({}));
    let actor = Some(actor(&endpoint, json!({ "client_id": "other" })));
    assert_eq!(
        endpoint
            .permit(Ask {
                actor,
                ..Ask::of(alice)
            })
            .err(),
        not_own
    );
}

#[test]
fn a_target_that_the_client_may_not_have_is_refused_whole() {
    let endpoint = endpoint(json!({}));
    let ask = |audience: &[&'static str], resource: &[&'static str]| {
        let (audience, resource) = (audience.to_vec(), resource.to_vec());
        let permitted = endpoint.permit(Ask {
            audience,
            resource,
            ..Ask::of(subject(&endpoint, json!({})))
        });
        permitted.map(|permitted| {
            let names = permitted.audiences().iter().map(ToString::to_string);
            names.collect::<Vec<_>>().join(" ")
        })
    };
    let refused = Err(PolicyError::TargetNotAllowed);
    assert_eq!(ask(&[], &[]), Ok("aggregates".into()));
    assert_eq!(
        ask(&["settings", "aggregates"], &[]),
        Ok("settings aggregates".into())
    );
    assert_eq!(ask(&["settings", "settings"], &[]), Ok("settings".into()));
    assert_eq!(
        ask(&[], &["https://aggregates.example.com"]),
        Ok("aggregates".into())
    );
    assert_eq!(ask(&["aggregates", "gateway"], &[]), refused);
    assert_eq!(
        ask(&["aggregates"], &["https://aggregates.example.com/"]),
        refused
    );
    let nowhere = subject(&endpoint, json!({ "aud": "gateway" }));
    assert_eq!(
        endpoint.permit(Ask::of(nowhere)).map(|_| ()),
        refused.clone().map(|_: String| ())
    );
}

#[test]
fn with_from_tokens_an_audience_has_to_be_in_a_token_already() {
    let endpoint = endpoint(json!({ "audience_rule": "from_tokens" }));
    let ask = |actor: Option<ActorToken>| {
        let alice = subject(&endpoint, json!({ "aud": ["gateway", "aggregates"] }));
        let audience = vec!["settings"];
        endpoint
            .permit(Ask {
                actor,
                audience,
                ..Ask::of(alice)
            })
            .err()
    };
    assert_eq!(ask(None), Some(PolicyError::TargetNotAllowed));
    let itself = |aud: &[&str]| Some(actor(&endpoint, json!({ "sub": "alice", "aud": aud })));
    assert_eq!(
        ask(itself(&["gateway"])),
        Some(PolicyError::TargetNotAllowed)
    );
    assert_eq!(ask(itself(&["gateway", "settings"])), None);
}

#[test]
fn scope_is_never_more_than_held_and_allowed() {
    let ask = |excess: &str, held: &str, scope: Option<&str>| {
        let scopes =
            json!({ "allow": ["openid", "profile", "email", "read", "write"], "excess": excess });
        let endpoint = endpoint(json!({ "scope": scopes }));
        let permitted = endpoint.permit(Ask {
            scope: scope.map(str::to_owned),
            ..Ask::of(subject(&endpoint, json!({ "scope": held })))
        });
        permitted
            .map(|permitted| permitted.scope().to_string())
            .map_err(|error| {
                matches!(
                    error,
                    PolicyError::ScopeExceeds { .. } | PolicyError::NoScopeLeft { .. }
                )
            })
    };
    assert_eq!(ask("refuse", "read admin", None), Ok("read".into()));
    assert_eq!(ask("refuse", "admin", None), Err(true));
    assert_eq!(ask("refuse", "", None), Err(true));
    assert_eq!(ask("drop", "", None), Err(true));
    assert_eq!(ask("refuse", "read admin", Some("read")), Ok("read".into()));
    assert_eq!(ask("refuse", "read admin", Some("read write")), Err(true));
    assert_eq!(ask("refuse", "read admin", Some("read admin")), Err(true));
    assert_eq!(
        ask("drop", "read admin", Some("read write admin")),
        Ok("read".into())
    );
    assert_eq!(ask("drop", "read admin", Some("write")), Err(true));
    assert_eq!(
        ask("refuse", "read admin", Some("__myscopes__")),
        Ok("read".into())
    );
    assert_eq!(
        ask("refuse", "read admin", Some("urn:opc:idm:_myscopes_")),
        Ok("read".into())
    );
    assert_eq!(ask("refuse", "admin", Some("__myscopes__")), Err(true));
    assert_eq!(
        ask("refuse", "read", Some("email")),
        Err(true),
        "an access token contains its scope"
    );
}

#[test]
fn a_form_that_the_client_may_not_have_is_refused() {
    let endpoint = endpoint(json!({}));
    let format = TokenFormat::IdToken;
    let refused = endpoint.permit(Ask {
        format,
        ..Ask::of(subject(&endpoint, json!({})))
    });
    assert_eq!(refused.unwrap_err(), PolicyError::FormatNotAllowed);
    assert_eq!(endpoint.client().access_format(), Some(TokenFormat::Opaque));
}

#[test]
fn may_act_has_to_name_whoever_acts() {
    let endpoint = endpoint(json!({ "impersonation": null }));
    let without = |may_act: Value| {
        let subject = subject(&endpoint, json!({ "may_act": may_act }));
        endpoint.permit(Ask::of(subject)).is_ok()
    };
    assert!(without(json!({ "sub": "portal" })));
    assert!(without(json!({ "sub": "portal", "iss": url(0) })));
    assert!(without(json!({ "sub": "portal", "iss": GATEWAY })));
    for other in [
        json!({ "sub": "other" }),
        json!({ "sub": "portal", "iss": url(1) }),
        json!({}),
        json!("portal"),
    ] {
        assert!(!without(other.clone()), "{other}");
    }
    let together = |may_act: Value, sub: &str| {
        let subject = subject(&endpoint, json!({ "may_act": may_act }));
        let actor = Some(actor(&endpoint, json!({ "sub": sub })));
        endpoint.permit(Ask {
            actor,
            ..Ask::of(subject)
        })
    };
    let permitted = together(json!({ "sub": "bob" }), "bob").unwrap();
    assert!(permitted.impersonation().is_none() && !permitted.provenance().impersonated);
    assert_eq!(&*permitted.actors().current().unwrap().sub, "bob");
    for (may_act, sub) in [
        (json!({ "sub": "bob", "iss": url(1) }), "bob"),
        (json!({ "sub": "portal" }), "bob"),
        (json!({ "sub": "bob" }), "carol"),
        (json!({ "sub": "bob" }), "alice"),
    ] {
        let refused = together(may_act.clone(), sub).unwrap_err();
        assert_eq!(refused, PolicyError::NotAuthorizedActor, "{may_act} {sub}");
    }
}

#[test]
fn an_impersonation_needs_the_client_and_the_directory() {
    let refused = |changes: Value, subject_changes: Value, by: &str| {
        let endpoint = endpoint(changes);
        let subject = subject(&endpoint, subject_changes);
        let actor = Some(actor(&endpoint, json!({ "sub": by })));
        endpoint
            .permit(Ask {
                actor,
                ..Ask::of(subject)
            })
            .err()
    };
    let not_allowed = Some(PolicyError::ImpersonationNotAllowed);
    assert_eq!(refused(json!({}), json!({}), "bob"), None);
    assert_eq!(refused(json!({}), json!({}), "alice"), None, "oneself");
    assert_eq!(
        refused(json!({}), json!({}), "carol"),
        not_allowed,
        "no permission"
    );
    assert_eq!(
        refused(json!({}), json!({ "sub": "carol" }), "bob"),
        not_allowed,
        "another organization"
    );
    assert_eq!(
        refused(json!({}), json!({ "sub": "root" }), "bob"),
        not_allowed,
        "an administrator"
    );
    let unknown = Some(PolicyError::UserUnknown);
    assert_eq!(refused(json!({}), json!({}), "mallory"), unknown);
    assert_eq!(
        refused(json!({}), json!({ "sub": "mallory" }), "bob"),
        unknown
    );
    assert_eq!(
        refused(json!({ "impersonation": null }), json!({}), "bob"),
        not_allowed
    );
    let only = |what: Value| json!({ "impersonation": what });
    let by_id = only(json!({ "may_act_for": "any", "subjects": ["user_id"] }));
    assert_eq!(
        refused(by_id, json!({}), "bob"),
        not_allowed,
        "another kind of subject"
    );
    let for_carol = only(json!({ "may_act_for": ["carol"], "subjects": ["access_token"] }));
    assert_eq!(
        refused(for_carol, json!({}), "bob"),
        not_allowed,
        "another subject"
    );
}
