//! Runs the demo with other configurations than the repository's own.

use super::*;
use crate::clock::{SystemClock, SystemRandomness};
use std::sync::Arc;

fn shown(configuration: &str) -> (ExitCode, String, String) {
    // another test of this process may have installed it
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let io = Runtime::new().unwrap();
    let surroundings = Surroundings {
        clock: Arc::new(SystemClock),
        randomness: Arc::new(SystemRandomness),
        io: io.handle().clone(),
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut terminal = Terminal {
        out: &mut out,
        err: &mut err,
        interactive: false,
    };
    let status = demo_of(configuration, true, &surroundings, &io, &mut terminal);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status, text(out), text(err))
}

#[test]
fn the_repositorys_own_file_keeps_every_promise() {
    let (status, out, err) = shown(CONFIGURATION);
    assert_eq!(status, ExitCode::SUCCESS, "{out}{err}");
    assert!(!out.contains('✘') && err.is_empty(), "{out}{err}");
}

#[test]
fn a_file_that_gives_the_api_more_breaks_a_promise_and_the_status_says_so() {
    let allow = "allow: [orders.read, orders.write]";
    assert!(CONFIGURATION.contains(allow));
    let wider = CONFIGURATION.replace(allow, "allow: [orders.read, orders.write, payments.admin]");
    let (status, out, _) = shown(&wider);
    assert_eq!(status, ExitCode::FAILURE);
    assert!(
        out.contains("✘ failed: Of the six rights"),
        "the broken promise is marked: {out}"
    );
}

#[test]
fn a_file_that_is_no_configuration_is_reported_and_nothing_is_shown() {
    let (status, out, err) = shown(&format!("{CONFIGURATION}\nrotues: []\n"));
    assert_eq!(status, ExitCode::FAILURE);
    assert!(out.is_empty(), "{out}");
    assert!(err.contains("rotues"), "{err}");
}
