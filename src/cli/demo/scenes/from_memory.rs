//! Repeated requests use a cached exchange.

use super::{ORDER, compare, request_line};
use crate::cli::{
    demo::{
        DemoError,
        page::{Cell, Page},
        received::Received,
        world::World,
    },
    terminal::Ink,
};
use serde_json::Value;

/// One request: its log line, and the token that the API received.
struct Request {
    entry: Value,
    token: Received,
}

/// The first and the second request with one token.
struct Pair {
    cold: Request,
    warm: Request,
}

pub(in crate::cli::demo) async fn from_memory(
    world: &World,
    page: &mut Page<'_>,
) -> Result<(), DemoError> {
    page.heading("3  The next request uses the cached token")?;
    // each token was issued separately, so that the gateway has not seen it
    let mut pairs = Vec::new();
    let mut status = 200;
    for presented in &world.tokens.repeated {
        let first = world.ask(ORDER, presented).await?;
        let second = world.ask(ORDER, presented).await?;
        status = second.status.max(status);
        pairs.push(Pair {
            cold: Request {
                entry: world.logged(&first).await?,
                token: Received::of(&first),
            },
            warm: Request {
                entry: world.logged(&second).await?,
                token: Received::of(&second),
            },
        });
    }
    request_line(page, &format!("{ORDER}, twice"), status)?;
    page.space()?;
    table(page, &pairs)?;
    page.space()?;
    page.text(&format!(
        "Both times are medians, of {} tokens that were each sent twice. The gateway's metrics \
         count this scene and the first one:",
        pairs.len()
    ))?;
    let counted = world.metrics("obo_cache_total", "route=\"orders\"").await?;
    for line in &counted {
        page.line(Ink::Faint, &format!("  {line}"))?;
    }
    page.space()?;
    promises(page, &pairs, &counted)
}

fn table(page: &mut Page<'_>, pairs: &[Pair]) -> Result<(), DemoError> {
    let Some(Pair { cold, warm }) = pairs.first() else {
        return Ok(());
    };
    let of = |one: fn(&Pair) -> Option<u64>| took(median(pairs.iter().filter_map(one)));
    page.sides("FIRST REQUEST", "SECOND REQUEST")?;
    for (words, left, right) in [
        (
            "in the cache",
            cold.cache().to_owned(),
            warm.cache().to_owned(),
        ),
        (
            "exchange",
            of(|pair| pair.cold.exchange()),
            of(|pair| pair.warm.exchange()),
        ),
        (
            "gateway took",
            of(|pair| pair.cold.own_share()),
            of(|pair| pair.warm.own_share()),
        ),
    ] {
        page.row(words, "", &Cell::Same(left), &Cell::Changed(right))?;
    }
    compare(page, "token's id", "jti", &cold.token, &warm.token)
}

fn promises(page: &mut Page<'_>, pairs: &[Pair], counted: &[String]) -> Result<(), DemoError> {
    let remembered = |Pair { cold, warm }: &Pair| {
        (cold.cache(), warm.cache()) == ("miss", "hit")
            && cold.exchange().is_some()
            && warm.exchange().is_none()
    };
    page.promise(
        pairs.iter().all(remembered),
        "One exchange served both requests: it was cached.",
    )?;
    let id = |request: &Request| request.token.text("jti");
    page.promise(
        pairs
            .iter()
            .all(|Pair { cold, warm }| id(cold).is_some() && id(cold) == id(warm)),
        "The API got the same token both times.",
    )?;
    let counts = |result: &str, count: usize| {
        let count = format!(" {count}");
        counted
            .iter()
            .any(|line| line.contains(&format!("result=\"{result}\"")) && line.ends_with(&count))
    };
    let (hits, misses) = (pairs.len(), pairs.len() + 1);
    page.promise(
        counts("miss", misses) && counts("hit", hits),
        &format!(
            "The metrics show it: {misses} exchanges for {} requests.",
            misses + hits
        ),
    )?;
    Ok(())
}

/// Returns the median, or `None` if there are no values.
fn median(values: impl Iterator<Item = u64>) -> Option<u64> {
    let mut sorted: Vec<u64> = values.collect();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
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

    /// Returns the time of the request without the time of the API.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_request_does_not_decide_the_median() {
        assert_eq!(median([3, 900, 1, 2, 4].into_iter()), Some(3));
        assert_eq!(median([7].into_iter()), Some(7));
        assert_eq!(median([2, 1].into_iter()), Some(2));
        assert_eq!(median(std::iter::empty()), None);
    }
}
