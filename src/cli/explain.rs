//! `explain`: replays the decision on one request, step by step.
//!
//! Takes a configuration, the head of a request and a token. Prints each check with its result, the decision on each
//! scope, and either the claims of the token that an API would get or the refusal with its response. The same functions
//! make the decision as for real requests. Nothing is sent to an API, logged or stored, no key file is created, and no
//! token is printed: of the issued token, only the claims.

mod asked;
mod explanation;
mod observer;
mod page;
mod recorded;
mod scopes;

pub use asked::{ImaginedRequest, ImaginedRequestError};
pub use explanation::Explanation;

use super::{
    check::Loaded,
    revoke::listener::Listener,
    terminal::{Paint, Terminal},
};
use crate::{
    cache::{CacheSettings, ExchangeCache},
    clock::{ManualClock, UnixTime},
    config::{ConfigFile, Configuration, Surroundings},
    error::Refusal,
    pipeline::{Recorder, RequestRecord},
    proxy::{Hooks, NoRequest, RehearsedOutcome},
    settings::Effects,
    store::{Revocation, Revocations},
    telemetry::AuditLog,
    verify::{TrustedIssuer, VerifyError},
};
use explanation::Known;
use observer::Account;
use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use thiserror::Error;
use tokio::{runtime::Runtime, time::timeout};

/// The arguments of `explain`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The URL as a client calls it, e.g. `https://api.example.com/orders/7`
    #[arg(long, required_unless_present = "request_id")]
    url: Option<String>,
    /// Show the decision of the running gateway on a recent request: its `request_id` in the access log, or its
    /// X-Request-Id at the API
    #[arg(long, value_name = "ID", conflicts_with_all = ["url", "method", "headers", "token_file", "at"])]
    request_id: Option<String>,
    /// The admin listener of the running gateway; default: the one in the configuration
    #[arg(long, value_name = "ADDRESS:PORT")]
    admin: Option<SocketAddr>,
    /// The request method
    #[arg(long, default_value = "GET")]
    method: String,
    /// A header field, e.g. `'Origin: https://app.example.com'`; may be repeated
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// A file with the bearer token that the client presents, `-` for standard input; default: the request has no token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The time of the decision, in seconds since 1970; default: now
    #[arg(long, value_name = "SECONDS")]
    at: Option<i64>,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Explains the decisions of one configuration.
#[derive(Debug)]
pub struct Explainer {
    hooks: Hooks,
    issuers: Vec<Arc<TrustedIssuer>>,
}

