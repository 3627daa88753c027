//! A panic's text can contain parts of a request, so only its place may be logged. Runs in its own process, because the panic
//! hook is global to the process.
#![allow(clippy::unwrap_used, clippy::panic)]

use obo_gateway::{
    clock::{ManualClock, UnixTime},
    telemetry::{LogSettings, log},
};
use std::{
    io::{self, Write},
    process::Command,
    sync::{Arc, Mutex, PoisonError},
};

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_panic_is_logged_by_its_place_and_not_by_its_text() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "panic_texts::the_process_that_panics",
            "--exact",
            "--ignored",
        ])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{printed}");
    assert!(printed.contains("1 passed"), "{printed}");
}

#[test]
#[ignore = "run by the test above, in a process of its own"]
fn the_process_that_panics() {
    let written = Written::default();
    let out = written.clone();
    let clock = Arc::new(ManualClock::at(UnixTime::from_secs(0)));
    let subscriber = log::subscriber(&LogSettings::default(), clock, move || out.clone());
    tracing::subscriber::set_global_default(subscriber).unwrap();
    log::withhold_panic_texts();

    let panicked = std::thread::Builder::new()
        .name("edge-0".to_owned())
        .spawn(|| panic!("Authorization: Bearer eyJhbGciOiJFUzI1NiJ9"))
        .unwrap()
        .join();

    assert!(panicked.is_err());
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("tests/panic_texts.rs:"), "{text}");
    assert!(text.contains("edge-0"), "{text}");
    assert!(
        !text.contains("eyJ") && !text.contains("Authorization"),
        "{text}"
    );
}
