//! The response of an exchanger cannot be cached before it is accepted.

use obo_gateway::exchange::{IssuedToken, TokenResponse};

fn remember(_issued: IssuedToken) {}

fn skip_acceptance(response: TokenResponse) {
    remember(response);
}

fn main() {}
