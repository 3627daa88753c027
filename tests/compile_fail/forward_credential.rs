//! Only `cache` constructs the credential that is forwarded.

use obo_gateway::cache::ForwardCredential;

fn forge(honest: ForwardCredential) {
    let _ = ForwardCredential { ..honest };
}

fn main() {}
