# What is done often; `just` alone lists it.

default:
    @just --list

# Format, lints and the documentation's links: what is found in seconds
check:
    cargo fmt --check
    cargo clippy --all-targets --all-features -- -D warnings
    RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps

# All tests
test *args:
    cargo test {{args}}

# CPU per request compared with a bare proxy, and the cost of single steps
bench:
    benches/side_by_side.sh
    benches/start.sh
    cargo bench --features benchmarks --profile dist

# What is shipped: optimised as far as it goes
dist:
    cargo build --locked --profile dist

# A thousand reloads under a steady stream of requests
reloads *args:
    tests/ops/reloads.sh {{args}}

# Clients of others against the token service: google, msal, oauth4webapi, schemathesis
clients name:
    cargo build --release
    tests/clients/run.sh {{name}} "${CARGO_TARGET_DIR:-target}/release/obo-gateway"

# See what the gateway does, everything on loopback
demo *args:
    cargo run -- demo {{args}}

# Renew the schema and the configuration reference, which a test generates from the settings types and compares
docs:
    UPDATE_DOCS=1 cargo test --test all _in_the_repository_

# All checks that must pass before a change is merged
ci:
    .ci/run
