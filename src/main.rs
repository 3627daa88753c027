//! The program: allocator and crypto provider, then the library.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    // First: pingora installs another provider where it finds none.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
