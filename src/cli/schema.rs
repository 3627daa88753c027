//! `schema`: what may stand in the configuration, for editors or for people.

use super::Terminal;
use crate::config;
use std::process::ExitCode;

pub(super) fn schema(markdown: bool, terminal: &mut Terminal<'_>) -> ExitCode {
    let written = if markdown {
        terminal.out.write_all(config::reference().as_bytes())
    } else {
        writeln!(terminal.out, "{:#}", config::schema())
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
