//! Prints findings for people.
//!
//! A finding is printed as `gateway.yaml:14:7 routes[2].exchange.audience: expected a name, found ""`, followed by the
//! indented reason and fix. The findings are sorted by position and counted in the last line. Control characters from
//! the file are escaped.

use super::terminal::{Ink, Paint};
use crate::{
    config::Marks,
    settings::{Finding, Severity},
};
use std::io::{self, Write};

/// Writes every finding with its position, and the number of findings. Writes nothing if there are none.
///
/// # Errors
/// The errors of `out`.
pub fn render(
    findings: &[Finding],
    marks: &Marks,
    paint: Paint,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut placed: Vec<_> = findings
        .iter()
        .map(|finding| (marks.find(&finding.path), finding))
        .collect();
    placed.sort_by_key(|(mark, _)| *mark);
    for (mark, finding) in &placed {
        let (ink, severity) = match finding.severity {
            Severity::Error => (Ink::Error, ""),
            Severity::Warning => (Ink::Warning, "warning: "),
        };
        let place = format!("{}:{}:{}", clean(marks.file()), mark.line, mark.column);
        let path = clean(&finding.path.to_string());
        let colon = if path.is_empty() { "" } else { ": " };
        let what = clean(&finding.what);
        let path = paint.inked(ink, &path);
        writeln!(out, "{place} {path}{colon}{severity}{what}")?;
        if let Some(why) = &finding.why {
            writeln!(
                out,
                "    {} {}",
                paint.inked(Ink::Faint, "why:"),
                clean(why)
            )?;
        }
        let fix = clean(&finding.fix);
        writeln!(out, "    {} {fix}", paint.inked(Ink::Faint, "fix:"))?;
    }
    if placed.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", summary(findings))
}

/// Returns for example `5 errors, 1 warning`.
fn summary(findings: &[Finding]) -> String {
    let errors = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .count();
    let parts: Vec<String> = [(errors, "error"), (findings.len() - errors, "warning")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, noun)| format!("{count} {noun}{}", if count == 1 { "" } else { "s" }))
        .collect();
    parts.join(", ")
}

/// Escapes characters that move the cursor or change the text direction: keys are printed as they are in the file.
fn clean(text: &str) -> String {
    text.chars().fold(String::new(), |mut clean, c| {
        if c.is_control() || turns_writing(c) {
            clean.extend(c.escape_default());
        } else {
            clean.push(c);
        }
        clean
    })
}

/// Returns `true` for invisible characters that change the direction or order of text (Unicode UAX 9) or have no width.
fn turns_writing(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
