//! The check of an exchanger's response: an honest response is accepted, and the same response with more rights is refused.

use crate::properties::{
    attenuation::payload,
    cases,
    exchange::{Case, any_case, mint, own, permitted_case},
    subject::{NOW, present},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use obo_gateway::{
    exchange::{AttenuationError, IssuedToken, TokenResponse},
    policy::PermittedExchange,
    token::RawToken,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

#[derive(Debug, Clone)]
enum Change {
    Nothing,
    MoreScope(String),
    ScopeOfAnotherType,
    SecondAudience(String),
    OtherAudience(String),
    NoAudience,
    LaterEnd(u32),
    NoEnd,
    Ended,
    EndOfAnotherType,
    OtherSubject(String),
    NoSubject,
    OtherClient(String),
    NewerActor(String),
    OtherActor(String),
    ActorsLost,
    FurtherClaim(String),
    NoId,
    OtherIssuer(String),
    NoIssuer,
    MoreInTheActor(String),
    OtherValue,
    DetailsLost,
    OtherDetails(String),
    NoDetails,
}

fn any_change() -> impl Strategy<Value = Change> {
    let name = || "[a-z]{1,8}";
    prop_oneof![
        Just(Change::Nothing),
        name().prop_map(Change::MoreScope),
        Just(Change::ScopeOfAnotherType),
        name().prop_map(Change::SecondAudience),
        name().prop_map(Change::OtherAudience),
        Just(Change::NoAudience),
        (1..1_000_000_u32).prop_map(Change::LaterEnd),
        Just(Change::NoEnd),
        Just(Change::Ended),
        Just(Change::EndOfAnotherType),
        name().prop_map(Change::OtherSubject),
        Just(Change::NoSubject),
        name().prop_map(Change::OtherClient),
        name().prop_map(Change::NewerActor),
        name().prop_map(Change::OtherActor),
        Just(Change::ActorsLost),
        name().prop_map(Change::FurtherClaim),
        Just(Change::NoId),
        name().prop_map(Change::OtherIssuer),
        Just(Change::NoIssuer),
        name().prop_map(Change::MoreInTheActor),
        Just(Change::OtherValue),
        Just(Change::DetailsLost),
        name().prop_map(Change::OtherDetails),
        Just(Change::NoDetails),
    ]
}

impl Change {
    /// Makes the change, and returns the expected error.
    #[allow(clippy::too_many_lines)] // one arm a change
    fn apply(&self, claims: &mut Map<String, Value>) -> Option<AttenuationError> {
        let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        Some(match self {
            Self::Nothing => return None,
            Self::MoreScope(name) => {
                // no generated scope has such a name
                let more = format!("x-{name}");
                let scope = match claims.get("scope") {
                    Some(scope) => format!("{} {more}", scope.as_str().unwrap()),
                    None => more,
                };
                claims.insert("scope".to_owned(), json!(scope));
                AttenuationError::Scope
            }
            Self::ScopeOfAnotherType => {
                put("scope", json!(["read", "everything"]));
                AttenuationError::Scope
            }
            Self::SecondAudience(name) => {
                put("aud", json!(["orders-api", name]));
                AttenuationError::Audience
            }
            Self::OtherAudience(name) => {
                put("aud", json!(name));
                AttenuationError::Audience
            }
            Self::NoAudience => {
                claims.remove("aud");
                AttenuationError::Audience
            }
            Self::LaterEnd(by) => {
                let exp = claims["exp"].as_i64().unwrap() + i64::from(*by);
                claims.insert("exp".to_owned(), json!(exp));
                AttenuationError::Lifetime
            }
            Self::NoEnd => {
                claims.remove("exp");
                AttenuationError::Lifetime
            }
            Self::Ended => {
                put("exp", json!(NOW.as_secs()));
                AttenuationError::Lifetime
            }
            Self::EndOfAnotherType => {
                put("exp", json!(NOW.as_secs().to_string()));
                AttenuationError::Lifetime
            }
            Self::OtherSubject(name) => {
                put("sub", json!(format!("{name} else")));
                AttenuationError::Subject
            }
            Self::NoSubject => {
                claims.remove("sub");
                AttenuationError::Subject
            }
            Self::OtherClient(name) => {
                put("client_id", json!(format!("{name} else")));
                AttenuationError::Subject
            }
            Self::NewerActor(name) => {
                let mut act = json!({ "iss": "https://else.example", "sub": name });
                if let Some(earlier) = claims.get("act") {
                    act["act"] = earlier.clone();
                }
                claims.insert("act".to_owned(), act);
                AttenuationError::Actors
            }
            Self::OtherActor(name) => {
                let act = claims.entry("act").or_insert(json!({}));
                act["sub"] = json!(format!("{name} else"));
                AttenuationError::Actors
            }
            Self::ActorsLost => return claims.remove("act").map(|_| AttenuationError::Actors),
            Self::FurtherClaim(name) => {
                put(&format!("x-{name}"), json!(true));
                AttenuationError::Claim
            }
            Self::NoId => {
                claims.remove("jti");
                AttenuationError::Claim
            }
            Self::OtherIssuer(name) => {
                put("iss", json!(format!("https://{name}.example")));
                AttenuationError::Issuer
            }
            Self::NoIssuer => {
                claims.remove("iss");
                AttenuationError::Issuer
            }
            Self::MoreInTheActor(name) => {
                let act = claims.get_mut("act").and_then(Value::as_object_mut)?;
                act.insert(format!("x-{name}"), json!(true));
                AttenuationError::Actors
            }
            Self::DetailsLost => {
                let lost = claims.remove("authorization_details");
                return lost.map(|_| AttenuationError::AuthorizationDetails);
            }
            Self::OtherDetails(name) => {
                put("authorization_details", json!([{ "type": name }]));
                AttenuationError::AuthorizationDetails
            }
            Self::NoDetails => {
                put("authorization_details", json!(null));
                AttenuationError::AuthorizationDetails
            }
            Self::OtherValue => {
                let chosen = |name: &&String| !STANDARD.contains(&name.as_str());
                let name = claims.keys().find(chosen)?.clone();
                claims.insert(name, json!({ "another": "value" }));
                AttenuationError::Claim
            }
        })
    }
}

/// The claims of every token. All other claims were named by the route.
const STANDARD: [&str; 10] = [
    "iss",
    "sub",
    "aud",
    "client_id",
    "iat",
    "exp",
    "jti",
    "scope",
    "act",
    "authorization_details",
];

fn answered(claims: &Map<String, Value>) -> TokenResponse {
    let text = serde_json::to_vec(claims).unwrap();
    let token = format!("e30.{}.e30", URL_SAFE_NO_PAD.encode(text));
    TokenResponse::bearer(RawToken::from(token))
}

fn permitted(case: &Case) -> PermittedExchange {
    case.permit().expect("a case that is permitted")
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn an_answer_that_is_wider_in_one_thing_is_refused_for_that_thing(
        case in permitted_case(),
        change in any_change(),
    ) {
        let permitted = permitted(&case);
        let honest = mint(&permitted);
        let mut claims = payload(honest.access_token.expose());
        let refusal = change.apply(&mut claims);
        let accepted = IssuedToken::accept(permitted, answered(&claims), own(), case.now());
        prop_assert_eq!(accepted.err(), refusal);
    }

    #[test]
    fn an_answer_that_is_no_token_is_refused(text in "[A-Za-z0-9_.-]{0,40}") {
        thread_local! {
            static CASE: Case = some_case();
        }
        let response = TokenResponse::bearer(present(&format!("a{text}")).token().clone());
        let accepted = CASE.with(|case| IssuedToken::accept(permitted(case), response, own(), case.now()));
        prop_assert!(accepted.is_err());
    }
}

/// Returns a case that is permitted.
fn some_case() -> Case {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    loop {
        let case = any_case().new_tree(&mut runner).unwrap().current();
        if case.permit().is_ok() {
            return case;
        }
    }
}
