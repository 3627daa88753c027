//! `run`: the gateway, until it is told to end.

use super::{Gateway, Terminal};
use crate::{
    config::{Document, Surroundings, log_settings},
    telemetry::{LogSettings, log},
};
use std::{path::Path, process::ExitCode, sync::Arc};
use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
};

pub(super) fn run(
    path: &Path,
    surroundings: &Surroundings,
    io: &Runtime,
    terminal: &mut Terminal<'_>,
) -> ExitCode {
    // a file that cannot be read is reported when the gateway is started from it
    let log = Document::read(path).map_or_else(
        |_| LogSettings::default(),
        |document| log_settings(&document),
    );
    if let Err(error) = log::init(&log, Arc::clone(&surroundings.clock)) {
        let _ = writeln!(terminal.err, "obo-gateway: {error}");
        return ExitCode::FAILURE;
    }
    log::withhold_panic_texts();
    let gateway = match Gateway::start(path, surroundings) {
        Ok(gateway) => gateway,
        Err(error) => {
            let _ = writeln!(terminal.err, "{error}");
            return ExitCode::from(if error.is_configuration() { 2 } else { 1 });
        }
    };
    for address in gateway.addresses() {
        tracing::info!(%address, "listening");
    }
    tracing::info!(address = %gateway.admin_address(), "admin listening");
    io.block_on(async {
        wait_for_end().await;
        tracing::info!("draining");
        let drained = gateway.drain().await;
        tracing::info!(remaining = drained.remaining, "ended");
    });
    ExitCode::SUCCESS
}

/// Waits for SIGTERM or SIGINT. Where the one cannot be listened for, the other still can.
pub(super) async fn wait_for_end() {
    let of = |kind| async move {
        match signal(kind) {
            Ok(mut signals) => drop(signals.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = of(SignalKind::terminate()) => {}
        () = of(SignalKind::interrupt()) => {}
    }
}
