//! The terminal of a command: its streams, its width, and the styles of text.
//!
//! Plain output contains no escape codes, and colors never carry information of their own.

use std::io::{self, Write};

/// Maximum width of the lines that a command writes, in characters, if it wraps them.
pub(super) const WIDTH: usize = 80;

/// The streams that a command writes to.
pub(super) struct Terminal<'a> {
    /// The requested output.
    pub(super) out: &'a mut dyn Write,
    /// Errors.
    pub(super) err: &'a mut dyn Write,
    /// `true` if a person reads `out` on a terminal.
    pub(super) interactive: bool,
}

/// Selects if the output has colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// ANSI colors, for a terminal.
    Colour,
    /// Plain text.
    Plain,
}

/// The style of a text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ink {
    Plain,
    Strong,
    Faint,
    Good,
    Bad,
    Struck,
    Notable,
    Error,
    Warning,
}

/// Writes text with styles.
pub(super) struct StyledWriter<'a> {
    out: &'a mut dyn Write,
    paint: Paint,
}

impl Terminal<'_> {
    /// Selects colors for a terminal that shows them. <https://no-color.org>: any non-empty value disables them.
    pub(super) fn paint(&self) -> Paint {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if self.interactive && !unwanted && !dumb {
            Paint::Colour
        } else {
            Paint::Plain
        }
    }

    /// Returns the number of columns: `COLUMNS` if it is set, otherwise the width of the terminal, or [`WIDTH`] without
    /// one.
    pub(super) fn columns(&self) -> usize {
        let set = std::env::var("COLUMNS").ok();
        let set = set.and_then(|columns| columns.parse().ok());
        let seen = || {
            let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
            // zero if the terminal does not know its width
            let columns = size.map(|size| usize::from(size.ws_col));
            columns.filter(|columns| self.interactive && *columns > 0)
        };
        set.or_else(seen).unwrap_or(WIDTH)
    }
}

impl Paint {
    /// Returns `text` in the style `ink`, if the output has colors.
    pub(super) fn inked(self, ink: Ink, text: &str) -> String {
        match (self, ink.code()) {
            (Self::Colour, Some(code)) => format!("\x1b[{code}m{text}\x1b[0m"),
            (Self::Plain, _) | (_, None) => text.to_owned(),
        }
    }
}

impl Ink {
    /// Returns the parameters of the escape code (ECMA-48 §8.3.117), or `None` for text without a style.
    const fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Strong => Some("1"),
            Self::Faint => Some("2"),
            Self::Good => Some("32"),
            Self::Bad => Some("31"),
            Self::Struck => Some("9;31"),
            Self::Notable => Some("36"),
            Self::Error => Some("1;31"),
            Self::Warning => Some("1;33"),
        }
    }
}

impl<'a> StyledWriter<'a> {
    pub(super) fn new(out: &'a mut dyn Write, paint: Paint) -> Self {
        Self { out, paint }
    }

    pub(super) fn paint(&self) -> Paint {
        self.paint
    }

    /// Returns `text` in the style `ink`, if the output has colors.
    pub(super) fn inked(&self, ink: Ink, text: &str) -> String {
        self.paint.inked(ink, text)
    }

    /// Writes one line in the style `ink`.
    pub(super) fn line(&mut self, ink: Ink, text: &str) -> io::Result<()> {
        let text = self.inked(ink, text);
        writeln!(self, "{text}")
    }

    /// Writes an empty line.
    pub(super) fn space(&mut self) -> io::Result<()> {
        writeln!(self)
    }
}

impl Write for StyledWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
