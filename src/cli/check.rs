//! `check`: reports every mistake in one run.

use super::{
    report::render,
    terminal::{Paint, Terminal},
};
use crate::{
    config::{
        ConfigFile, Configuration, Document, Marks, Running, Surroundings, compose, compose_after,
    },
    settings::{BaseDir, Effects, Finding, Findings, Severity},
};
use std::{io, process::ExitCode};

/// The result of reading a configuration.
pub(super) struct Loaded {
    /// The configuration, if there was no error.
    pub(super) configuration: Option<Configuration>,
    pub(super) findings: Vec<Finding>,
    pub(super) marks: Marks,
    /// `true` if everything that is wrong is that something is unavailable now.
    pub(super) only_unavailable: bool,
}

impl Loaded {
    /// Reads and composes `file`.
    pub(super) fn from(file: &ConfigFile, effects: Effects, surroundings: &Surroundings) -> Self {
        Self::read(file, |document, base, findings| {
            compose(document, base, effects, surroundings, findings)
        })
    }

    /// Like [`Loaded::from`], for a configuration that may replace `running`. A file with a mistake has no effects:
    /// keys are generated only after the file was found to be valid.
    pub(super) fn after(running: &Running, file: &ConfigFile, surroundings: &Surroundings) -> Self {
        Self::read(file, |document, base, findings| {
            compose(document, base, Effects::None, surroundings, findings)?;
            // the first pass has reported all findings already
            let mut again = Findings::default();
            let configuration = compose_after(
                Some(running),
                document,
                base,
                Effects::Allowed,
                surroundings,
                &mut again,
            );
            if again.has_errors() {
                *findings = again;
            }
            configuration
        })
    }

    fn read(
        file: &ConfigFile,
        compose: impl FnOnce(&Document, &BaseDir, &mut Findings) -> Option<Configuration>,
    ) -> Self {
        let document = match file.read() {
            Ok(document) => document,
            Err(unreadable) => {
                return Self {
                    configuration: None,
                    findings: unreadable.findings.into_vec(),
                    marks: unreadable.marks,
                    only_unavailable: false,
                };
            }
        };
        let mut findings = Findings::default();
        let configuration = compose(&document, &file.base(), &mut findings);
        Self {
            configuration,
            only_unavailable: findings.only_unavailable(),
            findings: findings.into_vec(),
            marks: document.marks().clone(),
        }
    }

    /// Writes the findings for people.
    pub(super) fn report(&self, paint: Paint, mut out: &mut dyn io::Write) -> io::Result<()> {
        render(&self.findings, &self.marks, paint, &mut out)
    }

    /// Returns the findings as text without colors; empty if there are none.
    pub(super) fn text(&self) -> String {
        let mut text = Vec::new();
        // writing to memory does not fail
        let _ = self.report(Paint::Plain, &mut text);
        String::from_utf8_lossy(&text).trim_end().to_owned()
    }

    pub(super) fn has_errors(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.severity == Severity::Error)
    }
}

pub(super) fn check(
    file: &ConfigFile,
    surroundings: &Surroundings,
    terminal: &mut Terminal<'_>,
) -> ExitCode {
    let loaded = Loaded::from(file, Effects::None, surroundings);
    let paint = if terminal.interactive {
        Paint::Colour
    } else {
        Paint::Plain
    };
    let failed = loaded.has_errors();
    let written = loaded.report(paint, terminal.out).and_then(|()| {
        if failed {
            Ok(())
        } else {
            writeln!(terminal.out, "{file}: ok")
        }
    });
    match (written, failed) {
        (Err(_), _) => ExitCode::FAILURE,
        (Ok(()), true) => ExitCode::from(2),
        (Ok(()), false) => ExitCode::SUCCESS,
    }
}
