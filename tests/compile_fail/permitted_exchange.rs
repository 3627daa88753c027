//! An exchange is permitted by a policy; nobody else writes into it, and with a private field nobody else makes one.

use obo_gateway::policy::PermittedExchange;

fn widen(honest: &mut PermittedExchange) {
    honest.sub = "admin".into();
}

fn main() {}
