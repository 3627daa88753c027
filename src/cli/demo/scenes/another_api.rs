//! Another API gets a token with fewer scopes, and neither API can use the other's token.

use super::{REPORT, compare, request_line};
use crate::cli::demo::{
    DemoError, client,
    page::{Cell, Page},
    received::Received,
    world::World,
};

/// Shows that the other API gets fewer scopes, and that neither API can use the other's token.
pub(in crate::cli::demo) async fn another_api(
    world: &World,
    orders: &Received,
    page: &mut Page<'_>,
) -> Result<(), DemoError> {
    page.heading("2  Another API gets another token")?;
    let response = world.ask(REPORT, &world.tokens.alice).await?;
    let reports = Received::of(&response);
    request_line(page, REPORT, response.status)?;
    page.space()?;
    page.sides("THE ORDERS API RECEIVED", "THE REPORTS API RECEIVED")?;
    for (words, claim) in [("meant for", "aud"), ("the user", "sub"), ("", "name")] {
        compare(page, words, claim, orders, &reports)?;
    }
    let scope = |token: &Received| token.text("scope").unwrap_or_default();
    page.row(
        "may",
        "scope",
        &Cell::Same(scope(orders)),
        &Cell::Changed(scope(&reports)),
    )?;
    page.row(
        "valid for",
        "exp",
        &Cell::Same(orders.life_text()),
        &Cell::Changed(reports.life_text()),
    )?;
    page.space()?;
    page.promise(
        response.status == 200
            && reports.is("aud", "reports-api")
            && reports.is("sub", "corp:alice")
            && reports.is("scope", "reports.read")
            && reports.lives_at_most(30),
        "It got less: one right, for 30 seconds, and no name.",
    )?;
    let stolen = world.orders.last_token();
    let misused = client::get(world.addresses.reports, REPORT, stolen.as_ref()).await?;
    page.promise(
        stolen.is_some() && misused.status == 401,
        "The orders API tried its token at the reports API: refused, 401.",
    )?;
    Ok(())
}
