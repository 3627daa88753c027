//! A token is accepted from an exchanger; nobody else writes into it, and with a private field nobody else makes one.

use obo_gateway::{clock::UnixTime, exchange::IssuedToken};

fn prolong(honest: &mut IssuedToken) {
    honest.expires_at = UnixTime::from_secs(0);
}

fn main() {}
