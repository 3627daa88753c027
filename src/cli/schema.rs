//! `schema`: prints the JSON Schema or the reference of the configuration.

use super::terminal::Terminal;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(markdown: bool) -> String {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        schema(
            markdown,
            &mut Terminal {
                out: &mut out,
                err: &mut err,
                interactive: false,
            },
        );
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn programs_get_json_and_people_a_page() {
        let read: serde_json::Value = serde_json::from_str(&printed(false)).unwrap();
        assert_eq!(read, config::schema());
        assert!(printed(true).starts_with("# Configuration\n"));
    }
}
