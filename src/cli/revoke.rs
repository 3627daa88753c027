//! `revoke`: ends tokens, through the admin listener of the gateway that runs.
//!
//! What enters is whose tokens end; what leaves is a request to the listener that the configuration names, and what it
//! answered. Status 0 means that the revocation is durable.

mod listener;

use super::Terminal;
use crate::settings::HumanDuration;
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

/// What `revoke` is asked.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    #[command(subcommand)]
    target: Target,
    /// How long it holds, e.g. 7d; where absent as long as a token can live that it ends, and for ever for a client or a key
    #[arg(long = "for", global = true, value_name = "DURATION")]
    holds: Option<HumanDuration>,
    /// The admin listener, where it is not the one that the configuration names
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    admin: Option<SocketAddr>,
}

const AFTER_HELP: &str = "\
The gateway answers when the revocation is durable: status 0. From then on it refuses what is revoked and every token made
from it, remembered exchanges included; gateways on the same Redis do so within a second.
Exit status: 0 revoked, 1 not revoked, 2 the configuration or the arguments are wrong.";

#[derive(Debug, clap::Subcommand)]
enum Target {
    /// Every token of a user that was issued until now
    Subject(Person),
    /// Every token, issued until now, with which somebody acts for another
    Actor(Person),
    /// Every token of a session that was issued until now
    Session {
        /// `iss` of its tokens
        #[arg(long)]
        issuer: String,
        /// `sid` of its tokens
        #[arg(long)]
        sid: String,
    },
    /// Every token that was or will be issued to an application
    Client {
        /// Its `client_id`
        id: String,
    },
    /// Every token that was or will be signed with a key
    Key {
        /// `iss` of its tokens
        #[arg(long)]
        issuer: String,
        /// `kid` in the header of its tokens
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
    /// `iss` of the tokens that name them
    #[arg(long)]
    issuer: String,
    /// `sub` of the tokens that name them
    #[arg(long)]
    sub: String,
}

/// Why nothing is known to be revoked.
#[derive(Debug, Error)]
enum Failure {
    #[error("{report}")]
    Configuration { report: String },
    #[error(
        "the configuration leaves the port of the admin listener to the system: name the one that the log names, \
         with --admin"
    )]
    AnyPort,
    #[error("the token cannot be read: {0}")]
    Token(#[source] io::Error),
    #[error("the admin listener at {address} does not answer: {source}")]
    Unreachable {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("not revoked: {address} answers {status}: {why}")]
    Refused {
        address: SocketAddr,
        status: u16,
        why: String,
    },
}

/// The longest token that is read, in bytes.
const MAX_TOKEN: u64 = 48 << 10;

pub(super) fn revoke(
    arguments: &Arguments,
    path: &Path,
    io: &Runtime,
    terminal: &mut Terminal<'_>,
) -> ExitCode {
    let revoked = Listener::of(path, arguments.admin).and_then(|listener| {
        let body = Zeroizing::new(arguments.body()?.to_string());
        io.block_on(listener.post(&body))
    });
    match revoked {
        Ok(answer) => {
            let what = arguments.target.told();
            match writeln!(terminal.out, "revoked: {what} ({answer})") {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            }
        }
        Err(failure) => {
            let _ = writeln!(terminal.err, "obo-gateway: {failure}");
            ExitCode::from(match failure {
                Failure::Configuration { .. } | Failure::AnyPort | Failure::Token(_) => 2,
                Failure::Unreachable { .. } | Failure::Refused { .. } => 1,
            })
        }
    }
}

impl Arguments {
    fn body(&self) -> Result<Value, Failure> {
        let mut body = match &self.target {
            Target::Subject(Person { issuer, sub }) => {
                json!({"subject": {"issuer": issuer, "sub": sub}})
            }
            Target::Actor(Person { issuer, sub }) => {
                json!({"actor": {"issuer": issuer, "sub": sub}})
            }
            Target::Session { issuer, sid } => json!({"session": {"issuer": issuer, "sid": sid}}),
            Target::Client { id } => json!({"client": {"id": id}}),
            Target::Key { issuer, kid } => json!({"signing_key": {"issuer": issuer, "kid": kid}}),
            Target::Token { token_file } => {
                let token = read_token(token_file).map_err(Failure::Token)?;
                json!({"token": {"token": token.as_str()}})
            }
        };
        if let (Some(holds), Some(members)) = (self.holds, body.as_object_mut()) {
            members.insert("for".to_owned(), json!(holds));
        }
        Ok(body)
    }
}

impl Target {
    fn told(&self) -> String {
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
