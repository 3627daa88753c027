//! What an exchanger answered is not yet a token to remember: it has to be accepted first.

use obo_gateway::exchange::{IssuedToken, TokenResponse};

fn remember(_issued: IssuedToken) {}

fn skip_acceptance(response: TokenResponse) {
    remember(response);
}

fn main() {}
