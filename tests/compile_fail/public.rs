//! Only a route table can declare a route public.

use obo_gateway::route::Public;

fn forge() {
    let _ = Public { 0: () };
}

fn main() {}