/// Why nothing could be explained.
#[derive(Debug, Error)]
pub enum Unexplained {
    /// The configuration has mistakes; the text says where they are and how to fix them.
    #[error("{report}")]
    Configuration {
        /// The findings, one per paragraph.
        report: String,
    },
    /// The arguments do not describe a request.
    #[error(transparent)]
    ImaginedRequest(#[from] ImaginedRequestError),
    /// The path and query of the URL cannot be part of a request line.
    #[error(transparent)]
    NoRequest(#[from] NoRequest),
}

/// Maximum time for fetching an issuer's keys, all documents together.
const KEYS_WITHIN: Duration = Duration::from_secs(15);

pub(super) fn explain(
    arguments: &Arguments,
    file: &ConfigFile,
    surroundings: &Surroundings,
    io: &Runtime,
    terminal: &mut Terminal<'_>,
) -> ExitCode {
    if let Some(id) = &arguments.request_id {
        let listener = Listener::of(file, arguments.admin);
        return recorded::show(id, listener, arguments.json, io, terminal);
    }
    let now = arguments
        .at
        .map_or_else(|| surroundings.clock.now(), UnixTime::from_secs);
    // the same time for all steps, so that their results are consistent
    let surroundings = Surroundings {
        clock: Arc::new(ManualClock::at(now)),
        ..surroundings.clone()
    };
    let explained = io.block_on(async {
        let asked = arguments.asked()?;
        let mut explainer = Explainer::new(file.clone(), &surroundings)?;
        if recorded::has_store(file) {
            let known = match Listener::of(file, arguments.admin) {
                Ok(listener) => recorded::revocations(&listener).await,
                Err(failure) => Err(failure),
            };
            match known {
                Ok(known) => explainer.heed(known),
                Err(failure) => recorded::say_unknown(&failure, terminal.err),
            }
        }
        explainer.explain(&asked).await
    });
    let explanation = match explained {
        Ok(explanation) => explanation,
        Err(error) => {
            let _ = writeln!(terminal.err, "{error}");
            return ExitCode::from(2);
        }
    };
    let paint = terminal.paint();
    match arguments.write(&explanation, paint, terminal.out) {
        Ok(()) if explanation.is_refused() => ExitCode::from(1),
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

impl Arguments {
    /// Returns the file with the token; `-` is standard input.
    pub(super) fn token_file(&self) -> Option<&Path> {
        self.token_file.as_deref()
    }

    fn asked(&self) -> Result<ImaginedRequest, ImaginedRequestError> {
        let url = self.url.as_deref().unwrap_or_default();
        let mut asked = ImaginedRequest::new(&self.method, url)?;
        for header in &self.headers {
            asked = asked.header(header)?;
        }
        match &self.token_file {
            None => Ok(asked),
            Some(file) => asked.bearer_in(file),
        }
    }

    fn write(
        &self,
        explanation: &Explanation,
        paint: Paint,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        if self.json {
            writeln!(out, "{:#}", explanation.to_json())
        } else {
            explanation.write(paint, out)
        }
    }
}

impl Explainer {
    /// Builds the components of `file` without any effect: keys and secrets that would be generated, or cannot be read
    /// here, are replaced by ones in memory.
    ///
    /// # Errors
    /// [`Unexplained::Configuration`].
    pub fn new(
        file: impl Into<ConfigFile>,
        surroundings: &Surroundings,
    ) -> Result<Self, Unexplained> {
        let mut loaded = Loaded::from(&file.into(), Effects::Imagined, surroundings);
        let Some(configuration) = loaded.configuration.take() else {
            let report = loaded.text();
            return Err(Unexplained::Configuration { report });
        };
        let Configuration {
            mut hooks, issuers, ..
        } = configuration;
        // a replay is not written to the audit log
        let nowhere = AuditLog::to(Box::new(io::sink()), Arc::clone(&surroundings.clock));
        hooks.pipeline.recorder = Recorder::new(nowhere);
        Ok(Self { hooks, issuers })
    }

    /// Refuses what `revocations` end.
    pub fn heed(&mut self, revocations: impl IntoIterator<Item = Revocation>) {
        self.hooks.pipeline.revocations.insert(revocations);
    }

    /// Replays the decision on `asked`. If the keys of its issuer are missing, they are fetched as for a real request,
    /// and once more if that fails: at most 15 s.
    ///
    /// # Errors
    /// [`Unexplained::NoRequest`].
    pub async fn explain(&mut self, asked: &ImaginedRequest) -> Result<Explanation, Unexplained> {
        let mut known = self.rehearse(asked).await?;
        if let RehearsedOutcome::Refused(Refusal::Verify(VerifyError::KeysUnavailable { issuer })) =
            &known.ending
        {
            match self.fetch_keys(issuer).await {
                Ok(()) => known = self.rehearse(asked).await?,
                Err(why) => known.no_keys = Some(why),
            }
        }
        Ok(known.report(asked))
    }

    async fn rehearse(&mut self, asked: &ImaginedRequest) -> Result<Known, NoRequest> {
        let clock = Arc::clone(&self.hooks.clock);
        // an earlier replay must not affect this one
        self.hooks.pipeline.cache = ExchangeCache::new(
            &CacheSettings::default(),
            Revocations::of_one_process(),
            clock,
        );
        let started = self.hooks.clock.instant();
        let mut record = RequestRecord::observed_by(Account::default(), started);
        let ending = self.hooks.rehearse(asked.head(), &mut record).await?;
        Ok(Known {
            ending,
            account: record.observer.taken(),
            route: record.route,
            at: self.hooks.clock.now(),
            no_keys: None,
        })
    }

    async fn fetch_keys(&self, issuer: &str) -> Result<(), String> {
        let mut issuers = self.issuers.iter();
        let Some(issuer) = issuers.find(|known| known.name() == issuer) else {
            return Ok(());
        };
        timeout(KEYS_WITHIN, issuer.fetch_keys())
            .await
            .unwrap_or_else(|_| Err(format!("no response within {} s", KEYS_WITHIN.as_secs())))
    }
}
