//! Permitted exchanges that differ in everything that an exchanger could lose or widen.

use crate::properties::{
    exchange::compiled,
    subject::{IDP, ISSUER, NOW},
};
use obo_gateway::{
    policy::{ExchangeRequest, ExchangeSettings, PermittedExchange},
    source::PresentedToken,
};
use serde_json::{Value, json};

/// A subject token and the exchange that a route permits for it.
#[derive(Debug, Clone)]
pub struct Situation {
    claims: Value,
    route: Value,
}

impl Default for Situation {
    /// A user's token with two scopes, ten minutes before its expiry, on a route that allows one of them for five.
    fn default() -> Self {
        let now = NOW.as_secs();
        Self {
            claims: json!({
                "iss": ISSUER, "sub": "alice", "aud": "portal", "client_id": "web", "jti": "1",
                "iat": now - 10, "exp": now + 600, "scope": "orders.read orders.write profile",
            }),
            route: json!({
                "audience": "orders-api",
                "scope": { "allow": ["orders.read"] },
                "token": { "lifetime": "5m" },
                "actor": { "type": "none" },
            }),
        }
    }
}

impl Situation {
    /// Sets or replaces a claim of the subject token.
    pub fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims[name] = value;
        self
    }

    /// Sets or replaces a setting of the route.
    pub fn route(mut self, name: &str, value: Value) -> Self {
        self.route[name] = value;
        self
    }

    /// Returns the permitted exchange and the token that the client presented for it.
    pub fn permit(&self) -> (PermittedExchange, PresentedToken) {
        let presented = IDP.presented(&self.claims);
        let subject = IDP.verified(&presented);
        let settings: ExchangeSettings = serde_json::from_value(self.route.clone()).unwrap();
        let policy = compiled(&settings);
        let permitted = policy.permit(ExchangeRequest::new(subject), NOW);
        (permitted.expect("a permitted exchange"), presented)
    }

    /// A subject token that an agent presents for the user.
    pub fn delegated() -> Self {
        Self::default().claim("act", json!({ "iss": ISSUER, "sub": "agent" }))
    }

    /// A subject token that is restricted to one order.
    pub fn restricted() -> Self {
        let details = json!([{ "type": "order", "id": "7" }]);
        Self::default()
            .claim("authorization_details", details)
            .route("authorization_details", json!("copy"))
    }
}

pub fn situations() -> Vec<Situation> {
    vec![
        Situation::default(),
        Situation::default().claim("exp", json!(NOW.as_secs() + 30)),
        Situation::default().claim("scope", json!("orders.read")),
        Situation::default().route("scope", json!({ "allow": [] })),
        Situation::default().route("token", json!({ "format": "opaque" })),
        Situation::default().route("token", json!({ "lifetime": "10s" })),
        Situation::default().route("subjects", json!("any")),
        Situation::default().route("actor", json!({ "type": "gateway" })),
        Situation::delegated(),
        Situation::restricted(),
    ]
}
