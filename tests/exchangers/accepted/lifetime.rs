//! How long a provider's token is used.

use super::{accept, granted, jwt, opaque, refused};
use crate::{
    exchangers::{scripted::profile, situations::Situation},
    properties::subject::NOW,
};
use obo_gateway::exchange::{
    AttenuationError, LongerLived, ProviderProfile, TokenResponse, WithoutExpiry,
};
use serde_json::json;
use std::time::Duration;

#[test]
fn a_longer_lifetime_is_cut_or_refused_and_never_used() {
    let longer = || {
        [
            TokenResponse {
                expires_in: Some(Duration::from_secs(3_600)),
                ..opaque()
            },
            TokenResponse {
                expires_in: Some(Duration::MAX),
                ..opaque()
            },
            TokenResponse {
                expires_in: Some(Duration::from_secs(3_600)),
                ..jwt(json!({ "exp": NOW.as_secs() + 3_600 }))
            },
        ]
    };
    let short = Situation::default().claim("exp", json!(NOW.as_secs() + 30));
    for response in longer() {
        let issued = accept(&short, response, &profile()).unwrap();
        assert_eq!(issued.expires_at().as_secs(), NOW.as_secs() + 30);
    }
    let refusing = ProviderProfile {
        longer_lived: LongerLived::Refuse,
        ..profile()
    };
    // the API reads the claim, whatever the member says
    for response in longer()
        .into_iter()
        .chain([jwt(json!({ "exp": NOW.as_secs() + 3_600 }))])
    {
        let accepted = accept(&short, response, &refusing);
        assert_eq!(accepted.err(), Some(AttenuationError::Lifetime));
    }
    assert!(accept(&Situation::default(), jwt(json!({})), &refusing).is_ok());
}

#[test]
fn the_earlier_of_both_expiry_times_counts_and_an_expired_token_is_refused() {
    let issued = granted(jwt(json!({ "exp": NOW.as_secs() + 20 })));
    assert_eq!(issued.expires_at().as_secs(), NOW.as_secs() + 20);
    let now = NOW.as_secs();
    for exp in [json!(now), json!(now - 1), json!("soon"), json!(-1)] {
        refused(jwt(json!({ "exp": exp })), AttenuationError::Lifetime);
    }
    let over = TokenResponse {
        expires_in: Some(Duration::ZERO),
        ..opaque()
    };
    refused(over, AttenuationError::Lifetime);
}

#[test]
fn without_an_expiry_time_a_token_is_refused_or_not_cached() {
    let endless = || {
        [opaque(), jwt(json!({ "exp": null }))].map(|response| TokenResponse {
            expires_in: None,
            ..response
        })
    };
    let once = ProviderProfile {
        without_expiry: WithoutExpiry::DoNotCache,
        ..profile()
    };
    for response in endless() {
        refused(response, AttenuationError::Lifetime);
    }
    for response in endless() {
        let issued = accept(&Situation::default(), response, &once).unwrap();
        assert!(!issued.may_be_cached());
        assert_eq!(issued.expires_at().as_secs(), NOW.as_secs() + 300);
    }
    let stated = accept(&Situation::default(), opaque(), &once).unwrap();
    assert!(stated.may_be_cached());
}
