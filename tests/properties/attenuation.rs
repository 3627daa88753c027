//! For every subject and every route, the issued token never exceeds either of them.

use crate::properties::{
    cases,
    exchange::{
        CONSTANTS, COPIED, Case, GATEWAY_ACTOR, Route, any_case, details, mint, nested, own,
    },
    subject::{GATEWAY, ISSUER_NAME},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use obo_gateway::exchange::IssuedToken;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn an_issued_token_is_never_wider_than_its_subject_and_its_route(case in any_case()) {
        let permitted = case.permit();
        prop_assert_eq!(permitted.is_ok(), case.is_to_be_permitted(), "{:?}", permitted);
        let Ok(permitted) = permitted else { return Ok(()) };

        let response = mint(&permitted);
        let issued = IssuedToken::accept(permitted, response, own(), case.now());
        let issued = issued.expect("what the engine mints is what was permitted");
        let claims = payload(issued.token().expose());

        prop_assert_eq!(&claims["aud"], "orders-api");
        prop_assert_eq!(&claims["iss"], GATEWAY);
        case.check_scope(&claims)?;
        case.check_lifetime(&claims)?;
        case.check_parties(&claims)?;
        case.check_claims(&claims)?;
    }
}

/// Returns the claims of a compact JWS, without the gateway's code.
pub fn payload(token: &[u8]) -> Map<String, Value> {
    let part = token.split(|&byte| byte == b'.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

impl Case {
    /// Returns all reasons against an exchange, in one sentence each.
    fn is_to_be_permitted(&self) -> bool {
        let (subject, route) = (&self.subject, &self.route);
        let held = subject.held();
        let holds = |scopes: &[&'static str]| scopes.iter().all(|scope| held.contains(scope));
        let holds_any = route.allow.iter().any(|scope| held.contains(scope));

        let client_admitted = route.clients.as_ref().is_none_or(|admitted| {
            subject
                .client
                .is_some_and(|client| admitted.contains(&client))
        });
        let app_only = subject.client == Some(subject.sub.as_str());
        let scope_suffices = holds(&route.require)
            && (!route.refuses_excess || holds(&route.allow))
            && (route.allow.is_empty() || holds_any);
        let gateway_may_act = subject.may_act.as_ref().is_none_or(|may_act| {
            may_act["sub"] == GATEWAY_ACTOR
                && (may_act.get("iss").is_none() || may_act["iss"] == GATEWAY)
        });
        let depth = subject.actors.len() + usize::from(route.names_gateway);
        client_admitted
            && (route.any_subject || !app_only)
            && (route.copies_details || subject.details.is_none())
            && scope_suffices
            && gateway_may_act
            && depth <= route.max_depth
            && self.later < subject.life
            && subject.sub.is_ascii()
    }

    fn check_scope(&self, claims: &Map<String, Value>) -> Result<(), TestCaseError> {
        let ceiling: BTreeSet<&str> = self.route.allow.iter().copied().collect();
        let bound: BTreeSet<&str> = self
            .subject
            .held()
            .intersection(&ceiling)
            .copied()
            .collect();
        match claims.get("scope") {
            None => prop_assert!(self.route.allow.is_empty(), "a token without scope"),
            Some(scope) => {
                let issued: BTreeSet<&str> = scope.as_str().unwrap().split(' ').collect();
                prop_assert!(issued.is_subset(&bound), "{issued:?} of {bound:?}");
                prop_assert!(!scope.as_str().unwrap().is_empty());
            }
        }
        Ok(())
    }

    fn check_lifetime(&self, claims: &Map<String, Value>) -> Result<(), TestCaseError> {
        let exp = claims["exp"].as_i64().unwrap();
        let by_route = self.now().as_secs() + self.route.lifetime;
        prop_assert!(exp <= by_route, "the route's lifetime");
        prop_assert!(exp <= self.subject.expires_at(), "the subject's lifetime");
        prop_assert!(exp > self.now().as_secs());
        Ok(())
    }

    fn check_parties(&self, claims: &Map<String, Value>) -> Result<(), TestCaseError> {
        let gateway = (Some(GATEWAY), GATEWAY_ACTOR);
        let newest = self.route.names_gateway.then_some(gateway);
        let chain: Vec<_> = newest
            .into_iter()
            .chain(self.subject.actors.iter().copied())
            .collect();
        prop_assert!(chain.len() <= self.route.max_depth);
        prop_assert_eq!(claims.get("act").cloned(), nested(chain.into_iter()));

        let sub = &self.subject.sub;
        let expected = if self.route.qualified {
            format!("{ISSUER_NAME}:{sub}")
        } else {
            sub.clone()
        };
        prop_assert_eq!(&claims["sub"], &json!(expected));
        prop_assert_eq!(
            &claims["client_id"],
            self.subject.client.unwrap_or(GATEWAY_ACTOR)
        );
        Ok(())
    }

    /// Asserts that the token contains only the claims that the standards require, how the user signed in, and the claims that
    /// the route names.
    fn check_claims(&self, claims: &Map<String, Value>) -> Result<(), TestCaseError> {
        const OF_EVERY_TOKEN: [&str; 9] = [
            "iss",
            "sub",
            "aud",
            "client_id",
            "iat",
            "exp",
            "jti",
            "scope",
            "act",
        ];
        const OF_THE_SIGN_IN: [&str; 3] = ["auth_time", "acr", "amr"];
        let restricted = self.subject.details.map(details);
        prop_assert_eq!(claims.get("authorization_details"), restricted.as_ref());
        let others = claims.iter();
        for (name, value) in others.filter(|(name, _)| *name != "authorization_details") {
            let name = name.as_str();
            let copied = OF_THE_SIGN_IN.contains(&name)
                || (COPIED.contains(&name) && self.route.copy.contains(&name));
            if CONSTANTS.contains(&name) && self.route.set.contains(&name) {
                prop_assert_eq!(value, &Route::constant(name));
            } else if copied {
                prop_assert_eq!(Some(value), self.subject.further.get(name));
            } else {
                prop_assert!(
                    OF_EVERY_TOKEN.contains(&name),
                    "{name} was not named by the route"
                );
            }
        }
        prop_assert_ne!(&claims["jti"], "the subject's");
        Ok(())
    }
}
