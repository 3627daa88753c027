//! The program: allocator, crypto provider, runtime, then the library.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // first: pingora installs another provider where it finds none
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    obo_gateway::cli::withhold_core_dumps();
    let io = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("identity-providers")
        .enable_all()
        .build();
    match io {
        Ok(io) => obo_gateway::cli::main(std::env::args_os(), &io),
        Err(_) => ExitCode::FAILURE,
    }
}
