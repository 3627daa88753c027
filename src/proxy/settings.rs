//! The settings `listeners`, `shutdown` and `runtime`.

use crate::settings::{
    HumanDuration, ServerTlsSettings, fingerprint, listen_address, socket_address,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{borrow::Cow, fmt, net::SocketAddr, num::NonZeroUsize};

/// An address where the gateway accepts requests from applications.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenerSettings {
    /// Address and port to listen on. Port 0 selects a free port, which the log reports.
    #[schemars(schema_with = "listen_address")]
    #[serde(deserialize_with = "socket_address")]
    pub address: SocketAddr,
    /// The origin under which clients reach this listener, for example `https://api.example.com`. Default: derived
    /// from `address`, unless that is a wildcard address or port 0.
    #[schemars(regex(pattern = "^https?://[^/?#]+$"))]
    pub public_url: Option<String>,
    /// The listener's certificate. Without it the listener serves plain http.
    pub tls: Option<ServerTlsSettings>,
    /// Offers HTTP/2 in the TLS handshake (ALPN). Requires `tls`. Default: `true` with `tls`.
    pub http2: Option<bool>,
}

fingerprint!(ListenerSettings {
    fields: [public_url],
    without: {
        [address, http2]: "are about connections",
        [tls]: "is read again at each reload, and is about connections",
    },
});

/// How the gateway shuts down on SIGTERM or SIGINT.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ShutdownSettings {
    /// Time during which `/readyz` already fails but new connections are still accepted, so that load balancers
    /// notice the shutdown.
    pub delay: HumanDuration,
    /// Time that requests in progress have to finish after `delay`. New connections are refused. Connections that are
    /// still open at the end are closed.
    pub grace: HumanDuration,
}

fingerprint!(ShutdownSettings {
    without: { [delay, grace]: "apply when the process ends" },
});

impl Default for ShutdownSettings {
    fn default() -> Self {
        Self {
            delay: HumanDuration::from_secs(0),
            grace: HumanDuration::from_secs(30),
        }
    }
}

/// Resources that the gateway uses.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RuntimeSettings {
    /// Number of threads that serve requests.
    pub threads: ThreadSetting,
}

fingerprint!(RuntimeSettings {
    without: { [threads]: "applies from the next start" },
});

/// `auto`, or a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ThreadSetting {
    /// One thread for each core.
    #[default]
    Auto,
    /// A fixed number.
    Exactly(NonZeroUsize),
}

impl ThreadSetting {
    /// Returns the number of threads.
    pub fn count(self) -> usize {
        match self {
            Self::Auto => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            Self::Exactly(threads) => threads.get(),
        }
    }
}

impl<'de> Deserialize<'de> for ThreadSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AutoOrNumber;
        impl de::Visitor<'_> for AutoOrNumber {
            type Value = ThreadSetting;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("auto or a number from 1 to 1024")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                if text == "auto" {
                    Ok(ThreadSetting::Auto)
                } else {
                    Err(E::invalid_value(de::Unexpected::Str(text), &self))
                }
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
                usize::try_from(number)
                    .ok()
                    .filter(|threads| *threads <= 1024)
                    .and_then(NonZeroUsize::new)
                    .map(ThreadSetting::Exactly)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(number), &self))
            }
        }
        deserializer.deserialize_any(AutoOrNumber)
    }
}

impl Serialize for ThreadSetting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Exactly(threads) => threads.serialize(serializer),
        }
    }
}

impl JsonSchema for ThreadSetting {
    fn schema_name() -> Cow<'static, str> {
        "Threads".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "`auto` (one thread per core), or a number from 1 to 1024.",
            "oneOf": [
                { "const": "auto" },
                { "type": "integer", "minimum": 1, "maximum": 1024 },
            ],
            "examples": ["auto", 4],
        })
    }
}
