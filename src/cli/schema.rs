//! `schema`: prints the JSON Schema of the configuration.

use super::terminal::Terminal;
use crate::config;
use std::process::ExitCode;

pub(super) fn schema(terminal: &mut Terminal<'_>) -> ExitCode {
    match writeln!(terminal.out, "{:#}", config::schema()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_printed_as_json() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let _ = schema(&mut Terminal {
            out: &mut out,
            err: &mut err,
            interactive: false,
        });
        let read: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(read, config::schema());
    }
}
