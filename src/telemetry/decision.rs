//! The decision about a token, as logs and operators see it: the subject, and the checks that were made.
//!
//! The names are encoded as JSON once, when the decision is made. Each request that uses the decision copies them.

use super::{DecisionStep, Principal, json::escape};
use serde_json::{Map, Value};

/// The names in a decision. Unknown names are absent.
#[derive(Debug, Clone, Copy, Default)]
pub struct DecisionNames<'a> {
    /// The issuer's name in the configuration.
    pub issuer: Option<&'a str>,
    /// The subject of a refused token, as its issuer names it.
    pub subject: Option<&'a str>,
    /// `sub` of the issued token.
    pub sub: Option<&'a str>,
    /// The calling application.
    pub client_id: Option<&'a str>,
    /// The current actor.
    pub actor: Option<&'a str>,
    /// `jti` of the issued token.
    pub jti: Option<&'a str>,
}

/// A decision about a token. It never contains the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenDecision {
    /// `,"name":"value"` for each known name.
    text: Box<[u8]>,
    /// The end of each name's piece in the text.
    ends: [u16; NAMES.len()],
    /// The checks that were started. All except the last one were passed. Empty for an issued token, which passed all.
    steps: Box<[DecisionStep]>,
}

/// The names, in the order of their pieces.
const NAMES: [&str; 6] = ["issuer", "subject", "sub", "client_id", "actor", "jti"];
/// The maximum length of each value in bytes, before escaping. A `jti` may contain a sealed lineage.
const LONGEST: [usize; NAMES.len()] = [255, 255, 255, 255, 255, 1024];

impl TokenDecision {
    /// Creates a decision about `names` that was made by `steps`.
    pub fn new(names: &DecisionNames<'_>, steps: &[DecisionStep]) -> Self {
        let values = [
            names.issuer,
            names.subject,
            names.sub,
            names.client_id,
            names.actor,
            names.jti,
        ];
        let (mut text, mut ends) = (Vec::with_capacity(128), [0; NAMES.len()]);
        for (((name, value), most), end) in NAMES.iter().zip(values).zip(LONGEST).zip(&mut ends) {
            if let Some(value) = value {
                text.extend_from_slice(b",\"");
                text.extend_from_slice(name.as_bytes());
                text.extend_from_slice(b"\":\"");
                escape(bounded(value, most), &mut text);
                text.push(b'"');
            }
            *end = u16::try_from(text.len()).unwrap_or(u16::MAX);
        }
        Self {
            text: text.into(),
            ends,
            steps: steps.into(),
        }
    }

    /// Creates a refusal of a token of `principal`, if it was verified.
    pub fn refused(principal: Option<&Principal>, steps: &[DecisionStep]) -> Self {
        let names = principal.map(|principal| DecisionNames {
            issuer: Some(&principal.issuer),
            subject: principal.subject.as_deref(),
            client_id: principal.client_id.as_deref(),
            ..DecisionNames::default()
        });
        Self::new(&names.unwrap_or_default(), steps)
    }

    /// Returns `true` if no name is known.
    pub fn is_about_nobody(&self) -> bool {
        self.text.is_empty()
    }

    /// The checks that were started. The last one refused.
    pub fn steps(&self) -> &[DecisionStep] {
        &self.steps
    }

    /// The known names with their values.
    pub fn names(&self) -> Map<String, Value> {
        // without the first comma, this is the content of a JSON object
        let inside = self.text.get(1..).unwrap_or_default();
        let object = [b"{", inside, b"}"].concat();
        serde_json::from_slice(&object).unwrap_or_default()
    }

    /// All pieces, each starting with a comma.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Returns the piece of the name at `position`. It is empty if the name is unknown.
    pub(super) fn piece(&self, position: usize) -> &[u8] {
        let begin = position
            .checked_sub(1)
            .and_then(|before| self.ends.get(before))
            .map_or(0, |end| usize::from(*end));
        let end = self.ends.get(position).map_or(0, |end| usize::from(*end));
        self.text.get(begin..end).unwrap_or_default()
    }

    /// The memory that the decision takes, in bytes.
    pub fn weight(&self) -> usize {
        size_of::<Self>() + 16 + self.text.len() + size_of_val(&*self.steps)
    }
}

/// Returns the beginning of `text`, at most `most` bytes long.
pub(super) fn bounded(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(text: &[u8]) -> Value {
        let text = [b"{\"x\":0", text, b"}"].concat();
        serde_json::from_slice(&text).unwrap()
    }

    proptest! {
        #[test]
        fn every_name_is_read_back_as_it_was_or_cut(
            values in prop::array::uniform6(prop::option::of("\\PC{0,20}|(?s:.){0,20}|[\"\\\\]{0,600}")),
        ) {
            let [issuer, subject, sub, client_id, actor, jti] = values.each_ref().map(Option::as_deref);
            let names = DecisionNames { issuer, subject, sub, client_id, actor, jti };
            let decision = TokenDecision::new(&names, &[]);
            let all = read(decision.text());
            let mut pieces = Vec::new();
            for (position, name) in NAMES.iter().enumerate() {
                let expected = values[position].as_deref().map(|value| bounded(value, LONGEST[position]));
                prop_assert_eq!(all.get(*name).and_then(Value::as_str), expected);
                let piece = read(decision.piece(position));
                prop_assert_eq!(piece.get(*name).and_then(Value::as_str), expected);
                pieces.extend_from_slice(decision.piece(position));
            }
            prop_assert_eq!(pieces.as_slice(), decision.text());
            prop_assert!(decision.text().iter().all(|byte| *byte >= 0x20));
        }

        #[test]
        fn a_bounded_text_is_a_beginning_and_never_longer(text in "(?s:.){0,50}", most in 0_usize..60) {
            let cut = bounded(&text, most);
            prop_assert!(cut.len() <= most && text.starts_with(cut));
            prop_assert!(text.len() <= most || cut.len() + 4 > most);
        }
    }

    #[test]
    fn a_refusal_names_whom_the_token_is_about() {
        let principal = Principal {
            issuer: "corp".into(),
            subject: Some("al\"ice".into()),
            client_id: None,
        };
        let decision = TokenDecision::refused(
            Some(&principal),
            &[DecisionStep::Form, DecisionStep::Audience],
        );
        assert_eq!(
            read(decision.text()),
            json!({"x": 0, "issuer": "corp", "subject": "al\"ice"})
        );
        assert_eq!(
            decision.steps(),
            [DecisionStep::Form, DecisionStep::Audience]
        );
        assert_eq!(
            json!(decision.names()),
            json!({"issuer": "corp", "subject": "al\"ice"})
        );
        assert_eq!(TokenDecision::refused(None, &[]).text(), b"");
        assert!(TokenDecision::refused(None, &[]).names().is_empty());
    }
}
