//! A subject token is proven in `verify`; nobody else writes into it, and with a private field nobody else makes one.

use obo_gateway::verify::SubjectToken;

fn rename(honest: &mut SubjectToken) {
    honest.sub = "admin".into();
}

fn main() {}
