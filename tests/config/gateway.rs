//! The gateway's own reading of a document, without effects.

use obo_gateway::{
    clock::{SystemClock, SystemRandomness},
    config::{Document, Surroundings, compose},
    settings::{BaseDir, Effects, Findings},
};
use std::{
    path::Path,
    sync::{Arc, LazyLock},
};
use tokio::runtime::Runtime;

/// Composes a gateway from `document`, as `check` does.
pub(crate) fn read(document: &Document, findings: &mut Findings) {
    static IO: LazyLock<Runtime> = LazyLock::new(|| {
        // the first line of `main` does this for the program
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Runtime::new().unwrap()
    });
    let surroundings = Surroundings {
        clock: Arc::new(SystemClock),
        randomness: Arc::new(SystemRandomness),
        io: IO.handle().clone(),
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config");
    let base = BaseDir::of_file(&folder.join("gateway.yaml"));
    drop(compose(
        document,
        &base,
        Effects::None,
        &surroundings,
        findings,
    ));
}
