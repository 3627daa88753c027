//! Attenuation under every rule, and one cache entry for each operation.

use super::{
    case::{SCOPES, any_case},
    model,
};
use crate::properties::{
    attenuation::payload,
    cases,
    exchange::own,
    subject::{NOW, presenting},
    world::WORLD,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::Method;
use obo_gateway::{
    cache::AuthorizationContext,
    exchange::{AttenuationError, IssuedToken, TokenResponse},
    route::PolicyContexts,
    source,
    token::RawToken,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_is_issued_is_what_subject_client_route_and_operation_leave(case in any_case()) {
        let (issued, expected) = (case.run(), case.expected());
        prop_assert_eq!(issued.is_some(), expected.is_some(), "{:?} {:?}", issued, expected);
        let (Some(claims), Some(held)) = (issued, expected) else { return Ok(()) };

        let scope = claims.get("scope").map_or("", |scope| scope.as_str().unwrap());
        let scope: BTreeSet<&str> = scope.split(' ').filter(|name| !name.is_empty()).collect();
        prop_assert_eq!(scope, held.scopes.clone());
        prop_assert_eq!(&claims["aud"], "orders-api");
        prop_assert_eq!(claims["exp"].as_i64(), Some(held.expires_at));
        prop_assert_eq!(&claims["client_id"], model::client(&held));
        prop_assert_eq!(model::depth(claims.get("act")), Some(held.actors));
        let sub = claims["sub"].as_str().unwrap();
        match held.name() {
            Some(name) => prop_assert_eq!(sub, name),
            None => prop_assert!(sub.len() == 43 && !sub.contains(':'), "{}", sub),
        }
    }

    #[test]
    fn two_requests_share_a_cache_key_exactly_where_they_are_one_operation(
        case in any_case(),
        other in any_case(),
    ) {
        let hop = &case.hops[0];
        let mut second = hop.clone();
        (second.method, second.rest) = (other.hops[0].method, other.hops[0].rest);
        let policy = WORLD.policy(hop.settings("orders-api"), Vec::new(), hop.accepts.len());
        let terms = PolicyContexts::new("orders", &policy, 1);
        let headers = presenting("a.b.c");
        let bearer = source::Source::Authorization
            .find(&headers, None, 64 << 10)
            .unwrap()
            .token;
        let key = |method: &str, rest: &str| {
            let method: Method = method.parse().unwrap();
            let context = AuthorizationContext {
                policy: terms.of(policy.operation(&method, rest)),
                presented: bearer,
                actor: None,
                confirmation: None,
            };
            context.key()
        };
        let position = |hop: &super::case::Hop| {
            let found = hop.operation()?;
            hop.operations.iter().position(|operation| std::ptr::eq(operation, found))
        };
        prop_assert_eq!(
            key(hop.method, hop.rest) == key(second.method, second.rest),
            position(hop) == position(&second)
        );
    }

    #[test]
    fn an_answer_beyond_operation_client_or_name_is_refused_though_subject_and_route_would_do(
        case in any_case(),
        further in prop::sample::select(SCOPES.to_vec()),
    ) {
        let Some(permitted) = case.permitted() else { return Ok(()) };
        let honest = WORLD.answer(&permitted);
        let claims = payload(honest.access_token.expose());
        let accept = |permitted, name: &str, value: Value| {
            let mut claims = claims.clone();
            claims.insert(name.to_owned(), value);
            let text = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims).unwrap());
            let answer = TokenResponse::bearer(RawToken::from(format!("e30.{text}.e30")));
            IssuedToken::accept(permitted, answer, own(), NOW).err()
        };
        let scope = claims.get("scope").map_or("", |scope| scope.as_str().unwrap());
        let wider = format!("{scope} {further}").trim().to_owned();
        let expected = (!scope.split(' ').any(|name| name == further)).then_some(AttenuationError::Scope);
        prop_assert_eq!(accept(permitted, "scope", json!(wider)), expected);

        let bare = &case.subject.sub;
        let expected = (claims["sub"] != json!(bare)).then_some(AttenuationError::Subject);
        prop_assert_eq!(accept(case.permitted().unwrap(), "sub", json!(bare)), expected);

        let latest = NOW.as_secs() + case.subject.life;
        let expected = (claims["exp"] != json!(latest)).then_some(AttenuationError::Lifetime);
        prop_assert_eq!(accept(case.permitted().unwrap(), "exp", json!(latest)), expected);
    }
}
