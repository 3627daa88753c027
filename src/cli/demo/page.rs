//! Formats the demo: at most 80 characters wide, with colors or plain. Counts the statements and those that were not
//! confirmed. On a narrower page, columns are written one below the other.

use crate::cli::{
    terminal::{Ink, Paint, StyledWriter, WIDTH},
    wrap::{cut_to, wrapped},
};
use std::io::{self, Write};

/// Minimum width: lines are longer on a narrower terminal.
const LEAST: usize = 30;
/// Widths of the columns of a table: words, claim, and each side.
const WORDS: usize = 13;
const CLAIM: usize = 10;
const SIDE: usize = 25;

/// The output of the demo.
pub(super) struct Page<'a> {
    out: StyledWriter<'a>,
    width: usize,
    promised: usize,
    broken: usize,
}

/// One side of a row.
#[derive(Clone)]
pub(super) enum Cell {
    /// The same as the other side, or the side of reference.
    Same(String),
    /// Different from the left side.
    Changed(String),
    /// Only on the left side.
    Dropped(String),
    /// Only on the right side.
    Added(String),
    /// No value.
    Absent,
}

impl<'a> Page<'a> {
    /// Creates a page for a terminal with this number of columns.
    pub(super) fn new(out: &'a mut dyn Write, paint: Paint, columns: usize) -> Self {
        Self {
            out: StyledWriter::new(out, paint),
            width: columns.clamp(LEAST, WIDTH),
            promised: 0,
            broken: 0,
        }
    }

    /// Writes the number and title of a scene, with a rule below.
    pub(super) fn heading(&mut self, title: &str) -> io::Result<()> {
        let number = title.split("  ").next().filter(|_| title.contains("  "));
        let indent = number.map_or(0, |number| number.chars().count() + 2);
        let words = title.get(indent..).unwrap_or(title);
        self.space()?;
        for (position, line) in wrapped(words, self.width - indent).iter().enumerate() {
            let number = number.filter(|_| position == 0).unwrap_or_default();
            self.out
                .line(Ink::Strong, &format!("{number:indent$}{line}"))?;
        }
        self.out.line(Ink::Faint, &"─".repeat(self.width - 2))
    }

