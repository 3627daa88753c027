//! What a token says, as the one who received it tells.

use super::client::Answer;
use crate::token::RawToken;
use serde_json::{Map, Value};

/// What an API says that a token holds.
pub(super) struct Received(pub(super) Map<String, Value>);

impl Received {
    pub(super) fn of(answer: &Answer) -> Self {
        let claims = answer.json().get("token_received").cloned();
        Self(
            claims
                .and_then(|claims| claims.as_object().cloned())
                .unwrap_or_default(),
        )
    }

    /// A claim as a person reads it.
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

    /// Who acts, by RFC 8693 §4.1.
    pub(super) fn actor(&self) -> Option<&str> {
        self.0.get("act")?.get("sub")?.as_str()
    }

    /// How long it lives, as a person says it.
    pub(super) fn life_text(&self) -> String {
        match self.life() {
            Some(seconds) if seconds >= 60 && seconds % 60 == 0 => format!("{} min", seconds / 60),
            Some(seconds) => format!("{seconds} s"),
            None => "?".to_owned(),
        }
    }

    /// Seconds from `iat` to `exp`.
    fn life(&self) -> Option<i64> {
        let seconds = |name| self.0.get(name).and_then(Value::as_i64);
        Some(seconds("exp")? - seconds("iat")?)
    }

    pub(super) fn lives_at_most(&self, seconds: i64) -> bool {
        self.life()
            .is_some_and(|life| (1..=seconds).contains(&life))
    }
}

/// The start and the end of a token: enough to tell two apart, useless to anybody else.
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
