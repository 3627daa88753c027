//! The first request: compares the token that the portal sent with the token that the API received.

use super::{ORDER, compare, request_line};
use crate::{
    cli::demo::{
        DemoError,
        api::Api,
        page::{Cell, Page},
        provider::ALICE_SCOPE,
        received::{Received, shortened},
        world::World,
    },
    token::RawToken,
};

/// Shows the token that the portal sent and the token that the API received.
pub(in crate::cli::demo) async fn smaller_token(
    world: &World,
    page: &mut Page<'_>,
) -> Result<Received, DemoError> {
    page.heading("1  The portal asks the orders API for one of Alice's orders")?;
    let response = world.ask(ORDER, &world.tokens.alice).await?;
    let sent = Received(world.tokens.alice_claims.clone());
    let got = Received::of(&response);
    request_line(page, ORDER, response.status)?;
    page.space()?;
    table(world, page, &sent, &got)?;
    page.space()?;
    promises(world, page, response.status, &got)?;
    Ok(got)
}

fn table(
    world: &World,
    page: &mut Page<'_>,
    sent: &Received,
    got: &Received,
) -> Result<(), DemoError> {
    page.sides("THE PORTAL SENT", "THE API RECEIVED")?;
    for (words, claim) in [
        ("signed by", "iss"),
        ("meant for", "aud"),
        ("the user", "sub"),
        ("", "name"),
        ("", "email"),
        ("application", "client_id"),
    ] {
        compare(page, words, claim, sent, got)?;
    }
    let actor = got
        .actor()
        .map_or(Cell::Absent, |actor| Cell::Added(actor.to_owned()));
    page.row("who acts", "act", &Cell::Absent, &actor)?;
    scopes(page, got)?;
    compare(page, "set here", "tenant", sent, got)?;
    page.row(
        "valid for",
        "exp",
        &Cell::Same(sent.life_text()),
        &Cell::Changed(got.life_text()),
    )?;
    let token = world.orders.last_token();
    page.row(
        "the token",
        "",
        &Cell::Same(shortened(Some(&world.tokens.alice))),
        &Cell::Changed(shortened(token.as_ref())),
    )?;
    Ok(())
}

fn promises(
    world: &World,
    page: &mut Page<'_>,
    status: u16,
    got: &Received,
) -> Result<(), DemoError> {
    page.promise(
        status == 200,
        "The API verified the token with the keys that the gateway publishes.",
    )?;
    page.promise(
        got.is("aud", "orders-api"),
        "It is meant for the orders API. All other APIs will refuse it.",
    )?;
    page.promise(
        got.is("scope", "orders.read orders.write"),
        "Of the six rights (scopes) it has the two that this API needs.",
    )?;
    page.promise(
        got.is("sub", "alice") && got.actor() == Some("obo-gateway"),
        "It says that the gateway acts on behalf of Alice.",
    )?;
    page.promise(
        got.lives_at_most(120),
        "It expires after two minutes instead of an hour.",
    )?;
    page.promise(
        got.is("name", "Alice Example") && got.is("tenant", "acme") && !got.0.contains_key("email"),
        "It contains her name (the route says so), but not her e-mail address.",
    )?;
    page.promise(
        !holds(&world.orders, &world.tokens.alice),
        "No header that reached the API contains any part of her own token.",
    )?;
    Ok(())
}

fn scopes(page: &mut Page<'_>, got: &Received) -> Result<(), DemoError> {
    let kept = got.text("scope").unwrap_or_default();
    for (position, scope) in ALICE_SCOPE.split(' ').enumerate() {
        let (words, claim) = if position == 0 {
            ("may", "scope")
        } else {
            ("", "")
        };
        let right = if kept.split(' ').any(|kept| kept == scope) {
            Cell::Same(scope.to_owned())
        } else {
            Cell::Dropped(scope.to_owned())
        };
        page.row(words, claim, &Cell::Same(scope.to_owned()), &right)?;
    }
    Ok(())
}

/// Returns `true` if a field of the last request contains the signature part of `token`.
fn holds(api: &Api, token: &RawToken) -> bool {
    let text = String::from_utf8_lossy(token.expose()).into_owned();
    let signature = text.rsplit('.').next().unwrap_or(&text).to_owned();
    api.last_fields()
        .values()
        .any(|value| String::from_utf8_lossy(value.as_bytes()).contains(&signature))
}
