//! Suggests the known name that is most similar to an unknown one.

use crate::settings::Findings;
use serde_yaml::Mapping;
use strsim::osa_distance;

/// Returns the name from `known` that was most likely meant by `written`.
pub(super) fn nearest<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    // Invalid input can be long; no key is.
    if written.len() > 64 {
        return None;
    }
    let written = fold(written);
    known
        .iter()
        .map(|candidate| (osa_distance(&written, &fold(candidate)), *candidate))
        .filter(|(distance, candidate)| *distance <= tolerated(candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Reports that `key` is unknown. Returns the name from `known` that is probably meant, if it is not a key of `beside`.
pub(super) fn unknown<'k>(
    key: &str,
    known: &[&'k str],
    beside: &Mapping,
    findings: &mut Findings,
) -> Option<&'k str> {
    let nearest = nearest(key, known);
    let meant = nearest.filter(|key| !beside.contains_key(*key));
    let fix = match (meant, nearest) {
        (Some(meant), _) => format!("write `{meant}` if that is meant, or remove it"),
        (None, Some(written)) => format!("remove it: `{written}` is written already"),
        (None, None) if known.is_empty() => "remove it".to_owned(),
        (None, None) => format!("remove it; known keys: {}", known.join(", ")),
    };
    findings.error("unknown key", fix);
    meant
}

/// Returns the permitted number of edits: one for a short name, a third of the length for a longer one.
fn tolerated(candidate: &str) -> usize {
    (candidate.chars().count() / 3).max(1)
}

/// Treats `publicUrl`, `public-url` and `PublicURL` as equal.
fn fold(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["listeners", "issuer", "trusted_issuers", "routes", "cache"];

    #[test]
    fn a_slip_finds_the_name_that_was_meant() {
        for (written, meant) in [
            ("listener", "listeners"),
            ("rotues", "routes"),
            ("trustedIssuers", "trusted_issuers"),
            ("trusted-issuer", "trusted_issuers"),
            ("cahce", "cache"),
        ] {
            assert_eq!(nearest(written, KNOWN), Some(meant), "{written}");
        }
    }

    #[test]
    fn another_word_suggests_nothing() {
        for written in ["", "directory", "x", &"listeners".repeat(100)] {
            assert_eq!(nearest(written, KNOWN), None, "{written}");
        }
    }
}
