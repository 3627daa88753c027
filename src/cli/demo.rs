//! `demo`: shows on this machine what the gateway does.
//!
//! Prints a page for readers who have never heard of token exchange. The status says if every statement on it was
//! confirmed. Each line about a token comes from what an API received and verified, and each reason from the gateway's
//! own log. Everything listens on loopback; keys, tokens and logs are in a temporary folder that is removed at the end.

mod api;
mod client;
mod folder;
mod page;
mod provider;
mod received;
mod scenes;
mod site;
mod story;
mod world;

use super::{StartError, run::EndSignals, terminal::Terminal};
use crate::{
    config::{OverrideError, Surroundings},
    edge::ListenError,
    jose::{JoseError, KeyError},
    settings::UrlError,
};
use page::Page;
use std::{io, pin::pin, process::ExitCode};
use thiserror::Error;
use tokio::runtime::Runtime;
use world::World;

/// The repository's own configuration, so that the demo shows what it does.
const CONFIGURATION: &str = include_str!("../../gateway.yaml");

/// Why the demo cannot continue.
#[derive(Debug, Error)]
enum DemoError {
    #[error("input or output: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("the configuration cannot be moved to free ports: {0}")]
    Override(#[from] OverrideError),
    #[error("no key for the identity provider: {0}")]
    Key(#[from] KeyError),
    #[error("no token from the identity provider: {0}")]
    Sign(#[from] JoseError),
    #[error(transparent)]
    Url(#[from] UrlError),
    #[error("the gateway did not become ready within 10 s")]
    NotReady,
    #[error("ended before everything was shown")]
    Interrupted,
    #[error("a request is missing in the access log")]
    NotLogged,
}

/// Shows the demo. The status is 0 if every statement on the page was confirmed.
pub(super) fn demo(
    once: bool,
    surroundings: &Surroundings,
    io: &Runtime,
    terminal: &mut Terminal<'_>,
) -> ExitCode {
    demo_of(CONFIGURATION, once, surroundings, io, terminal)
}

fn demo_of(
    configuration: &str,
    once: bool,
    surroundings: &Surroundings,
    io: &Runtime,
    terminal: &mut Terminal<'_>,
) -> ExitCode {
    let (paint, columns) = (terminal.paint(), terminal.columns());
    let mut page = Page::new(&mut *terminal.out, paint, columns);
    let shown = io.block_on(async {
        // registered first, so that an interruption does not leave the folder behind
        let mut signals = EndSignals::listen();
        let mut end = pin!(signals.received());
        let shown = tokio::select! {
            biased;
            () = &mut end => return Err(DemoError::Interrupted),
            shown = show(configuration, surroundings, &mut page) => shown,
        };
        let world = shown?;
        if once {
            story::farewell(&mut page)?;
        } else {
            story::invitation(&world, &mut page)?;
            end.await;
            page.space()?;
        }
        world.end().await;
        Ok(())
    });
    let (_, broken) = page.tally();
    match shown {
        Ok(()) if broken == 0 => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        // a closed pager needs no error message
        Err(DemoError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(terminal.err, "obo-gateway: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Starts everything and shows the scenes.
async fn show(
    configuration: &str,
    surroundings: &Surroundings,
    page: &mut Page<'_>,
) -> Result<World, DemoError> {
    let world = World::start(configuration, surroundings).await?;
    story::tell(&world, page).await?;
    Ok(world)
}

#[cfg(test)]
mod tests;
