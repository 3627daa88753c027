//! Refused requests: the response to the caller, and the reason in the log.

use super::{ORDER, REPORT};
use crate::{
    cli::{
        demo::{DemoError, page::Page, provider::Presented, world::World},
        terminal::Ink,
    },
    token::RawToken,
};
use serde_json::Value;
use std::io;

/// A request that must be refused, and how.
struct Attempt<'a> {
    who: &'static str,
    path: &'static str,
    token: &'a RawToken,
    status: u16,
    reason: &'static str,
}

/// The results of the attempts.
struct Outcome {
    as_expected: bool,
    /// The challenge of each 401, from the error on, and its body; the part before names the API's own document.
    unauthorized: Vec<(String, String)>,
    /// The challenge of the 403.
    forbidden: String,
}

pub(in crate::cli::demo) async fn refusals(
    world: &World,
    page: &mut Page<'_>,
) -> Result<(), DemoError> {
    page.heading("4  Requests that are refused")?;
    let requests = || world.orders.requests() + world.reports.requests();
    let reached = requests();
    let kept = world.orders.last_token();
    let kept = kept.unwrap_or_else(|| RawToken::from(String::new()));
    let outcome = try_all(world, page, &attempts(&world.tokens, &kept)).await?;
    page.space()?;
    page.text("The response is the same for every bad token:")?;
    if let Some((_, body)) = outcome.unauthorized.first() {
        page.line(Ink::Faint, &format!("  {}", body.trim_end()))?;
    }
    page.space()?;
    page.promise(
        outcome.as_expected,
        "Each is refused for its own reason, and the operator can see which.",
    )?;
    let mut pairs = outcome.unauthorized.windows(2);
    page.promise(
        outcome.unauthorized.len() == 3 && pairs.all(|pair| pair.first() == pair.last()),
        "The three 401 responses are equal: an attacker learns nothing from them.",
    )?;
    page.promise(
        outcome.forbidden.contains("scope=\"orders.read\""),
        "Bob's token is valid, so the response names the missing scope: orders.read.",
    )?;
    page.promise(
        requests() == reached,
        "None of these requests reached an API.",
    )?;
    Ok(())
}

fn attempts<'a>(tokens: &'a Presented, kept: &'a RawToken) -> [Attempt<'a>; 4] {
    let attempt = |who, path, token, status, reason| Attempt {
        who,
        path,
        token,
        status,
        reason,
    };
    let Presented {
        bob,
        elsewhere,
        edited,
        ..
    } = tokens;
    [
        attempt(
            "Bob, who may not read orders",
            ORDER,
            bob,
            403,
            "scope_not_held",
        ),
        attempt(
            "Alice's token for another app",
            ORDER,
            elsewhere,
            401,
            "audience",
        ),
        attempt(
            "Alice's token, a right added",
            ORDER,
            edited,
            401,
            "signature",
        ),
        attempt(
            "the orders API, with its token",
            REPORT,
            kept,
            401,
            "self_issued",
        ),
    ]
}

async fn try_all(
    world: &World,
    page: &mut Page<'_>,
    attempts: &[Attempt<'_>],
) -> Result<Outcome, DemoError> {
    let mut outcome = Outcome {
        as_expected: true,
        unauthorized: Vec::new(),
        forbidden: String::new(),
    };
    columns(page, Ink::Strong, ["WHO", "STATUS", "REASON, IN THE LOG"])?;
    for attempt in attempts {
        let response = world.ask(attempt.path, attempt.token).await?;
        let entry = world.logged(&response).await?;
        let reason = entry.get("reason").and_then(Value::as_str).unwrap_or("?");
        outcome.as_expected &= response.status == attempt.status && reason == attempt.reason;
        let status = response.status.to_string();
        columns(page, Ink::Plain, [attempt.who, &status, reason])?;
        let challenge = response.header("www-authenticate").unwrap_or_default();
        if response.status == 401 {
            let error = challenge.split_once("error=").unwrap_or_default().1;
            outcome.unauthorized.push((error.to_owned(), response.body));
        } else {
            challenge.clone_into(&mut outcome.forbidden);
        }
    }
    Ok(outcome)
}

fn columns(page: &mut Page<'_>, ink: Ink, [who, status, reason]: [&str; 3]) -> io::Result<()> {
    page.columns(&[(ink, 36, who), (ink, 14, status), (ink, 0, reason)])
}
