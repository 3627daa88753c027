//! Only the policy can change or construct a permitted exchange.

use obo_gateway::policy::PermittedExchange;

fn widen(honest: &mut PermittedExchange) {
    honest.sub = "admin".into();
}

fn main() {}
