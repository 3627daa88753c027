//! `run`: runs the gateway until it is stopped, and reloads the configuration on request.

use super::{Gateway, terminal::Terminal};
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
    // a file that cannot be read is reported when the gateway starts
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
    // before others can see that the gateway runs and tell it to stop
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

/// Reloads at each SIGHUP, without end. Signals that arrive during a reload cause one more reload after it.
async fn keep_reloading(gateway: &mut Gateway, mut reloads: Option<Signal>, threshold: &Threshold) {
    loop {
        let signal = match &mut reloads {
            Some(reloads) => reloads.recv().await,
            None => None,
        };
        if signal.is_none() {
            return std::future::pending().await;
        }
        let before = gateway.listeners();
        // the reason for a failure was logged already
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

/// Receives SIGTERM and SIGINT. From its creation on, these signals do not end the process.
pub(super) struct EndSignals([Option<Signal>; 2]);

impl EndSignals {
    /// Listens for both signals. If one cannot be listened for, the other still can. Must be called within a runtime.
    pub(super) fn listen() -> Self {
        let of = |kind| signal(kind).ok();
        Self([SignalKind::terminate(), SignalKind::interrupt()].map(of))
    }

    /// Waits for one of the signals.
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
