//! The contract of all exchangers.

use super::situations::situations;
use crate::properties::subject::{IDP, NOW};
use obo_gateway::{
    error::Refusal,
    error_class::ErrorClass,
    exchange::{ExchangeError, NamedExchanger},
    token::{Claims, ScopeSet},
};

/// How often a token was accepted, and every reason why one was not.
#[derive(Debug, Default)]
pub struct Tally {
    pub accepted: usize,
    pub refused: Vec<ExchangeError>,
}

/// Exchanges in every situation. An accepted response grants at most what was permitted, plus the scopes that the
/// exchanger's profile tolerates. A refused exchange names its class.
#[track_caller]
pub fn upheld_by(exchanger: &NamedExchanger, tolerated: &ScopeSet) -> Tally {
    let mut tally = Tally::default();
    for situation in situations() {
        let (permitted, presented) = situation.permit();
        let granted = permitted.scope().union(tolerated);
        let latest = permitted.expires_at().min(permitted.subject().expires_at());
        let made_from = permitted.lineage().clone();
        let audience = permitted.audience().as_str().to_owned();
        let exchanged = IDP
            .runtime
            .block_on(exchanger.exchange(&permitted, &presented));
        let accepted =
            exchanged.and_then(|response| exchanger.accept(permitted, response, &presented, NOW));
        match accepted {
            Ok(issued) => {
                tally.accepted += 1;
                assert!(issued.scope().is_subset(&granted), "{situation:?}");
                assert!(
                    NOW < issued.expires_at() && issued.expires_at() <= latest,
                    "{situation:?}"
                );
                assert_ne!(
                    issued.token().expose(),
                    presented.token().expose(),
                    "{situation:?}"
                );
                let keys = issued.lineage().keys();
                assert!(
                    made_from.keys().iter().all(|key| keys.contains(key)),
                    "{situation:?}"
                );
                assert!(
                    keys.len() > made_from.keys().len(),
                    "no key of its own: {situation:?}"
                );
                if let Some(claims) = issued.claims() {
                    within(claims, &granted, &audience);
                }
            }
            Err(error) => {
                let text = format!("{error} {error:?}");
                let token = String::from_utf8(presented.token().expose().to_vec()).unwrap();
                assert!(!text.contains(&token), "{text}");
                let status = status_of(error.class());
                let response = Refusal::from(error.clone()).response();
                assert_eq!(response.status.as_u16(), status, "{error}");
                tally.refused.push(error);
            }
        }
    }
    tally
}

/// What an API can read in the token is within what was permitted.
#[track_caller]
pub fn within(claims: &Claims, granted: &ScopeSet, audience: &str) {
    for name in ["scope", "scp"] {
        let scope = claims.one_or_many(name).unwrap().join(" ");
        assert!(
            ScopeSet::parse(&scope).unwrap().is_subset(granted),
            "{scope}"
        );
    }
    assert_eq!(claims.one_or_many("aud").unwrap(), [audience]);
}

fn status_of(class: ErrorClass) -> u16 {
    match class {
        ErrorClass::Unacceptable => 401,
        ErrorClass::Scope | ErrorClass::Target | ErrorClass::Denied => 403,
        ErrorClass::Unavailable | ErrorClass::OperatorFault | ErrorClass::Fault => 503,
        ErrorClass::ClientRefused | ErrorClass::UnusableResponse => 502,
    }
}
