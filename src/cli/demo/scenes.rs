//! What is shown: each scene sends requests, looks at what arrived, and holds it to its promises.

use super::{
    DemoError,
    api::Api,
    client::{self, Answer},
    page::{Cell, Ink, Page},
    provider::ALICE_SCOPE,
    world::World,
};
use crate::token::RawToken;
use serde_json::{Map, Value};

const ORDER: &str = "/orders/7";
const REPORT: &str = "/reports/2026";

/// What an API says that a token holds.
pub(super) struct Received(Map<String, Value>);

impl Received {
    fn of(answer: &Answer) -> Self {
        let claims = answer.json().get("token_received").cloned();
        Self(
            claims
                .and_then(|claims| claims.as_object().cloned())
                .unwrap_or_default(),
        )
    }

    /// A claim as a person reads it.
    fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.0.get(name).and_then(Value::as_str) == Some(value)
    }

    /// Who acts, by RFC 8693 §4.1.
    fn actor(&self) -> Option<&str> {
        self.0.get("act")?.get("sub")?.as_str()
    }

    /// How long it lives, in seconds.
    fn life(&self) -> Option<i64> {
        let seconds = |name| self.0.get(name).and_then(Value::as_i64);
        Some(seconds("exp")? - seconds("iat")?)
    }

    fn lives_at_most(&self, seconds: i64) -> bool {
        self.life()
            .is_some_and(|life| (1..=seconds).contains(&life))
    }
}

/// The first request: what the portal sent beside what the API got.
pub(super) async fn smaller_token(
    world: &World,
    page: &mut Page<'_>,
) -> Result<Received, DemoError> {
    page.heading("1  The portal asks the orders API for one of Alice's orders")?;
    let answer = world.ask(ORDER, &world.tokens.alice).await?;
    let sent = Received(world.tokens.alice_claims.clone());
    let got = Received::of(&answer);
    request_line(page, ORDER, answer.status)?;
    page.space()?;
    page.sides("THE PORTAL SENT", "THE API RECEIVED")?;
    for (words, claim) in [
        ("signed by", "iss"),
        ("meant for", "aud"),
        ("the user", "sub"),
        ("", "name"),
        ("", "email"),
        ("application", "client_id"),
    ] {
        compare(page, words, claim, &sent, &got)?;
    }
    let actor = got
        .actor()
        .map_or(Cell::Absent, |actor| Cell::Added(actor.to_owned()));
    page.row("who acts", "act", &Cell::Absent, &actor)?;
    scopes(page, &got)?;
    compare(page, "set here", "tenant", &sent, &got)?;
    let life = |token: &Received| token.life().map_or("?".to_owned(), minutes);
    page.row(
        "good for",
        "exp",
        &Cell::Same(life(&sent)),
        &Cell::Changed(life(&got)),
    )?;
    let token = world.orders.last_token();
    page.row(
        "the token",
        "",
        &Cell::Same(shortened(Some(&world.tokens.alice))),
        &Cell::Changed(shortened(token.as_ref())),
    )?;
    page.space()?;
    first_promises(world, page, answer.status, &got)?;
    Ok(got)
}

