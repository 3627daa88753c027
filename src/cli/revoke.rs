//! `revoke`: makes, lists and lifts revocations through the admin listener of the running gateway. Status 0 means that
//! the change is durable.

mod list;
pub(in crate::cli) mod listener;

use super::terminal::Terminal;
use crate::{clock::UnixTime, config::ConfigFile, settings::HumanDuration};
use http::Method;
use listener::Listener;
use serde_json::{Value, json};
use std::{
    io::{self, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};
use thiserror::Error;
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

/// The arguments of `revoke`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
    /// Duration of the revocation, e.g. 7d; default: until every affected token has expired. A client or a key needs
    /// this or --forever
    #[arg(long = "for", global = true, value_name = "DURATION")]
    holds: Option<HumanDuration>,
    /// Revoke a client or a key permanently
    #[arg(long, global = true, conflicts_with = "holds")]
    forever: bool,
    /// Revoke even if the configuration has no such issuer, client or key, or the token has expired
    #[arg(long, global = true)]
    force: bool,
    /// The admin listener; default: the one in the configuration
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    admin: Option<SocketAddr>,
}

const AFTER_HELP: &str = "\
Status 0 means that the revocation is durable. From then on, the gateway refuses what is revoked and every token made
from it, including cached exchanges. Gateways that share a Redis store do so within a second.
Exit status: 0 success, 1 failure, 2 invalid configuration or arguments.";

#[derive(Debug, clap::Subcommand)]
enum Action {
    #[command(flatten)]
    Revoke(Target),
    /// List the revocations in force and when they end
    List(list::Arguments),
    /// Lift a revocation
    Lift {
        #[command(subcommand)]
        what: Liftable,
        /// Who made the revocation: an operator, or a client (RFC 7009)
        #[arg(long, global = true, value_enum, default_value_t = By::Operator)]
        by: By,
    },
}

