//! Only a route table declares a route public.

use obo_gateway::route::Public;

fn forge() {
    let _ = Public { 0: () };
}

fn main() {}
