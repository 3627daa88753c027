//! Only the module that accepts tokens from an exchanger can change or construct an issued token.

use obo_gateway::{clock::UnixTime, exchange::IssuedToken};

fn prolong(honest: &mut IssuedToken) {
    honest.expires_at = UnixTime::from_secs(0);
}

fn main() {}