    /// Writes a paragraph, wrapped at words.
    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        for line in wrapped(text, self.width - 4) {
            writeln!(self.out, "  {line}")?;
        }
        Ok(())
    }

    /// Writes a line, wrapped if it is too long, with the same indentation.
    pub(super) fn line(&mut self, ink: Ink, text: &str) -> io::Result<()> {
        if text.chars().count() + 2 <= self.width {
            return self.command(ink, text);
        }
        let indent = text.chars().take_while(|c| *c == ' ').count();
        for line in cut_to(text, self.width - 2 - indent) {
            self.command(ink, &format!("{:indent$}{line}", ""))?;
        }
        Ok(())
    }

    /// Writes a line that is never wrapped, because the user may copy it.
    pub(super) fn command(&mut self, ink: Ink, text: &str) -> io::Result<()> {
        let text = self.inked(ink, text);
        writeln!(self.out, "  {text}")
    }

    /// Writes a shell comment.
    pub(super) fn comment(&mut self, text: &str) -> io::Result<()> {
        for line in wrapped(text, self.width - 4) {
            self.command(Ink::Faint, &format!("# {line}"))?;
        }
        Ok(())
    }

    /// Writes texts side by side, each with its width, or one below the other on a narrow page.
    pub(super) fn columns(&mut self, cells: &[(Ink, usize, &str)]) -> io::Result<()> {
        if self.is_narrow() {
            for (position, (ink, _, text)) in cells.iter().enumerate() {
                let indent = if position == 0 { "" } else { "  " };
                self.line(*ink, &format!("{indent}{text}"))?;
            }
            return Ok(());
        }
        let inked = |(ink, width, text): &(Ink, usize, &str)| {
            let filling = " ".repeat(width.saturating_sub(text.chars().count()));
            format!("{}{filling}", self.inked(*ink, text))
        };
        let line: String = cells.iter().map(inked).collect();
        writeln!(self.out, "  {line}")
    }

    /// Returns `true` if the page is too narrow for tables.
    fn is_narrow(&self) -> bool {
        self.width < WIDTH
    }

    pub(super) fn space(&mut self) -> io::Result<()> {
        self.out.space()
    }

    /// Writes the headings of both sides of the rows below.
    pub(super) fn sides(&mut self, left: &str, right: &str) -> io::Result<()> {
        if self.is_narrow() {
            self.line(Ink::Strong, &format!("  {left}"))?;
            return self.line(Ink::Strong, &format!("▸ {right}"));
        }
        let margin = " ".repeat(WORDS + CLAIM);
        let text = format!("{margin}{left:SIDE$}{right}");
        self.line(Ink::Strong, &text)
    }

    /// Writes one row: its label, the name of the claim, and both sides.
    pub(super) fn row(
        &mut self,
        words: &str,
        claim: &str,
        left: &Cell,
        right: &Cell,
    ) -> io::Result<()> {
        if self.is_narrow() {
            return self.narrow_row(words, claim, left, right);
        }
        let words = format!("{words:WORDS$}");
        let claim = self.inked(Ink::Faint, &format!("{claim:CLAIM$}"));
        let left = self.cell(left, SIDE);
        let right = self.cell(right, 0);
        writeln!(self.out, "  {words}{claim}{left}{right}")
    }

    /// Writes a row one side below the other; the right side has the mark that [`Page::sides`] shows.
    fn narrow_row(
        &mut self,
        words: &str,
        claim: &str,
        left: &Cell,
        right: &Cell,
    ) -> io::Result<()> {
        if !(words.is_empty() && claim.is_empty()) {
            let gap = if words.is_empty() || claim.is_empty() {
                ""
            } else {
                " "
            };
            let claim = self.inked(Ink::Faint, claim);
            writeln!(self.out, "  {words}{gap}{claim}")?;
        }
        let (left, right) = (self.cell(left, 0), self.cell(right, 0));
        writeln!(self.out, "    {left}\n  ▸ {right}")
    }

    /// Writes a statement with the result of its check, and counts it.
    pub(super) fn promise(&mut self, kept: bool, text: &str) -> io::Result<()> {
        self.promised += 1;
        let (ink, mark) = if kept {
            (Ink::Good, "✔")
        } else {
            self.broken += 1;
            (Ink::Bad, "✘ failed:")
        };
        let mark = self.inked(ink, mark);
        let room = self.width - if kept { 6 } else { 15 };
        for (position, line) in wrapped(text, room).into_iter().enumerate() {
            if position == 0 {
                writeln!(self.out, "  {mark} {line}")?;
            } else {
                writeln!(self.out, "    {line}")?;
            }
        }
        Ok(())
    }

    /// Returns the number of statements, and of those that were not confirmed.
    pub(super) fn tally(&self) -> (usize, usize) {
        (self.promised, self.broken)
    }

    /// Returns `text` in the style `ink`, if the page has colors.
    pub(super) fn inked(&self, ink: Ink, text: &str) -> String {
        self.out.inked(ink, text)
    }

    fn cell(&self, cell: &Cell, width: usize) -> String {
        let (ink, shown) = match cell {
            Cell::Same(text) => (Ink::Plain, text.clone()),
            Cell::Changed(text) => (Ink::Notable, text.clone()),
            Cell::Added(text) => (Ink::Good, format!("+ {text}")),
            Cell::Dropped(text) => return self.dropped(text),
            Cell::Absent => (Ink::Faint, "–".to_owned()),
        };
        let filling = " ".repeat(width.saturating_sub(shown.chars().count()));
        let inked = self.inked(ink, &shown);
        format!("{inked}{filling}")
    }

    fn dropped(&self, text: &str) -> String {
        match self.out.paint() {
            Paint::Plain => format!("- {text} (dropped)"),
            Paint::Colour => {
                let (minus, struck) = (self.inked(Ink::Bad, "-"), self.inked(Ink::Struck, text));
                format!("{minus} {struck}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(paint: Paint, write: impl FnOnce(&mut Page<'_>)) -> (String, (usize, usize)) {
        let mut out = Vec::new();
        let mut page = Page::new(&mut out, paint, WIDTH);
        write(&mut page);
        let tally = page.tally();
        (String::from_utf8(out).unwrap(), tally)
    }

    #[test]
    fn a_broken_promise_is_shown_and_counted() {
        let (text, tally) = page(Paint::Plain, |page| {
            page.promise(true, "the audience is orders-api").unwrap();
            page.promise(false, "the lifetime is two minutes").unwrap();
        });
        assert_eq!(tally, (2, 1));
        assert!(text.contains("✔ the audience"), "{text}");
        assert!(text.contains("✘ failed: the lifetime"), "{text}");
    }

    #[test]
    fn a_dropped_scope_is_struck_in_colour_and_named_so_in_plain_text() {
        let write = |page: &mut Page<'_>| {
            let scope = || "payments.admin".to_owned();
            page.row("", "", &Cell::Same(scope()), &Cell::Dropped(scope()))
                .unwrap();
        };
        assert!(
            page(Paint::Plain, write)
                .0
                .ends_with("- payments.admin (dropped)\n")
        );
        assert!(
            page(Paint::Colour, write)
                .0
                .contains("\x1b[9;31mpayments.admin\x1b[0m")
        );
    }

    #[test]
    fn lines_are_broken_at_words() {
        let lines = wrapped("one two three four", 9);
        assert_eq!(lines, ["one two", "three", "four"]);
    }
}
