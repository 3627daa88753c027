//! Only `verify` can change or construct a subject token.

use obo_gateway::verify::SubjectToken;

fn rename(honest: &mut SubjectToken) {
    honest.sub = "admin".into();
}

fn main() {}
