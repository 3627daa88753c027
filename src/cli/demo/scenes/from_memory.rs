//! A repeated request finds its exchange in the cache.

use super::{ORDER, compare, request_line};
use crate::cli::demo::{
    DemoError,
    page::{Cell, Ink, Page},
    received::Received,
    world::World,
};
use serde_json::Value;

/// One request: what the gateway logged of it, and what the API got.
struct Request {
    entry: Value,
    token: Received,
}

pub(in crate::cli::demo) async fn from_memory(
    world: &World,
    page: &mut Page<'_>,
) -> Result<(), DemoError> {
    page.heading("3  The next request finds the new token ready")?;
    // issued anew, so that the gateway has not seen it
    let presented = &world.tokens.repeated;
    let first = world.ask(ORDER, presented).await?;
    let second = world.ask(ORDER, presented).await?;
    request_line(page, &format!("{ORDER}, twice"), second.status)?;
    page.space()?;
    let cold = Request {
        entry: world.logged(&first).await?,
        token: Received::of(&first),
    };
    let warm = Request {
        entry: world.logged(&second).await?,
        token: Received::of(&second),
    };
    table(page, &cold, &warm)?;
    page.space()?;
    page.text("The gateway's metrics count this scene and the first one:")?;
    let counted = world.metrics("obo_cache_total", "route=\"orders\"").await?;
    for line in &counted {
        page.line(Ink::Faint, &format!("  {line}"))?;
    }
    page.space()?;
    promises(page, &cold, &warm, &counted)
}

fn table(page: &mut Page<'_>, cold: &Request, warm: &Request) -> Result<(), DemoError> {
    page.sides("FIRST REQUEST", "SECOND REQUEST")?;
    for (words, left, right) in [
        (
            "in the cache",
            cold.cache().to_owned(),
            warm.cache().to_owned(),
        ),
        ("exchange", took(cold.exchange()), took(warm.exchange())),
        (
            "gateway took",
            took(cold.own_share()),
            took(warm.own_share()),
        ),
    ] {
        page.row(words, "", &Cell::Same(left), &Cell::Changed(right))?;
    }
    compare(page, "token's id", "jti", &cold.token, &warm.token)
}

fn promises(
    page: &mut Page<'_>,
    cold: &Request,
    warm: &Request,
    counted: &[String],
) -> Result<(), DemoError> {
    page.promise(
        (cold.cache(), warm.cache()) == ("miss", "hit")
            && cold.exchange().is_some()
            && warm.exchange().is_none(),
        "One exchange served both requests: it was remembered.",
    )?;
    let id = |request: &Request| request.token.text("jti");
    page.promise(
        id(cold).is_some() && id(cold) == id(warm),
        "Both times the API got the same token.",
    )?;
    let counts = |result: &str, count: &str| {
        counted
            .iter()
            .any(|line| line.contains(&format!("result=\"{result}\"")) && line.ends_with(count))
    };
    page.promise(
        counts("miss", " 2") && counts("hit", " 1"),
        "The operator sees it counted: two exchanges for three requests.",
    )?;
    Ok(())
}

impl Request {
    fn cache(&self) -> &str {
        self.entry
            .get("cache")
            .and_then(Value::as_str)
            .unwrap_or("?")
    }

    fn exchange(&self) -> Option<u64> {
        self.entry.get("exchange_us")?.as_u64()
    }

    /// What of its time was not the API's.
    fn own_share(&self) -> Option<u64> {
        let of = |name| self.entry.get(name).and_then(Value::as_u64);
        Some(of("duration_us")?.saturating_sub(of("upstream_us").unwrap_or(0)))
    }
}

fn took(microseconds: Option<u64>) -> String {
    microseconds.map_or("none".to_owned(), |took| {
        format!("{}.{:02} ms", took / 1_000, took % 1_000 / 10)
    })
}
