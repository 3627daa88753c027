//! The commands of the program.
//!
//! A command takes its arguments, writes text to the given writers, and returns an exit status (0: success, 1: failure,
//! 2: the configuration or the arguments are invalid). `run` also runs a gateway until it is stopped. Because the
//! writers are parameters, tests see what a user would see.

mod check;
mod demo;
mod explain;
mod report;
mod revoke;
mod run;
mod schema;
mod serve;
mod terminal;
mod wrap;

pub use explain::{Explainer, Explanation, ImaginedRequest, ImaginedRequestError, Unexplained};
pub use report::render;
pub use serve::{Gateway, Listening, ReloadError, Reloaded, StartError};
pub use terminal::Paint;

use crate::{
    clock::{SystemClock, SystemRandomness},
    config::{ConfigFile, Surroundings},
};
use clap::{
    CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind, parser::ValueSource,
};
use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};
use terminal::Terminal;
use tokio::runtime::Runtime;

/// A reverse proxy that exchanges each user's bearer token for a reduced on-behalf-of token before an untrusted API
/// sees the request.
#[derive(Debug, Parser)]
#[command(name = "obo-gateway", version, about, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The configuration file, `-` for standard input
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "gateway.yaml"
    )]
    config: PathBuf,
}

const AFTER_HELP: &str = "\
Without a command, `run` is used. `obo-gateway demo` shows on this machine what the gateway does.
SIGTERM and Ctrl-C stop `run` gracefully: no request that was received is lost.
SIGHUP makes `run` reload the file. A file with a mistake changes nothing. Standard input cannot be reloaded.
Exit status: 0 success, 1 failure, 2 invalid configuration or arguments.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway (the default)
    Run,
    /// Report every mistake in the configuration and how to fix it; creates nothing
    Check,
    /// Replay the decision on one request, step by step; sends nothing and issues no usable token
    Explain(explain::Arguments),
    /// Revoke the tokens of a user, an actor, a session, an application or a key, or one token
    Revoke(revoke::Arguments),
    /// Print the JSON Schema of the configuration, for editors
    Schema,
    /// Show what the gateway does: an identity provider, two APIs and a gateway, all on this machine
    Demo {
        /// Show it once and exit: status 0 if every check on the page succeeded
        #[arg(long)]
        once: bool,
    },
}

/// Runs the program with `arguments`, which begin with the program's own name. `io` is the runtime for everything that
/// communicates with identity providers.
pub fn main(arguments: impl IntoIterator<Item = OsString>, io: &Runtime) -> ExitCode {
    let arguments = match parse(arguments) {
        Ok(arguments) => arguments,
        // clap reports help and version as errors, with their own exit status
        Err(error) => {
            let status = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(status);
        }
    };
    let interactive = io::stdout().is_terminal();
    let (mut out, mut err) = (io::stdout(), io::stderr());
    let mut terminal = Terminal {
        out: &mut out,
        err: &mut err,
        interactive,
    };
    let surroundings = Surroundings {
        clock: Arc::new(SystemClock),
        randomness: Arc::new(SystemRandomness),
        io: io.handle().clone(),
    };
    let command = arguments.command.unwrap_or(Command::Run);
    let file = match ConfigFile::of_argument(&arguments.config, io::stdin()) {
        Ok(file) => file,
        Err(error) => {
            let _ = writeln!(terminal.err, "obo-gateway: standard input: {error}");
            return ExitCode::from(2);
        }
    };
    match command {
        Command::Run => run::run(&file, &surroundings, io, &mut terminal),
        Command::Check => check::check(&file, &surroundings, &mut terminal),
        Command::Explain(asked) => {
            explain::explain(&asked, &file, &surroundings, io, &mut terminal)
        }
        Command::Revoke(asked) => revoke::revoke(&asked, &file, io, &mut terminal),
        Command::Schema => schema::schema(&mut terminal),
        Command::Demo { once } => demo::demo(once, &surroundings, io, &mut terminal),
    }
}

/// Parses the arguments. Returns an error if a command gets a file that it would not read, or standard input twice.
fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, clap::Error> {
    let matches = Arguments::command().try_get_matches_from(arguments)?;
    if let Some((name @ ("demo" | "schema"), command)) = matches.subcommand()
        && command.value_source("config") == Some(ValueSource::CommandLine)
    {
        let instead = match name {
            "demo" => {
                "it uses a configuration of its own; to run yours: `obo-gateway --config FILE`"
            }
            _ => {
                "the schema is the same for every file; to check yours: `obo-gateway check --config FILE`"
            }
        };
        let what = format!("`{name}` takes no --config: {instead}\n");
        return Err(Arguments::command().error(ErrorKind::ArgumentConflict, what));
    }
    let arguments = Arguments::from_arg_matches(&matches)?;
    let token_file = match &arguments.command {
        Some(Command::Explain(asked)) => asked.token_file(),
        Some(Command::Revoke(asked)) => asked.token_file(),
        Some(Command::Run | Command::Check | Command::Schema | Command::Demo { .. }) | None => None,
    };
    if ConfigFile::is_standard_input(&arguments.config)
        && token_file.is_some_and(ConfigFile::is_standard_input)
    {
        let what = "`--config -` and `--token-file -`: standard input can contain only one of them; put the other into a file\n";
        return Err(Arguments::command().error(ErrorKind::ArgumentConflict, what));
    }
    Ok(arguments)
}

/// Disables core dumps of this process, because they would contain keys and tokens.
pub fn withhold_core_dumps() {
    let none = rustix::process::Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // if the limit cannot be lowered here, the operator has to do it
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
}
