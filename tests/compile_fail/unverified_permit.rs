//! A presented token cannot be exchanged: only a verified one can.

use obo_gateway::{source::PresentedToken, verify::SubjectToken};

fn exchange(_subject: SubjectToken) {}

fn skip_verification(presented: PresentedToken) {
    exchange(presented);
}

fn main() {}
