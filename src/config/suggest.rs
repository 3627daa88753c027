//! Suggests the known name that is most similar to an unknown one.

use crate::settings::Findings;
use serde_yaml::Mapping;

/// Returns the name from `known` that was most likely meant by `written`.
pub(super) fn nearest<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    // Invalid input can be long; no key is.
    if written.len() > 64 {
        return None;
    }
    let written = fold(written);
    known
        .iter()
        .map(|candidate| (distance(&written, &fold(candidate)), *candidate))
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
fn fold(name: &str) -> Vec<char> {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// Returns the number of edits (insert, remove, replace, swap neighbors) from `left` to `right`: optimal string
/// alignment.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    let mut left_previous = None;
    for (row, &l) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        let mut right_previous = None;
        for (column, &r) in right.iter().enumerate() {
            let at =
                |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&last, column) + usize::from(l != r);
            let mut best = replaced
                .min(at(&last, column + 1) + 1)
                .min(at(&current, column) + 1);
            if left_previous == Some(r) && right_previous == Some(l) && column > 0 {
                best = best.min(at(&before_last, column - 1) + 1);
            }
            current.push(best);
            right_previous = Some(r);
        }
        before_last = std::mem::replace(&mut last, current);
        left_previous = Some(l);
    }
    last.last().copied().unwrap_or(usize::MAX)
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
