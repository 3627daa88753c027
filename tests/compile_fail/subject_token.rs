//! A subject token is proven in `verify`, not declared.

use obo_gateway::verify::SubjectToken;

fn forge(honest: SubjectToken) {
    let _ = SubjectToken { ..honest };
}

fn main() {}
