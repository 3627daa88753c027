//! Prints a decision for people: at most 80 characters wide, with colors or plain.
//!
//! Control characters of a request or a token are escaped. Colors never carry information of their own.

use super::{
    Explanation,
    explanation::{ResponseReport, StepReport, Verdict},
    scopes::Fate,
};
use crate::{
    cli::{
        terminal::{Ink, Paint, StyledWriter, WIDTH},
        wrap::cut_to,
    },
    clock::UnixTime,
};
use serde_json::{Map, Value};
use std::{
    fmt::Write as _,
    io::{self, Write},
};

/// Width of the names of steps.
const NAME: usize = 23;
/// Minimum width of scopes and claims.
const KEY: usize = 16;

struct Page<'a> {
    out: StyledWriter<'a>,
}

impl Explanation {
    /// Writes the explanation for people.
    ///
    /// # Errors
    /// The errors of `out`.
    pub(super) fn write(&self, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
        let mut page = Page {
            out: StyledWriter::new(out, paint),
        };
        let request = &self.request;
        page.heading(&format!(
            "{} {}{}",
            request.method, request.host, request.path
        ))?;
        let at = UnixTime::from_secs(self.at).to_rfc3339();
        page.out.line(
            Ink::Faint,
            &format!("decided at {}", at.unwrap_or_else(|| self.at.to_string())),
        )?;
        page.out.space()?;
        for step in &self.steps {
            page.step(step)?;
        }
        self.scopes_on(&mut page)?;
        self.ending_on(&mut page)
    }

    fn scopes_on(&self, page: &mut Page<'_>) -> io::Result<()> {
        if self.scopes.is_empty() {
            return Ok(());
        }
        page.out.space()?;
        page.heading("Scopes")?;
        let width = self
            .scopes
            .iter()
            .map(|report| report.scope.chars().count());
        let width = width.max().unwrap_or(KEY).clamp(KEY, 30);
        for report in &self.scopes {
            let (ink, mark) = match report.fate {
                Fate::Kept => (Ink::Good, "+"),
                Fate::Replaced => (Ink::Faint, ">"),
                Fate::Dropped | Fate::NotHeld => (Ink::Bad, "-"),
            };
            page.pair(ink, mark, &report.scope, width, &report.words())?;
        }
        Ok(())
    }

    fn ending_on(&self, page: &mut Page<'_>) -> io::Result<()> {
        page.out.space()?;
        match (self.verdict, &self.route, &self.response) {
            (Verdict::Forwarded, Some(route), _) => {
                let with = match self.claims {
                    Some(_) => "with an on-behalf-of token",
                    None => "without a token",
                };
                page.out.line(Ink::Good, &format!("Forwarded {with}"))?;
                let targets = route.targets.join(", ");
                page.text(2, &format!("to {targets}, path {}", route.upstream_path))?;
                if let Some(claims) = &self.claims {
                    page.out.space()?;
                    page.heading(
                        "Claims of the token that the API receives (jti and iat change each time)",
                    )?;
                    page.claims(claims)?;
                }
                Ok(())
            }
            (Verdict::Refused, _, Some(response)) => page.refusal(response),
            (_, _, Some(response)) => {
                page.out.line(
                    Ink::Good,
                    &format!("Response of the gateway: {}", response.status),
                )?;
                page.fields(response)
            }
            (_, _, None) => Ok(()),
        }
    }
}

impl Page<'_> {
    fn heading(&mut self, text: &str) -> io::Result<()> {
        for line in cut_to(&clean(text), WIDTH) {
            self.out.line(Ink::Strong, &line)?;
        }
        Ok(())
    }

    fn text(&mut self, indent: usize, text: &str) -> io::Result<()> {
        for line in cut_to(&clean(text), WIDTH - indent) {
            writeln!(self.out, "{:indent$}{line}", "")?;
        }
        Ok(())
    }

    /// Writes a check. The expected value is shown only if the check failed.
    fn step(&mut self, step: &StepReport) -> io::Result<()> {
        if step.passed {
            return self.pair(Ink::Good, "✔", step.words, NAME, &step.found);
        }
        let found = match (step.found.as_str(), step.wanted.as_str()) {
            ("", "") => "refused".to_owned(),
            ("", wanted) => format!("refused: expected {wanted}"),
            (found, "") => format!("refused: {found}"),
            (found, wanted) => format!("refused: {found}; expected {wanted}"),
        };
        self.pair(Ink::Bad, "✘", step.words, NAME, &found)
    }

    /// Writes a mark, a key and a text; long texts continue on further lines.
    fn pair(
        &mut self,
        ink: Ink,
        mark: &str,
        key: &str,
        width: usize,
        text: &str,
    ) -> io::Result<()> {
        let mark = self.out.inked(ink, mark);
        let keys = cut_to(&clean(key), WIDTH - 4);
        let (last, before) = keys
            .split_last()
            .map_or(("", &[][..]), |(l, b)| (l.as_str(), b));
        let indent = width + 5;
        let mut mark = mark;
        for line in before {
            writeln!(self.out, "  {mark} {line}")?;
            mark = " ".to_owned();
        }
        let mut lines = cut_to(&clean(text), WIDTH - indent).into_iter();
        if last.chars().count() > width {
            writeln!(self.out, "  {mark} {last}")?;
        } else {
            let first = lines.next().unwrap_or_default();
            let line = format!("  {mark} {last:width$} {first}");
            writeln!(self.out, "{}", line.trim_end())?;
        }
        for line in lines {
            writeln!(self.out, "{:indent$}{line}", "")?;
        }
        Ok(())
    }

    fn claims(&mut self, claims: &Map<String, Value>) -> io::Result<()> {
        let width = claims.keys().map(|name| name.chars().count()).max();
        let width = width.unwrap_or(KEY).clamp(KEY, 30);
        for (name, value) in claims {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            self.pair(Ink::Faint, " ", name, width, &value)?;
        }
        Ok(())
    }

    fn refusal(&mut self, response: &ResponseReport) -> io::Result<()> {
        let reason = response.reason.unwrap_or_default();
        self.out
            .line(Ink::Bad, &format!("Refused, reason {reason}"))?;
        if let Some(cause) = &response.cause {
            self.text(2, cause)?;
        }
        let error = response.error.unwrap_or_default();
        let description = response.description.unwrap_or_default();
        let report = format!(
            "Response to the client: {} {error}, \"{description}\"",
            response.status
        );
        self.text(2, &report)?;
        self.fields(response)
    }

    fn fields(&mut self, response: &ResponseReport) -> io::Result<()> {
        for (name, value) in &response.fields {
            self.text(2, &format!("{name}: {value}"))?;
        }
        Ok(())
    }
}

/// Escapes control characters, so that a claim cannot control the terminal.
fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        // direction marks and similar characters can reverse a line
        if character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            let _ = write!(clean, "{}", character.escape_unicode());
        } else {
            clean.push(character);
        }
    }
    clean
}
