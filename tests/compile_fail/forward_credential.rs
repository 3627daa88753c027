//! What is forwarded is made in `cache` alone.

use obo_gateway::cache::ForwardCredential;

fn forge(honest: ForwardCredential) {
    let _ = ForwardCredential { ..honest };
}

fn main() {}
