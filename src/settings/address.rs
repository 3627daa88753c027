//! Addresses to listen on.

use serde::{Deserializer, de};
use std::{fmt, net::SocketAddr};

/// Parses an address and port, for `#[serde(deserialize_with)]`.
///
/// # Errors
/// Names the expected and the found text.
pub fn socket_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    struct Address;
    impl de::Visitor<'_> for Address {
        type Value = SocketAddr;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an address and port such as 127.0.0.1:8080 or [::]:8443")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<SocketAddr, E> {
            let wrong = || E::invalid_value(de::Unexpected::Str(text), &self);
            text.parse().map_err(|_| wrong())
        }
    }
    deserializer.deserialize_str(Address)
}
