//! The laws, each tested on 10,000 inputs.

use super::{
    case::{Case, any_case, any_refresh},
    model::{self, Expected},
    world::{Ask, Endpoint, time},
};
use crate::properties::{cases, exchange::details, subject::NOW};
use obo_gateway::policy::PermittedExchange;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use std::collections::BTreeSet;

fn names<'a>(texts: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    texts.map(str::to_owned).collect()
}

fn issued(permitted: &PermittedExchange) -> Vec<String> {
    permitted
        .actors()
        .iter()
        .map(|actor| actor.sub.to_string())
        .collect()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_client_gets_what_the_rules_say_and_nothing_else(case in any_case()) {
        let expected = model::expected(&case);
        let permitted = case.permit(&case.endpoint());
        prop_assert_eq!(permitted.is_some(), expected.is_some(), "{:?}", expected);
        let (Some(permitted), Some(expected)) = (permitted, expected) else { return Ok(()) };
        check(&case, &permitted, &expected)?;
    }

    #[test]
    fn a_refresh_never_widens(
        case in any_case(),
        refreshes in prop::collection::vec(any_refresh(), 1..4),
    ) {
        let endpoint = case.endpoint();
        let Some(first) = case.permit(&endpoint) else { return Ok(()) };
        let family = first.family(time(100_000));
        for scope in refreshes {
            let Some(next) = refreshed(&endpoint, &family, scope, &case) else { continue };
            prop_assert!(next.scope().is_subset(first.scope()));
            prop_assert!(next.audiences().iter().all(|audience| first.audiences().contains(audience)));
            prop_assert_eq!(next.sub(), first.sub());
            prop_assert_eq!(next.client_id(), first.client_id());
            prop_assert_eq!(next.actors(), first.actors());
            let restricted = |permitted: &PermittedExchange| {
                permitted.claims().get("authorization_details").cloned()
            };
            prop_assert_eq!(restricted(&next), restricted(&first));
            prop_assert_eq!(next.provenance(), first.provenance());
            prop_assert!(next.expires_at() <= time(case.client.lifetime));
            prop_assert!(first.lineage().keys().iter().all(|key| next.lineage().keys().contains(key)));
            prop_assert!(next.profile().iter().all(|(name, value)| first.profile().get(name) == Some(value)));
        }
    }
}

/// Laws about issued tokens check nothing if no case issues one. Therefore every kind of case must occur.
#[test]
fn the_generated_cases_are_of_every_kind() {
    let mut runner = TestRunner::deterministic();
    let (mut permitted, mut impersonations, mut together) = (0, 0, 0);
    for _ in 0..3_000 {
        let case = any_case().new_tree(&mut runner).unwrap().current();
        if let Some(expected) = model::expected(&case) {
            permitted += 1;
            impersonations += usize::from(expected.impersonated);
            together += usize::from(case.actor.is_some());
        }
    }
    let found =
        format!("{permitted} permitted, {impersonations} impersonated, {together} with an actor");
    assert!(
        permitted > 300 && impersonations > 60 && together > 100,
        "{found}"
    );
}

fn refreshed(
    endpoint: &Endpoint,
    family: &obo_gateway::verify::FamilySubject,
    scope: Option<Vec<&'static str>>,
    case: &Case,
) -> Option<PermittedExchange> {
    let subject = endpoint.family(family.clone()).unwrap();
    let ask = Ask {
        scope: scope.map(|scope| scope.join(" ")),
        format: case.format,
        ..Ask::of(subject)
    };
    endpoint.permit(ask).ok()
}

fn check(
    case: &Case,
    permitted: &PermittedExchange,
    expected: &Expected,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(
        names(permitted.scope().iter()),
        names(expected.scope.iter().copied())
    );
    let audiences = permitted
        .audiences()
        .iter()
        .map(|audience| audience.as_str());
    prop_assert_eq!(names(audiences), names(expected.audiences.iter().copied()));
    prop_assert_eq!(permitted.audience(), &permitted.audiences()[0]);
    prop_assert_eq!(issued(permitted), expected.chain.clone());
    prop_assert!(permitted.actors().depth() <= 8);
    prop_assert_eq!(permitted.expires_at(), time(expected.life));
    prop_assert!(permitted.expires_at() > NOW);
    prop_assert_eq!(permitted.provenance().impersonated, expected.impersonated);
    let restricted = permitted.claims().get("authorization_details");
    let expected_details = expected.details.map(details);
    prop_assert_eq!(restricted, expected_details.as_ref());
    let marked = expected.impersonated && !case.subject.impersonated;
    prop_assert!(!marked || permitted.impersonation().is_some());
    prop_assert_eq!(permitted.sub(), case.subject.person.name());
    prop_assert_eq!(permitted.client_id(), "portal");
    prop_assert_eq!(permitted.format(), case.format);
    Ok(())
}
