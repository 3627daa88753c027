//! `run`: the gateway, until it is told to end; told to reload, it serves what the file says then.

use super::{Gateway, Terminal};
use crate::{
    config::{ConfigFile, Surroundings, log_settings},
    telemetry::{
        LogSettings,
        log::{self, Threshold},
    },
};
use std::{process::ExitCode, sync::Arc};
use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
};

pub(super) fn run(
    file: &ConfigFile,
    surroundings: &Surroundings,
    io: &Runtime,
    terminal: &mut Terminal<'_>,
) -> ExitCode {
    // a file that cannot be read is reported when the gateway is started from it
    let log = file.read().map_or_else(
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
    tracing::info!(version = env!("CARGO_PKG_VERSION"), configuration = %file, "starting");
    let mut gateway = match Gateway::start(file.clone(), surroundings) {
        Ok(gateway) => gateway,
        Err(error) => {
            let _ = writeln!(terminal.err, "{error}");
            return ExitCode::from(if error.is_configuration() { 2 } else { 1 });
        }
    };
    // before anybody learns that it runs, and may tell it to end
    let mut end = {
        let _inside = io.enter();
        EndSignals::listen()
    };
    gateway.log_contents();
    for listener in gateway.listeners() {
        tracing::info!(address = %listener.address, tls = listener.tls, "listening");
    }
    let admin = gateway.admin_listener();
    tracing::info!(address = %admin.address, tls = admin.tls, "admin listening");
    io.block_on(async {
        tokio::select! {
            biased;
            () = end.received() => {}
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
        let before = gateway.listeners();
        // why it failed was logged where it happened
        if let Ok(reloaded) = gateway.reload().await {
            threshold.set(reloaded.log_level);
            for listener in gateway.listeners() {
                if !before.contains(&listener) {
                    tracing::info!(address = %listener.address, tls = listener.tls, "listening");
                }
            }
        }
    }
}

/// SIGTERM and SIGINT. From when it is made, they end nothing by themselves.
pub(super) struct EndSignals([Option<Signal>; 2]);

impl EndSignals {
    /// Listens for both. Where one cannot be listened for, the other still can. Must be called within a runtime.
    pub(super) fn listen() -> Self {
        let of = |kind| signal(kind).ok();
        Self([SignalKind::terminate(), SignalKind::interrupt()].map(of))
    }

    /// Waits for one of them.
    pub(super) async fn received(&mut self) {
        let [terminate, interrupt] = &mut self.0;
        tokio::select! {
            () = arrival(terminate) => {}
            () = arrival(interrupt) => {}
        }
    }
}

async fn arrival(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
