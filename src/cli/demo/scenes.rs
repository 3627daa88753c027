//! The scenes of the demo. Each sends requests and checks its statements against what arrived.

mod another_api;
mod from_memory;
mod refusals;
mod smaller_token;

pub(super) use another_api::another_api;
pub(super) use from_memory::from_memory;
pub(super) use refusals::refusals;
pub(super) use smaller_token::smaller_token;

use super::{
    DemoError,
    page::{Cell, Page},
    received::Received,
};
use crate::cli::terminal::Ink;

const ORDER: &str = "/orders/7";
const REPORT: &str = "/reports/2026";

fn request_line(page: &mut Page<'_>, path: &str, status: u16) -> Result<(), DemoError> {
    let ink = if status == 200 { Ink::Good } else { Ink::Bad };
    let status = page.inked(ink, &status.to_string());
    page.line(Ink::Plain, &format!("GET {path} ─▶ {status}"))?;
    Ok(())
}

/// Writes one claim of two tokens, and how it differs.
fn compare(
    page: &mut Page<'_>,
    words: &str,
    claim: &str,
    left: &Received,
    right: &Received,
) -> Result<(), DemoError> {
    let (left, right) = match (left.text(claim), right.text(claim)) {
        (Some(left), Some(right)) if left == right => (Cell::Same(left), Cell::Same(right)),
        (Some(left), Some(right)) => (Cell::Same(left), Cell::Changed(right)),
        (Some(left), None) => (Cell::Same(left.clone()), Cell::Dropped(left)),
        (None, Some(right)) => (Cell::Absent, Cell::Added(right)),
        (None, None) => (Cell::Absent, Cell::Absent),
    };
    page.row(words, claim, &left, &right)?;
    Ok(())
}
