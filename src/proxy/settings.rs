//! `listeners`, `shutdown` and `runtime` as they are written.

use crate::settings::{HumanDuration, ServerTlsSettings, socket_address};
use serde::{Deserialize, Deserializer, de};
use std::{fmt, net::SocketAddr, num::NonZeroUsize};

/// One item of `listeners`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenerSettings {
    /// Address and port; port 0 is a free one.
    #[serde(deserialize_with = "socket_address")]
    pub address: SocketAddr,
    /// The certificate; cleartext without.
    pub tls: Option<ServerTlsSettings>,
    /// HTTP/2 by ALPN; on by default with `tls`.
    pub http2: Option<bool>,
}

/// `shutdown`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShutdownSettings {
    /// Not ready, still accepting: for load balancers that need to notice.
    pub delay: HumanDuration,
    /// Until requests under way must have ended.
    pub grace: HumanDuration,
}

impl Default for ShutdownSettings {
    fn default() -> Self {
        Self {
            delay: HumanDuration::from_secs(0),
            grace: HumanDuration::from_secs(30),
        }
    }
}

/// `runtime`.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuntimeSettings {
    /// Threads that serve requests.
    pub threads: ThreadSetting,
}

/// `auto`, or a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ThreadSetting {
    /// One for each core.
    #[default]
    Auto,
    /// This many.
    Exactly(NonZeroUsize),
}

impl ThreadSetting {
    /// The number of threads.
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
