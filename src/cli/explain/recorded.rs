//! Reads from the running gateway: the decision on a recent request, and the revocations in force.

use crate::{
    cli::{
        revoke::{Failure, listener::Listener, printable},
        terminal::Terminal,
    },
    clock::UnixTime,
    config::ConfigFile,
    settings::Findings,
    store::{Revocation, RevocationKey},
    telemetry::DecisionStep,
};
use http::Method;
use serde_json::Value;
use std::{fmt::Write as _, io, process::ExitCode};
use tokio::runtime::Runtime;

/// Maximum number of pages of revocations.
const PAGES: usize = 200;

/// Shows the decision on the request with this id, as recorded by the gateway behind `listener`. Status 0: it was
/// forwarded; 1: it was not; 2: nothing is known.
pub(super) fn show(
    id: &str,
    listener: Result<Listener, Failure>,
    json: bool,
    io: &Runtime,
    terminal: &mut Terminal<'_>,
) -> ExitCode {
    // only digits and letters are added to the request line
    let safe: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
    let target = format!("/decisions/{}", safe.to_ascii_lowercase());
    let recorded =
        listener.and_then(|listener| io.block_on(listener.send(Method::GET, &target, None)));
    let recorded = match recorded {
        Ok(recorded) => recorded,
        Err(failure) => {
            let _ = writeln!(terminal.err, "obo-gateway: {failure}");
            return ExitCode::from(2);
        }
    };
    let written = match json {
        true => writeln!(terminal.out, "{recorded:#}"),
        false => write!(terminal.out, "{}", page(&recorded)),
    };
    let outcome = recorded.pointer("/request/outcome").and_then(Value::as_str);
    match (written, outcome) {
        (Err(_), _) => ExitCode::FAILURE,
        (Ok(()), Some("forwarded" | "served")) => ExitCode::SUCCESS,
        (Ok(()), _) => ExitCode::from(1),
    }
}

fn page(recorded: &Value) -> String {
    let mut text = String::new();
    if recorded.get("kept").and_then(Value::as_str) == Some("served_from_memory") {
        text.push_str("Forwarded with a cached exchange\n\n");
    }
    let steps = recorded.get("steps").and_then(Value::as_array);
    for step in steps.into_iter().flatten() {
        let name = step.get("step").and_then(Value::as_str).unwrap_or_default();
        let known = DecisionStep::ALL
            .iter()
            .find(|known| known.as_str() == name);
        let mark = match step.get("passed") == Some(&Value::Bool(true)) {
            true => "✔",
            false => "✘",
        };
        let _ = writeln!(
            text,
            "  {mark} {}",
            known.map_or(name, |known| known.words())
        );
    }
    if steps.is_some_and(|steps| !steps.is_empty()) {
        text.push('\n');
    }
    let members = recorded.get("request").and_then(Value::as_object);
    for (name, value) in members.into_iter().flatten() {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let _ = writeln!(text, "  {name:12} {}", printable(&value));
    }
    text
}

/// Returns `true` if the configuration has a store, so that there may be revocations.
pub(super) fn has_store(file: &ConfigFile) -> bool {
    file.read().is_ok_and(|document| {
        let written: Option<serde_yaml::Value> =
            document.sections(&mut Findings::default(), |top| top.take_or_default("store"));
        written.is_some()
    })
}

/// Returns the revocations that the running gateway knows.
pub(super) async fn revocations(listener: &Listener) -> Result<Vec<Revocation>, Failure> {
    let (mut found, mut after) = (Vec::new(), String::new());
    for _ in 0..PAGES {
        let target = format!("/revocations?limit=500{after}");
        let page = listener.send(Method::GET, &target, None).await?;
        let listed = page.get("revocations").and_then(Value::as_array);
        found.extend(listed.into_iter().flatten().filter_map(revocation));
        match page
            .get("next")
            .and_then(Value::as_str)
            .and_then(|id| id.parse::<RevocationKey>().ok())
        {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    Ok(found)
}

fn revocation(recorded: &Value) -> Option<Revocation> {
    let key = recorded.get("id")?.as_str()?.parse().ok()?;
    let time = |name| Some(UnixTime::from_secs(recorded.get(name)?.as_i64()?));
    let (at, until) = (time("at")?, time("until")?);
    Some(match recorded.get("issued_later_too")?.as_bool()? {
        true => Revocation::of_all(key, at, until),
        false => Revocation::of_earlier(key, at, until),
    })
}

/// Reports that revocations were not considered.
pub(super) fn say_unknown(failure: &Failure, err: &mut dyn io::Write) {
    let _ = writeln!(
        err,
        "obo-gateway: revocations are unknown and were not checked: {failure}"
    );
}
