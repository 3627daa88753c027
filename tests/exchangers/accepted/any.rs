//! What is true of every response.

use super::{accept, jwt, opaque, scope};
use crate::{
    exchangers::{contract::within, scripted::profile, situations::Situation},
    properties::{cases, subject::NOW},
};
use obo_gateway::exchange::{LongerLived, ProviderProfile, TokenResponse, WithoutExpiry};
use proptest::{option, prelude::*, sample};
use serde_json::json;
use std::time::Duration;

fn any_scope() -> impl Strategy<Value = Vec<&'static str>> {
    sample::subsequence(
        vec!["orders.read", "orders.write", "profile", "everything"],
        0..=3,
    )
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn whatever_a_provider_responds_what_is_accepted_is_within_what_was_permitted(
        member in option::of(any_scope()),
        claimed in option::of(any_scope()),
        audiences in sample::subsequence(vec!["orders-api", "other-api"], 0..=2),
        exp in option::of(-10..1_000_i64),
        expires_in in option::of(0..1_000_u64),
        readable: bool,
        refuses: bool,
        once: bool,
        life in 1..600_i64,
    ) {
        let profile = ProviderProfile {
            longer_lived: if refuses { LongerLived::Refuse } else { LongerLived::Cap },
            without_expiry: if once { WithoutExpiry::DoNotCache } else { WithoutExpiry::Refuse },
            ..profile()
        };
        let response = match readable {
            true => jwt(json!({
                "aud": audiences,
                "scope": claimed.map(|scope| scope.join(" ")),
                "exp": exp.map(|exp| NOW.as_secs() + exp),
            })),
            false => opaque(),
        };
        let response = TokenResponse {
            scope: member.as_ref().map(|member| scope(&member.join(" "))),
            expires_in: expires_in.map(Duration::from_secs),
            ..response
        };
        let situation = Situation::default().claim("exp", json!(NOW.as_secs() + life));
        let limit = NOW.as_secs() + life.min(300);
        if let Ok(issued) = accept(&situation, response, &profile) {
            let granted = scope("orders.read profile");
            prop_assert!(issued.scope().is_subset(&granted));
            prop_assert!(member.is_none_or(|member| scope(&member.join(" ")).is_subset(&granted)));
            let used = issued.expires_at().as_secs();
            prop_assert!(NOW.as_secs() < used && used <= limit);
            let known = expires_in.is_some() || (readable && exp.is_some());
            prop_assert_eq!(issued.may_be_cached(), known);
            if let Some(claims) = issued.claims() {
                within(claims, &granted, "orders-api");
            }
        }
    }
}
