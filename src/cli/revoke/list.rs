//! `revoke list`: lists the revocations in force, page by page.

use super::{Failure, Listener, moment, printable};
use http::Method;
use serde_json::Value;
use std::fmt::Write as _;

/// The arguments of `revoke list`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Maximum number of revocations to show
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    limit: usize,
    /// Show only revocations after this id, in the order of ids
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// Print one JSON object per line, for programs
    #[arg(long)]
    json: bool,
}

/// Maximum number of revocations per request.
const PAGE: usize = 200;

impl Arguments {
    /// Requests pages until there are no more, or the limit is reached.
    pub(super) async fn perform(&self, listener: &Listener) -> Result<String, Failure> {
        let mut after = self.after.clone();
        let (mut text, mut shown) = (String::new(), 0);
        while shown < self.limit {
            let most = PAGE.min(self.limit - shown);
            let mut target = format!("/revocations?limit={most}");
            if let Some(after) = &after {
                // ids contain only digits and letters; the gateway refuses anything else
                let after = after.chars().filter(char::is_ascii_alphanumeric);
                target = format!("{target}&after={}", after.collect::<String>());
            }
            let page = listener.send(Method::GET, &target, None).await?;
            let listed = page.get("revocations").and_then(Value::as_array);
            for revocation in listed.into_iter().flatten() {
                text += &self.line(revocation);
                shown += 1;
            }
            if page.get("stale") == Some(&Value::Bool(true)) && after.is_none() && !self.json {
                text += "the store cannot be reached: the list may be incomplete\n";
            }
            after = page.get("next").and_then(Value::as_str).map(str::to_owned);
            if after.is_none() {
                break;
            }
        }
        if let (Some(after), false) = (after, self.json) {
            let _ = writeln!(text, "there are more: --after {}", printable(&after));
        }
        if text.is_empty() && !self.json {
            text.push_str("nothing is revoked\n");
        }
        Ok(text)
    }

    fn line(&self, revocation: &Value) -> String {
        if self.json {
            return format!("{revocation}\n");
        }
        let text =
            |name: &str| printable(revocation.get(name).and_then(Value::as_str).unwrap_or("-"));
        let until = revocation.get("until").and_then(Value::as_i64).map(moment);
        let ends = match revocation.get("ends").and_then(Value::as_str) {
            Some(ends) => printable(ends),
            // an earlier release stored no note with the revocations of clients
            None => "(a token or a family of refresh tokens; see the audit log)".to_owned(),
        };
        let (id, by) = (text("id"), by(revocation));
        format!(
            "{id}  until {}  by {by}  {ends}\n",
            until.unwrap_or_default()
        )
    }
}

/// Returns who made the revocation: `client portal from 192.0.2.7`, or `operator (loopback) from 127.0.0.1`.
fn by(revocation: &Value) -> String {
    let side = revocation.get("revoked_by").and_then(Value::as_str);
    let of = |name: &str| revocation.pointer(&format!("/by/{name}"))?.as_str();
    let mut by = side.unwrap_or("-").to_owned();
    if let Some(client) = of("client_id") {
        let _ = write!(by, " {client}");
    }
    if let Some(credential) = of("credential") {
        let _ = write!(by, " ({credential})");
    }
    if let Some(address) = of("address") {
        let _ = write!(by, " from {address}");
    }
    printable(&by)
}
