//! One test for each cell "not allowed" in the table of token types, and for each rule that refuses.

#[path = "cells/ends.rs"]
mod ends;
#[path = "cells/issuers.rs"]
mod issuers;
#[path = "cells/rules.rs"]
mod rules;
#[path = "cells/tokens.rs"]
mod tokens;

use super::world::{Ask, Endpoint, GROUND, at, time, url, with};
use crate::properties::subject::{GATEWAY, NOW};
use obo_gateway::{
    policy::PolicyError,
    store::{Revocation, RevocationKey},
    token::{TokenFormat, TokenTypeUri},
    verify::{
        ActorToken, AssertionError, FamilySubject, SubjectKindOfToken, SubjectToken, VerifyError,
    },
};
use serde_json::{Value, json};

const ACCESS: TokenTypeUri = TokenTypeUri::AccessToken;
const ID: TokenTypeUri = TokenTypeUri::IdToken;

fn portal(changes: Value) -> Value {
    let portal = json!({
        "id": "portal",
        "authentication": { "method": "private_key_jwt", "jwks_file": "client.json" },
        "grants": ["token_exchange"],
        "audiences": ["aggregates", "settings"],
        "scope": { "allow": ["openid", "profile", "email", "offline_access", "read"] },
        "token_formats": ["opaque", "jwt"],
        "impersonation": { "may_act_for": "any", "subjects": ["user_id", "jwt", "access_token", "id_token"] },
        "resources": [ { "resource": "https://aggregates.example.com", "audience": "aggregates" } ],
    });
    with(portal, &changes)
}

fn users() -> Value {
    json!([
        { "id": "alice", "claims": { "email": "alice@example.com" }, "organizations": [ { "id": "acme" } ] },
        { "id": "bob", "organizations": [ { "id": "acme" } ],
          "permissions": [ { "name": "impersonate", "within": "own_organizations" } ] },
        { "id": "carol", "organizations": [ { "id": "other" } ] },
        { "id": "root", "administrator": true, "organizations": [ { "id": "acme" } ] },
    ])
}

fn endpoint(changes: Value) -> Endpoint {
    Endpoint::new(1, Some(&users()), vec![portal(changes)])
}

fn access_claims(changes: Value) -> Value {
    let claims = json!({
        "iss": url(0), "sub": "alice", "aud": ["gateway", "aggregates"], "client_id": "portal",
        "iat": at(-10), "exp": at(600), "jti": "j", "scope": "openid profile read",
    });
    with(claims, &changes)
}

fn access(changes: Value) -> String {
    GROUND.sign(Some(0), "at+jwt", &access_claims(changes))
}

fn id_token(changes: Value) -> String {
    let claims = json!({
        "iss": url(0), "sub": "alice", "aud": ["portal", "aggregates"], "azp": "portal",
        "iat": at(-10), "exp": at(600), "nonce": "n", "auth_time": at(-20), "email": "a@example.com",
    });
    GROUND.sign(Some(0), "JWT", &with(claims, &changes))
}

fn own(changes: Value) -> String {
    let claims = json!({
        "iss": GATEWAY, "sub": "alice", "aud": "aggregates", "client_id": "portal", "jti": "s.x",
        "iat": at(-10), "exp": at(600), "scope": "read",
    });
    GROUND.sign(None, "at+jwt", &with(claims, &changes))
}

fn subject(endpoint: &Endpoint, changes: Value) -> SubjectToken {
    endpoint.subject(&access(changes), ACCESS).unwrap()
}

fn actor(endpoint: &Endpoint, changes: Value) -> ActorToken {
    let bob = with(json!({ "sub": "bob", "jti": "b" }), &changes);
    endpoint.actor(&access(bob), ACCESS).unwrap()
}

fn own_jwt(changes: Value) -> String {
    let claims = json!({
        "iss": "portal", "sub": "alice", "aud": GATEWAY, "iat": at(-10), "exp": at(300),
    });
    GROUND.sign_as_client(&with(claims, &changes))
}
