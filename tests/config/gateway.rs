//! The gateway's own reading of a document, without effects.

use obo_gateway::{
    clock::{SystemClock, SystemRandomness},
    config::{Document, Surroundings, compose},
    settings::{BaseDir, Effects, Findings},
};
use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};
use tokio::runtime::Runtime;

/// Composes a gateway from `document`, as `check` does.
pub(crate) fn read(document: &Document, findings: &mut Findings) {
    static IO: LazyLock<Runtime> = LazyLock::new(|| {
        // the first line of `main` does this for the program
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        // in a checkout all users can read these files, which would cause warnings
        for secret in ["pairwise.salt", "partner.key", "redis.url", "short.salt"] {
            let file = folder().join(secret);
            std::fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
        }
        Runtime::new().unwrap()
    });
    let surroundings = Surroundings {
        clock: Arc::new(SystemClock),
        randomness: Arc::new(SystemRandomness),
        io: IO.handle().clone(),
    };
    let base = BaseDir::of_file(&folder().join("gateway.yaml"));
    drop(compose(
        document,
        &base,
        Effects::None,
        &surroundings,
        findings,
    ));
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config")
}
