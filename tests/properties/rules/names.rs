//! Forms of subjects: pseudonyms for one audience, and names with the issuer as prefix.

use crate::properties::{
    attenuation::payload,
    cases,
    subject::{GATEWAY, NOW},
    world::{WORLD, url},
};
use obo_gateway::{policy::ExchangeRequest, verify::Origins};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A user of one provider, whose token is presented directly or through the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
struct User {
    issuer: usize,
    sub: String,
}

/// Few letters, so that one name is often another name with a prefix.
fn any_user() -> impl Strategy<Value = User> {
    let sub = prop_oneof![2 => "[a.:]{1,4}", 1 => r"(corp|a|corp\.a):[a:]{1,2}"];
    (0..3_usize, sub).prop_map(|(issuer, sub)| User { issuer, sub })
}

fn route(audience: &str, naming: &str) -> Value {
    json!({
        "audience": audience, "scope": { "allow": [] }, "subjects": "any",
        "token": { "subject": naming }, "chain": { "accept_own": true },
    })
}

/// The exchange of a token on a route that accepts every provider.
fn exchange(token: &str, settings: Value) -> Option<String> {
    let subject = WORLD.verify(token, &[0, 1, 2], Origins::Several).ok()?;
    let policy = WORLD.policy(settings, Vec::new(), 3);
    let permitted = policy.permit(ExchangeRequest::new(subject), NOW).ok()?;
    Some(WORLD.mint(permitted))
}

impl User {
    fn token(&self, chained: bool) -> String {
        let claims = json!({
            "iss": url(self.issuer), "sub": self.sub, "aud": "portal",
            "exp": NOW.as_secs() + 60, "client_id": "web",
        });
        let token = WORLD.sign(self.issuer, &claims);
        if chained {
            exchange(&token, route(GATEWAY, "qualified")).unwrap()
        } else {
            token
        }
    }

    /// Returns the subject that the API with this audience gets.
    fn name(&self, audience: &str, naming: &str, chained: bool) -> String {
        let token = exchange(&self.token(chained), route(audience, naming)).unwrap();
        let claims = payload(token.as_bytes());
        claims["sub"].as_str().unwrap().to_owned()
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn two_audiences_never_see_one_pseudonym_and_one_audience_sees_one_for_each_user(
        (one, other) in (any_user(), any_user()),
        (here, there) in ("[ab]{1,3}", "[ab]{1,3}"),
        chained in any::<(bool, bool)>(),
    ) {
        let first = one.name(&here, "pairwise", chained.0);
        let second = other.name(&there, "pairwise", chained.1);
        prop_assert_eq!(first == second, (&one, &here) == (&other, &there));
        let shown = [&one.sub, &here, &url(one.issuer)];
        prop_assert!(shown.iter().all(|part| first != **part));
    }

    #[test]
    fn a_qualified_name_is_one_users_alone(
        (one, other) in (any_user(), any_user()),
        chained in any::<(bool, bool)>(),
    ) {
        let first = one.name("orders-api", "qualified", chained.0);
        let second = other.name("orders-api", "qualified", chained.1);
        prop_assert_eq!(first == second, one == other);
    }

    #[test]
    fn a_pseudonym_goes_to_no_other_audience(user in any_user(), here in "[ab]{1,3}") {
        let own = exchange(&user.token(false), route(GATEWAY, "pairwise")).unwrap();
        for naming in ["pairwise", "qualified"] {
            prop_assert_eq!(exchange(&own, route(&here, naming)), None);
        }
        let again = exchange(&own, route(GATEWAY, "pairwise")).unwrap();
        let sub = |token: &str| payload(token.as_bytes())["sub"].clone();
        prop_assert_eq!(sub(&own), sub(&again));
    }
}
