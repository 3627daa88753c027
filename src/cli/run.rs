//! `run`: the gateway, until it is told to end; told to reload, it serves what the file says then.

use super::{Gateway, Terminal};
use crate::{
    config::{Document, Surroundings, log_settings},
    telemetry::{
        LogSettings,
        log::{self, Threshold},
    },
};
use std::{path::Path, process::ExitCode, sync::Arc};
use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
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
    let threshold = match log::init(&log, Arc::clone(&surroundings.clock)) {
        Ok(threshold) => threshold,
        Err(error) => {
            let _ = writeln!(terminal.err, "obo-gateway: {error}");
            return ExitCode::FAILURE;
        }
    };
    log::withhold_panic_texts();
    // before anything is started: an unhandled SIGHUP would end the process
    let reloads = {
        let _inside = io.enter();
        signal(SignalKind::hangup()).ok()
    };
    let mut gateway = match Gateway::start(path, surroundings) {
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
        tokio::select! {
            biased;
            () = wait_for_end() => {}
            () = keep_reloading(&mut gateway, reloads, &threshold) => {}
        }
        tracing::info!("draining");
        let drained = gateway.drain().await;
        tracing::info!(remaining = drained.remaining, "ended");
    });
    ExitCode::SUCCESS
}

/// Reloads at each SIGHUP, for ever. Signals that come during a reload are one: there is another reload after it.
async fn keep_reloading(gateway: &mut Gateway, mut reloads: Option<Signal>, threshold: &Threshold) {
    loop {
        let told = match &mut reloads {
            Some(reloads) => reloads.recv().await,
            None => None,
        };
        if told.is_none() {
            return std::future::pending().await;
        }
        let before: Vec<_> = gateway.addresses();
        // why it failed was logged where it happened
        if let Ok(reloaded) = gateway.reload().await {
            threshold.set(reloaded.log_level);
            for address in gateway.addresses() {
                if !before.contains(&address) {
                    tracing::info!(%address, "listening");
                }
            }
        }
    }
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