fn first_promises(
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
        "It is meant for the orders API. Everybody else will refuse it.",
    )?;
    page.promise(
        got.is("scope", "orders.read orders.write"),
        "Of the six rights (scopes) it has the two that this API needs.",
    )?;
    page.promise(
        got.is("sub", "alice") && got.actor() == Some("obo-gateway"),
        "It says that the gateway acts, and on whose behalf: Alice's.",
    )?;
    page.promise(
        got.lives_at_most(120),
        "It ends after two minutes instead of an hour.",
    )?;
    page.promise(
        got.is("name", "Alice Example") && got.is("tenant", "acme") && !got.0.contains_key("email"),
        "Her name crossed because the route says so; her e-mail address did not.",
    )?;
    page.promise(
        !holds(&world.orders, &world.tokens.alice),
        "No header that reached the API holds a trace of her own token.",
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

/// The other API gets less, and the two tokens cannot be exchanged for each other.
pub(super) async fn another_api(
    world: &World,
    orders: &Received,
    page: &mut Page<'_>,
) -> Result<(), DemoError> {
    page.heading("2  Another API gets another token")?;
    let answer = world.ask(REPORT, &world.tokens.alice).await?;
    let reports = Received::of(&answer);
    request_line(page, REPORT, answer.status)?;
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
    let life = |token: &Received| token.life().map_or("?".to_owned(), minutes);
    page.row(
        "good for",
        "exp",
        &Cell::Same(life(orders)),
        &Cell::Changed(life(&reports)),
    )?;
    page.space()?;
    page.promise(
        answer.status == 200
            && reports.is("aud", "reports-api")
            && reports.is("sub", "corp:alice")
            && reports.is("scope", "reports.read")
            && reports.lives_at_most(30),
        "It got less: one right, half a minute, and no name.",
    )?;
    let stolen = world.orders.last_token();
    let misused = client::get(world.addresses.reports, REPORT, stolen.as_ref()).await?;
    page.promise(
        stolen.is_some() && misused.status == 401,
        "The orders API tried its token at the reports API: refused, 401.",
    )?;
    Ok(())
}

/// A repeated request finds its exchange in the cache.
pub(super) async fn from_memory(world: &World, page: &mut Page<'_>) -> Result<(), DemoError> {
    page.heading("3  The next request finds the new token ready")?;
    // issued anew, so that the gateway has not seen it
    let token = &world.tokens.repeated;
    let first = world.ask(ORDER, token).await?;
    let second = world.ask(ORDER, token).await?;
    request_line(page, &format!("{ORDER}, twice"), second.status)?;
    page.space()?;
    let (cold, warm) = (world.logged(&first).await?, world.logged(&second).await?);
    let (first, second) = (Received::of(&first), Received::of(&second));
    page.sides("FIRST REQUEST", "SECOND REQUEST")?;
    let word = |entry: &Value| {
        entry
            .get("cache")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let shown = |word: Option<String>| word.unwrap_or_else(|| "?".to_owned());
    page.row(
        "in the cache",
        "",
        &Cell::Same(shown(word(&cold))),
        &Cell::Changed(shown(word(&warm))),
    )?;
    page.row(
        "exchange",
        "",
        &Cell::Same(microseconds(exchange(&cold))),
        &Cell::Changed("none needed".to_owned()),
    )?;
    page.row(
        "gateway took",
        "",
        &Cell::Same(microseconds(own_share(&cold))),
        &Cell::Changed(microseconds(own_share(&warm))),
    )?;
    compare(page, "token's id", "jti", &first, &second)?;
    page.space()?;
    page.text("The gateway's metrics count this scene and the first one:")?;
    let counted = world.metrics("obo_cache_total", "route=\"orders\"").await?;
    for line in &counted {
        page.line(Ink::Faint, &format!("  {line}"))?;
    }
    page.space()?;
    page.promise(
        word(&cold).as_deref() == Some("miss") && word(&warm).as_deref() == Some("hit"),
        "One exchange served both requests: keys, policy and signature once.",
    )?;
    page.promise(
        exchange(&cold).is_some()
            && exchange(&warm).is_none()
            && first.text("jti").is_some()
            && first.text("jti") == second.text("jti"),
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

/// What is refused, what the caller is told, and what the operator sees.
pub(super) async fn refusals(world: &World, page: &mut Page<'_>) -> Result<(), DemoError> {
    page.heading("4  Who tries what, and is refused")?;
    let reached = world.orders.requests() + world.reports.requests();
    let stolen = world
        .orders
        .last_token()
        .unwrap_or_else(|| RawToken::from(String::new()));
    let tokens = &world.tokens;
    let (mut told, mut told_bob) = (Vec::new(), String::new());
    let mut as_expected = true;
    page.line(Ink::Strong, &refused("WHO", "TOLD", "REASON, IN THE LOG"))?;
    for (who, path, token, status, reason) in [
        (
            "Bob, who may not read orders",
            ORDER,
            &tokens.bob,
            403,
            "scope_not_held",
        ),
        (
            "Alice's token of another app",
            ORDER,
            &tokens.elsewhere,
            401,
            "audience",
        ),
        (
            "Alice's token, a right added",
            ORDER,
            &tokens.edited,
            401,
            "signature",
        ),
        (
            "the orders API, with its token",
            REPORT,
            &stolen,
            401,
            "self_issued",
        ),
    ] {
        let answer = world.ask(path, token).await?;
        let entry = world.logged(&answer).await?;
        let found = entry.get("reason").and_then(Value::as_str).unwrap_or("?");
        as_expected &= answer.status == status && found == reason;
        page.line(Ink::Plain, &refused(who, &answer.status.to_string(), found))?;
        if answer.status == 401 {
            told.push(answer.body);
        } else {
            told_bob = answer
                .header("www-authenticate")
                .unwrap_or_default()
                .to_owned();
        }
    }
    page.space()?;
    page.text("All that a caller with a bad token is told, whatever is wrong with it:")?;
    if let Some(text) = told.first() {
        page.line(Ink::Faint, &format!("  {}", text.trim_end()))?;
    }
    page.space()?;
    page.promise(
        as_expected,
        "Each is refused for its own reason, and the operator can see which.",
    )?;
    page.promise(
        told_bob.contains("scope=\"orders.read\""),
        "Bob, whose token is in order, is told what it lacks: orders.read.",
    )?;
    let alike = told.windows(2).all(|pair| pair.first() == pair.last());
    page.promise(
        told.len() == 3 && alike,
        "The three 401 read the same: an attacker learns nothing from them.",
    )?;
    page.promise(
        world.orders.requests() + world.reports.requests() == reached,
        "Not one of these requests reached an API.",
    )?;
    Ok(())
}

fn refused(who: &str, told: &str, reason: &str) -> String {
    format!("{who:36}{told:14}{reason}")
}

fn request_line(page: &mut Page<'_>, path: &str, status: u16) -> Result<(), DemoError> {
    let ink = if status == 200 { Ink::Good } else { Ink::Bad };
    let status = page.inked(ink, &status.to_string());
    page.line(Ink::Plain, &format!("GET {path} ─▶ {status}"))?;
    Ok(())
}

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

/// Whether the signature part of `token` stands in a field of the last request.
fn holds(api: &Api, token: &RawToken) -> bool {
    let text = String::from_utf8_lossy(token.expose()).into_owned();
    let signature = text.rsplit('.').next().unwrap_or(&text).to_owned();
    api.last_fields()
        .values()
        .any(|value| String::from_utf8_lossy(value.as_bytes()).contains(&signature))
}

/// The start and the end of a token: enough to tell two apart, useless to anybody else.
fn shortened(token: Option<&RawToken>) -> String {
    let Some(token) = token else {
        return "–".to_owned();
    };
    let text = String::from_utf8_lossy(token.expose());
    let start: String = text.chars().take(8).collect();
    let length = text.chars().count();
    let end: String = text.chars().skip(length.saturating_sub(6)).collect();
    format!("{start}…{end}")
}

fn minutes(seconds: i64) -> String {
    if seconds >= 60 && seconds % 60 == 0 {
        format!("{} min", seconds / 60)
    } else {
        format!("{seconds} s")
    }
}

fn exchange(entry: &Value) -> Option<u64> {
    entry.get("exchange_us")?.as_u64()
}

/// What of a request's time was not the API's.
fn own_share(entry: &Value) -> Option<u64> {
    let of = |name| entry.get(name).and_then(Value::as_u64);
    Some(of("duration_us")?.saturating_sub(of("upstream_us").unwrap_or(0)))
}

#[allow(clippy::cast_precision_loss)] // shown with two digits
fn microseconds(of: Option<u64>) -> String {
    of.map_or("?".to_owned(), |of| {
        format!("{:.2} ms", of as f64 / 1_000.0)
    })
}