#[derive(Debug, clap::Subcommand)]
enum Liftable {
    #[command(flatten)]
    Target(Target),
    /// The revocation that `revoke list` shows with this id
    Id {
        /// 32 hexadecimal digits
        id: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum By {
    Operator,
    Client,
}

#[derive(Debug, clap::Subcommand)]
enum Target {
    /// Every token of a user that was issued until now
    Subject(Person),
    /// Every token issued until now with which this actor acts for another user
    Actor(Person),
    /// Every token of a session that was issued until now
    Session {
        /// The issuer of the tokens: its name in the configuration, or `iss`
        #[arg(long)]
        issuer: String,
        /// The `sid` of the tokens
        #[arg(long)]
        sid: String,
    },
    /// Every token that was or will be issued to an application
    Client {
        /// The `client_id` of the application
        id: String,
    },
    /// Every token that was or will be signed with a key
    Key {
        /// The issuer of the tokens: its name in the configuration, or `iss`
        #[arg(long)]
        issuer: String,
        /// The `kid` in the header of the tokens
        #[arg(long)]
        kid: String,
    },
    /// One token
    Token {
        /// A file with the token, `-` for standard input
        #[arg(long, value_name = "FILE")]
        token_file: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct Person {
    /// The issuer that the `sub` belongs to: its name in the configuration, or `iss`
    #[arg(long)]
    issuer: String,
    /// The `sub` of the user or actor
    #[arg(long)]
    sub: String,
}

/// Why the command failed.
#[derive(Debug, Error)]
pub(in crate::cli) enum Failure {
    #[error("{report}")]
    Configuration { report: String },
    #[error(
        "the system chooses the port of the admin listener: pass the address in the log with --admin"
    )]
    AnyPort,
    #[error("the token cannot be read: {0}")]
    Token(#[source] io::Error),
    #[error("say how long the {0} stays revoked: --for 7d, or --forever")]
    HowLong(&'static str),
    #[error("--for, --forever and --force are for revoking: nothing was done")]
    NotForThis,
    #[error("the admin listener at {address} does not respond: {source}")]
    Unreachable {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("not done: {address} responded with {status}: {why}")]
    Refused {
        address: SocketAddr,
        status: u16,
        why: String,
    },
}

/// Maximum length of a token, in bytes.
const MAX_TOKEN: u64 = 48 << 10;

pub(super) fn revoke(
    arguments: &Arguments,
    file: &ConfigFile,
    io: &Runtime,
    terminal: &mut Terminal<'_>,
) -> ExitCode {
    let done = Listener::of(file, arguments.admin)
        .and_then(|listener| io.block_on(arguments.perform(&listener)));
    match done {
        Ok(text) => match write!(terminal.out, "{text}") {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(failure) => {
            let _ = writeln!(terminal.err, "obo-gateway: {failure}");
            ExitCode::from(match failure {
                Failure::Configuration { .. }
                | Failure::AnyPort
                | Failure::Token(_)
                | Failure::HowLong(_)
                | Failure::NotForThis => 2,
                Failure::Unreachable { .. } | Failure::Refused { .. } => 1,
            })
        }
    }
}

impl Arguments {
    /// Returns the file with the token; `-` is standard input.
    pub(super) fn token_file(&self) -> Option<&Path> {
        match &self.action {
            Action::Revoke(target)
            | Action::Lift {
                what: Liftable::Target(target),
                ..
            } => target.token_file(),
            Action::Lift { .. } | Action::List(_) => None,
        }
    }

    /// Sends the request to the gateway and returns the output of the command.
    async fn perform(&self, listener: &Listener) -> Result<String, Failure> {
        let options = self.holds.is_some() || self.forever || self.force;
        match &self.action {
            Action::Revoke(target) => {
                let body = self.body(target)?;
                let response = listener
                    .send(Method::POST, "/revocations", Some(&body))
                    .await?;
                Ok(revoked(target, &response))
            }
            Action::List(_) | Action::Lift { .. } if options => Err(Failure::NotForThis),
            Action::List(arguments) => arguments.perform(listener).await,
            Action::Lift { what, by } => {
                let body = what.body(*by)?;
                let response = listener
                    .send(Method::DELETE, "/revocations", Some(&body))
                    .await?;
                Ok(lifted(what, &response))
            }
        }
    }

    fn body(&self, target: &Target) -> Result<Zeroizing<String>, Failure> {
        let mut body = target.body()?;
        let limited = self.holds.is_some() || self.forever;
        match target {
            Target::Client { .. } if !limited => return Err(Failure::HowLong("client")),
            Target::Key { .. } if !limited => return Err(Failure::HowLong("key")),
            Target::Subject(_)
            | Target::Actor(_)
            | Target::Session { .. }
            | Target::Client { .. }
            | Target::Key { .. }
            | Target::Token { .. } => {}
        }
        if let Some(members) = body.as_object_mut() {
            if let Some(holds) = self.holds {
                members.insert("for".to_owned(), json!(holds));
            }
            for (name, set) in [("forever", self.forever), ("force", self.force)] {
                if set {
                    members.insert(name.to_owned(), json!(true));
                }
            }
        }
        Ok(body.to_string().into())
    }
}

/// Returns what was revoked, what that ends, and until when.
fn revoked(target: &Target, response: &Value) -> String {
    let mut text = format!("revoked: {}\n", target.description());
    if let Some(ends) = response.get("ends").and_then(Value::as_str) {
        text += &format!("  ends   {}\n", printable(ends));
    }
    if response.get("forever") == Some(&json!(true)) {
        text += "  until  it is lifted\n";
    } else if let Some(until) = response.get("until").and_then(Value::as_i64) {
        text += &format!("  until  {}\n", moment(until));
    }
    if let Some(id) = response.get("id").and_then(Value::as_str) {
        text += &format!("  id     {}\n", printable(id));
    }
    text
}

fn lifted(what: &Liftable, response: &Value) -> String {
    let description = match what {
        Liftable::Target(target) => target.description(),
        Liftable::Id { id } => id.clone(),
    };
    let mut text = format!("lifted: {description}\n");
    if let Some(still) = response.get("still_revoked_by").and_then(Value::as_str) {
        text += &format!(
            "  still revoked by a {}: --by {0} lifts that too\n",
            printable(still)
        );
    }
    text
}

impl Liftable {
    fn body(&self, by: By) -> Result<Zeroizing<String>, Failure> {
        let mut body = match self {
            Self::Target(target) => target.body()?,
            Self::Id { id } => json!({"id": id.to_ascii_lowercase()}),
        };
        if let (By::Client, Some(members)) = (by, body.as_object_mut()) {
            members.insert("revoked_by".to_owned(), json!("client"));
        }
        Ok(body.to_string().into())
    }
}

impl Target {
    fn body(&self) -> Result<Value, Failure> {
        Ok(match self {
            Self::Subject(Person { issuer, sub }) => {
                json!({"subject": {"issuer": issuer, "sub": sub}})
            }
            Self::Actor(Person { issuer, sub }) => {
                json!({"actor": {"issuer": issuer, "sub": sub}})
            }
            Self::Session { issuer, sid } => json!({"session": {"issuer": issuer, "sid": sid}}),
            Self::Client { id } => json!({"client": {"id": id}}),
            Self::Key { issuer, kid } => json!({"signing_key": {"issuer": issuer, "kid": kid}}),
            Self::Token { token_file } => {
                let token = read_token(token_file).map_err(Failure::Token)?;
                json!({"token": {"token": token.as_str()}})
            }
        })
    }

    fn token_file(&self) -> Option<&Path> {
        match self {
            Self::Token { token_file } => Some(token_file),
            Self::Subject(_)
            | Self::Actor(_)
            | Self::Session { .. }
            | Self::Client { .. }
            | Self::Key { .. } => None,
        }
    }

    fn description(&self) -> String {
        match self {
            Self::Subject(Person { issuer, sub }) => format!("subject {sub} of {issuer}"),
            Self::Actor(Person { issuer, sub }) => format!("actor {sub} of {issuer}"),
            Self::Session { issuer, sid } => format!("session {sid} of {issuer}"),
            Self::Client { id } => format!("client {id}"),
            Self::Key { issuer, kid } => format!("key {kid} of {issuer}"),
            Self::Token { .. } => "token".to_owned(),
        }
    }
}

/// Returns text that may come from a token, without control characters.
pub(in crate::cli) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

fn moment(seconds: i64) -> String {
    let moment = UnixTime::from_secs(seconds);
    moment.to_rfc3339().unwrap_or_else(|| seconds.to_string())
}

fn read_token(file: &Path) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    if file == Path::new("-") {
        io::stdin().take(MAX_TOKEN).read_to_string(&mut text)?;
    } else {
        std::fs::File::open(file)?
            .take(MAX_TOKEN)
            .read_to_string(&mut text)?;
    }
    let token = Zeroizing::new(text.trim().to_owned());
    if token.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is empty"));
    }
    Ok(token)
}
