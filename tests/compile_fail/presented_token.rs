//! The token that a client presented cannot be attached to a request.

use obo_gateway::{cache::ForwardCredential, source::PresentedToken};

fn attach(_credential: &ForwardCredential) {}

fn forward(presented: PresentedToken) {
    attach(&presented);
}

fn main() {}
