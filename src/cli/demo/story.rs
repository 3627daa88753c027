//! The text around the scenes: an introduction, the order of the scenes, and commands to try.

use super::{
    DemoError,
    page::Page,
    scenes,
    world::{World, origin},
};
use crate::cli::terminal::Ink;
use std::io;

/// Shows everything once.
pub(super) async fn tell(world: &World, page: &mut Page<'_>) -> Result<(), DemoError> {
    opening(world, page)?;
    let orders = scenes::smaller_token(world, page).await?;
    scenes::another_api(world, &orders, page).await?;
    scenes::from_memory(world, page).await?;
    scenes::refusals(world, page).await?;
    verdict(page)?;
    Ok(())
}

fn opening(world: &World, page: &mut Page<'_>) -> io::Result<()> {
    page.heading("obo-gateway demo")?;
    page.text(
        "Alice is signed in to a portal. For her, the portal calls two APIs that other people \
         operate. If it sent them her token, they could do everything that Alice may do, \
         wherever the token is accepted, for an hour. Therefore a gateway is placed between them:",
    )?;
    page.space()?;
    page.line(
        Ink::Strong,
        "  portal ── Alice's token ──▶ gateway ── a smaller token ──▶ API",
    )?;
    page.space()?;
    page.text(
        "It exchanges her token for one on behalf of Alice (OBO): valid for only one API, with \
         few rights, for a short time. All of this now happens on this machine:",
    )?;
    page.space()?;
    let at = world.addresses;
    for (name, address, what) in [
        ("identity provider", at.provider, "signs Alice's token"),
        ("gateway", at.gateway, "checks it and exchanges it"),
        ("orders API", at.orders, "checks the new token"),
        ("reports API", at.reports, "does the same"),
    ] {
        page.columns(&[
            (Ink::Plain, 21, &format!("  {name}")),
            (Ink::Notable, 24, &origin(address)),
            (Ink::Faint, 0, what),
        ])?;
    }
    Ok(())
}

fn verdict(page: &mut Page<'_>) -> io::Result<()> {
    let (promised, broken) = page.tally();
    page.space()?;
    if broken == 0 {
        let text = format!("All {promised} checks succeeded.");
        page.line(Ink::Good, &text)
    } else {
        let text = format!("{broken} of {promised} checks FAILED; they are marked ✘.");
        page.line(Ink::Bad, &text)
    }
}

/// Writes what to do after `--once`.
pub(super) fn farewell(page: &mut Page<'_>) -> io::Result<()> {
    page.line(
        Ink::Faint,
        "`obo-gateway demo` keeps everything running and shows curl commands to try.",
    )
}

/// Writes commands to try while everything runs.
pub(super) fn invitation(world: &World, page: &mut Page<'_>) -> io::Result<()> {
    let (gateway, admin) = (
        origin(world.addresses.gateway),
        origin(world.addresses.admin),
    );
    page.heading("Try it yourself, in another terminal")?;
    for (what, command) in [
        (
            "the files of this demo: tokens, configuration, logs",
            format!("cd {}", world.folder().display()),
        ),
        (
            "a demo token: valid only here, for an hour",
            "TOKEN=$(cat alice.token)".to_owned(),
        ),
        (
            "the token that each API gets instead",
            format!("curl -H \"Authorization: Bearer $TOKEN\" {gateway}/orders/7"),
        ),
        (
            "",
            format!("curl -H \"Authorization: Bearer $TOKEN\" {gateway}/reports/2026"),
        ),
        (
            "Bob may not read orders: 403, and which scope is missing",
            "BOB=$(cat bob.token)".to_owned(),
        ),
        (
            "",
            format!("curl -i -H \"Authorization: Bearer $BOB\" {gateway}/orders/7"),
        ),
        (
            "a public route: the API gets no token, not even hers",
            format!("curl -H \"Authorization: Bearer $TOKEN\" {gateway}/status"),
        ),
        (
            "the keys that the APIs trust",
            format!("curl {gateway}/oauth/v2/keys"),
        ),
        (
            "what the operator sees",
            format!("curl -s {admin}/metrics | grep -E '^obo_(cache|denied)_total'"),
        ),
        ("", "tail -n 3 access.jsonl audit.jsonl".to_owned()),
    ] {
        if !what.is_empty() {
            page.comment(what)?;
        }
        page.command(Ink::Plain, &command)?;
    }
    page.space()?;
    page.line(
        Ink::Strong,
        "Running until Ctrl-C; then the folder is removed.",
    )
}
