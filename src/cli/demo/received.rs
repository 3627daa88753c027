//! The claims of a token that an API received.

use super::client::DemoResponse;
use crate::token::RawToken;
use serde_json::{Map, Value};

/// The claims of a token, as the API reports them.
pub(super) struct Received(pub(super) Map<String, Value>);

impl Received {
    pub(super) fn of(response: &DemoResponse) -> Self {
        let claims = response.json().get("token_received").cloned();
        Self(
            claims
                .and_then(|claims| claims.as_object().cloned())
                .unwrap_or_default(),
        )
    }

    /// Returns a claim as text.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let value = self.0.get(name)?;
        Some(
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned),
        )
    }

    pub(super) fn is(&self, name: &str, value: &str) -> bool {
        self.0.get(name).and_then(Value::as_str) == Some(value)
    }

    /// Returns the actor (RFC 8693 §4.1).
    pub(super) fn actor(&self) -> Option<&str> {
        self.0.get("act")?.get("sub")?.as_str()
    }

    /// Returns the lifetime as text.
    pub(super) fn life_text(&self) -> String {
        match self.life() {
            Some(seconds) if seconds >= 60 && seconds % 60 == 0 => format!("{} min", seconds / 60),
            Some(seconds) => format!("{seconds} s"),
            None => "?".to_owned(),
        }
    }

    /// Returns the seconds from `iat` to `exp`.
    fn life(&self) -> Option<i64> {
        let seconds = |name| self.0.get(name).and_then(Value::as_i64);
        Some(seconds("exp")? - seconds("iat")?)
    }

    pub(super) fn lives_at_most(&self, seconds: i64) -> bool {
        self.life()
            .is_some_and(|life| (1..=seconds).contains(&life))
    }
}

/// Returns the start and the end of a token: enough to distinguish two tokens, too little to use them.
pub(super) fn shortened(token: Option<&RawToken>) -> String {
    let Some(token) = token else {
        return "–".to_owned();
    };
    let text = String::from_utf8_lossy(token.expose());
    let start: String = text.chars().take(8).collect();
    let length = text.chars().count();
    let end: String = text.chars().skip(length.saturating_sub(6)).collect();
    format!("{start}…{end}")
}
